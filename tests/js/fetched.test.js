import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { onReturn } from "../../hubbub/static/hubbub/js/fetched.js";
import { takeOwnName } from "../../hubbub/static/hubbub/js/own-name.js";
import { give } from "./served.js";

/** @type {(() => Promise<void>)[]} of the visibility of the page */
let listeners;

beforeEach(() => {
  listeners = [];
  give(
    "DOMParser",
    class {
      /** @param {string} text */
      parseFromString = (text) => text;
    },
  );
});

/**
 * A page of the user with this id, which shows the name in a text and in a form.
 *
 * @param {string} id
 * @param {string} name
 */
function pageOf(id, name) {
  const [shown, field] = [
    { tagName: "BDI", textContent: name },
    { tagName: "INPUT", value: name },
  ];
  /** @type {Record<string, object[]>} */
  const elements = {
    "[data-own-id]": [{ dataset: { ownId: id } }],
    "[data-own-name]": [shown, field],
    "[data-own-label]": [],
  };
  const document = {
    visibilityState: "visible",
    /** @param {string} selector */
    querySelector: (selector) => elements[selector]?.[0],
    /** @param {string} selector */
    querySelectorAll: (selector) => elements[selector],
    /**
     * @param {string} _
     * @param {() => Promise<void>} listener
     */
    addEventListener: (_, listener) => listeners.push(listener),
  };
  return { shown, field, document };
}

/** Makes a page the open one. */
function open(page = pageOf("1", "ada")) {
  give("document", page.document);
  return page;
}

/** @param {{ document: object }} page */
const documentOf = (page) => /** @type {Document} */ (page.document);

test("an open account page shows the user's new name, also in its form, but no other user's", () => {
  const page = open();
  takeOwnName(documentOf(pageOf("2", "bob")));
  assert.deepEqual([page.shown.textContent, page.field.value], ["ada", "ada"]);
  takeOwnName(documentOf(pageOf("1", "lovelace")));
  assert.deepEqual([page.shown.textContent, page.field.value], ["lovelace", "lovelace"]);
});

test("a page that becomes visible again asks once, and ignores a failed answer", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  const page = open();
  /** @type {string[]} */
  const asked = [];
  /** @type {unknown[]} */
  const taken = [];
  /** @type {{ ok: boolean, text?: () => Promise<string> } | null} */
  let answer = { ok: true, text: async () => "a page" };
  give("fetch", async (/** @type {string} */ url) => {
    asked.push(url);
    if (answer === null) throw new TypeError("no network");
    return answer;
  });
  onReturn("/", 30_000, (page) => taken.push(page));
  const comes = () => listeners[0]?.();
  await comes();
  assert.deepEqual(asked, [], "what the page shows is new enough");
  t.mock.timers.tick(30_000);
  await comes();
  await comes();
  assert.deepEqual([asked, taken], [["/"], ["a page"]]);
  for (const failure of [{ ok: false }, null]) {
    answer = failure;
    t.mock.timers.tick(30_000);
    await comes();
  }
  assert.equal(asked.length, 3);
  assert.deepEqual(taken, ["a page"]);
  page.document.visibilityState = "hidden";
  t.mock.timers.tick(30_000);
  await comes();
  assert.equal(asked.length, 3);
});

test("a list is refreshed when the user points at it or focuses it", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  open();
  give("fetch", async () => ({ ok: true, text: async () => "a page" }));
  /** @type {Map<string, () => Promise<void>>} */
  const turns = new Map();
  /** @type {unknown[]} */
  const taken = [];
  onReturn("/", 30_000, (page) => taken.push(page), {
    addEventListener: (/** @type {string} */ name, /** @type {any} */ run) => turns.set(name, run),
  });
  for (const name of ["pointerenter", "focusin"]) {
    t.mock.timers.tick(30_000);
    await turns.get(name)?.();
    await turns.get(name)?.();
  }
  assert.deepEqual(taken, ["a page", "a page"]);
});

test("a page whose session has ended is loaded again: the site then says why", async (t) => {
  t.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_000_000 });
  open();
  let reloads = 0;
  give("location", { reload: () => void reloads++ });
  let asked;
  give("fetch", async (/** @type {string} */ _, /** @type {RequestInit} */ options) => {
    asked = options.redirect;
    return { ok: false, type: "opaqueredirect" };
  });
  onReturn("/", 5_000, () => assert.fail("nothing to take"));
  t.mock.timers.tick(5_000);
  await listeners[0]?.();
  assert.deepEqual([asked, reloads], ["manual", 0], "another tab that signs out has its turn");
  t.mock.timers.tick(1_000);
  assert.equal(reloads, 1);
});
