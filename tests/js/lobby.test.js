import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "./browser.js";
import { give, load } from "./served.js";

/** A lobby as the script sees it. */
function lobby(user, rooms) {
  return {
    visibilityState: "visible",
    activeElement: null,
    column: {
      outerHTML: rooms,
      childNodes: [rooms],
      shown: null,
      contains: () => false,
      replaceChildren(...nodes) {
        this.shown = nodes;
      },
    },
    name: { textContent: user, dataset: {} },
    querySelector(selector) {
      return selector === "main .column" ? this.column : selector === "[data-own-name]" ? this.name : null;
    },
    querySelectorAll: () => [],
    getElementById: (id) => (id === "sign-out" ? { dataset: { user } } : null),
    addEventListener(_, turned) {
      this.turn = turned;
    },
    importNode: (node) => node,
  };
}

/** Alice's lobby, asked anew in a browser that `user` is signed in with; what it shows of it, and how often it was loaded again. */
async function refreshed(user) {
  const page = lobby("alice", "<p>Alice's</p>");
  let reloads = 0;
  give("document", page);
  give("location", { href: "/", reload: () => void reloads++ });
  give("fetch", async () => ({ ok: true, text: async () => "" }));
  give(
    "DOMParser",
    class {
      parseFromString = () => lobby(user, `<p>${user}'s</p>`);
    },
  );
  give("setTimeout", () => 0);
  await load("chat/static/chat/js/lobby.js");
  page.turn();
  await settle();
  return { shown: page.column.shown, reloads };
}

test("the lobby of the same user shows what is new", async () => {
  assert.deepEqual(await refreshed("alice"), { shown: ["<p>alice's</p>"], reloads: 0 });
});

test("a lobby that is open while somebody else signs in is loaded again as a whole, and shows none of their rooms before", async () => {
  assert.deepEqual(await refreshed("bob"), { shown: null, reloads: 1 });
});
