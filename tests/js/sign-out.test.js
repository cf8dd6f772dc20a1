import assert from "node:assert/strict";
import { test } from "node:test";

import { give, load } from "./served.js";
import { storage } from "./storage.js";

const DRAFT = "hubbub.draft/1/general/x";

/** The dialog, in which Alice discards her text. */
class Dialog {
  dataset = { user: "1", signIn: "/account/sign-in/" };
  returnValue = "";
  onclose = () => {};

  querySelector() {
    return { replaceChildren() {} };
  }

  showModal() {
    this.returnValue = "discard";
    queueMicrotask(() => this.onclose());
  }
}

/** What happened: types of messages to tabs, addresses that the page left for, requests, forms sent by the browser. */
class Seen {
  /** @type {string[]} */
  told = [];
  /** @type {string[]} */
  left = [];
  /** @type {[address: string, headers: object][]} */
  sent = [];
  formsSent = 0;
}

/**
 * Alice signs out with a draft.
 *
 * @param {object} answer  of the server
 */
async function signOut(answer) {
  /** @type {Map<string, (event: object) => void>} */
  const listeners = new Map();
  const seen = new Seen();
  const dialog = new Dialog();
  const element = () => ({ append() {} });
  give("document", {
    getElementById: () => dialog,
    createElement: element,
    /**
     * @param {string} name
     * @param {(event: object) => void} run
     */
    addEventListener: (name, run) => listeners.set(name, run),
    dispatchEvent() {},
  });
  give("addEventListener", () => {});
  give(
    "BroadcastChannel",
    class {
      /** @param {{ type: string }} message */
      postMessage = ({ type }) => seen.told.push(type);
    },
  );
  give(
    "FormData",
    class {
      *[Symbol.iterator]() {}
    },
  );
  give("localStorage", storage());
  give("sessionStorage", storage());
  give("fetch", async (/** @type {string} */ address, /** @type {{ headers: object }} */ { headers }) => {
    seen.sent.push([address, headers]);
    return answer;
  });
  localStorage[DRAFT] = JSON.stringify({ text: "half a", changes: { x: 1 }, at: 1 });
  const done = new Promise((resolve) => {
    give("location", { replace: (/** @type {string} */ address) => resolve(seen.left.push(address)) });
    const submit = () => {
      seen.formsSent += 1;
      resolve(null);
    };
    const form = { action: "/account/sign-out-everywhere/", matches: () => true, submit };
    load("project/static/project/js/sign-out.js").then(() => {
      listeners.get("submit")?.({ target: form, submitter: null, preventDefault() {} });
    });
  });
  await done;
  return { ...seen, kept: Object.keys(localStorage) };
}

const SENT = [["/account/sign-out-everywhere/", { "X-Signs-Out": "1" }]];

test("a refused form deletes no text and notifies no tab; the browser sends it and shows the reason", async () => {
  const found = await signOut({ ok: false, type: "basic", status: 403 });
  assert.deepEqual(found, { told: ["unsent?"], left: [], sent: SENT, formsSent: 1, kept: [DRAFT] });
});

test("a form that ends the session deletes the text, in every tab", async () => {
  const found = await signOut({ ok: false, type: "opaqueredirect" });
  const told = ["unsent?", "signed-out"];
  assert.deepEqual(found, { told, left: ["/account/sign-in/"], sent: SENT, formsSent: 0, kept: [] });
});
