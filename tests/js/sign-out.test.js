import assert from "node:assert/strict";
import { test } from "node:test";

import { give, load } from "./served.js";

const DRAFT = "hubbub.draft.1.general";

/** Alice signs out with a draft, and the server answers so. What happens then. */
async function signOut(answer) {
  const listeners = {};
  const seen = { told: [], left: [], sent: [], formsSent: 0 };
  const dialog = {
    dataset: { user: "1", signIn: "/account/sign-in/" },
    querySelector: () => ({ replaceChildren() {} }),
    showModal() {
      this.returnValue = "discard";
      queueMicrotask(() => this.onclose());
    },
  };
  const element = () => ({ append() {} });
  give("document", {
    getElementById: () => dialog,
    createElement: element,
    addEventListener: (name, run) => {
      listeners[name] = run;
    },
    dispatchEvent() {},
  });
  give("addEventListener", () => {});
  give("location", { replace: (address) => seen.left.push(address) });
  give(
    "BroadcastChannel",
    class {
      postMessage = ({ type }) => seen.told.push(type);
    },
  );
  give(
    "FormData",
    class {
      *[Symbol.iterator]() {}
    },
  );
  give(
    "localStorage",
    Object.create({
      getItem(name) {
        return this[name] ?? null;
      },
      removeItem(name) {
        delete this[name];
      },
    }),
  );
  give("sessionStorage", {});
  give("fetch", async (address, { headers }) => {
    seen.sent.push([address, headers]);
    return answer;
  });
  localStorage[DRAFT] = JSON.stringify("half a");
  await load("project/static/project/js/sign-out.js");
  const done = new Promise((resolve) => {
    const form = {
      action: "/account/sign-out-everywhere/",
      matches: () => true,
      submit: () => resolve(seen.formsSent++),
    };
    location.replace = (address) => resolve(seen.left.push(address));
    listeners.submit({ target: form, submitter: null, preventDefault() {} });
  });
  await done;
  return { ...seen, kept: Object.keys(localStorage) };
}

const SENT = [["/account/sign-out-everywhere/", { "X-Signs-Out": "1" }]];

test("a form that is refused takes nothing along, tells no tab, and is sent by the browser, which shows why", async () => {
  const found = await signOut({ ok: false, type: "basic", status: 403 });
  assert.deepEqual(found, { told: ["unsent?"], left: [], sent: SENT, formsSent: 1, kept: [DRAFT] });
});

test("a form that ends the session takes the text along, in every tab", async () => {
  const found = await signOut({ ok: false, type: "opaqueredirect" });
  const told = ["unsent?", "signed-out"];
  assert.deepEqual(found, { told, left: ["/account/sign-in/"], sent: SENT, formsSent: 0, kept: [] });
});
