// The question before a page is left with text that is not sent.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { give } from "./served.js";
import { storage } from "./storage.js";
import { Family, SLUG, settle, USER } from "./tabs.js";

give("document", {});
const { askBeforeLeaving } = await import("../../chat/static/chat/js/outbox-page.js");
const { store } = await import("../../chat/static/chat/js/unsent-store.js");

/** @typedef {(event: object) => void} Listener */

/** @type {Map<string, Listener[]>} */
let listeners;
/** @type {{ onmessage: ((event: object) => void) | null }[]} */
let channels;
/** @type {(() => void)[]} */
let timers;

class Link {
  origin = "http://site.example";
  target = "";
  closest() {
    return this;
  }
}

beforeEach(() => {
  listeners = new Map();
  channels = [];
  timers = [];
  const addEventListener = (/** @type {string} */ name, /** @type {Listener} */ run) =>
    listeners.set(name, [...(listeners.get(name) ?? []), run]);
  give("addEventListener", addEventListener);
  give("document", { addEventListener, querySelector: () => ({}) });
  give("location", new URL("http://site.example/rooms/general/"));
  give("Element", Link);
  give("localStorage", storage());
  give("setTimeout", (/** @type {() => void} */ run) => timers.push(run));
  give(
    "BroadcastChannel",
    class {
      /** @type {((event: object) => void) | null} */
      onmessage = null;
      constructor() {
        channels.push(this);
      }
      /** @param {object} data */
      postMessage(data) {
        for (const other of channels) if (other !== this) other.onmessage?.({ data });
      }
    },
  );
});

/** @param {string} name */
function fire(name, event = {}) {
  for (const run of listeners.get(name) ?? []) run(event);
}

/** Whether the browser asks. */
function asks() {
  let isAsked = false;
  fire("beforeunload", {
    preventDefault() {
      isAsked = true;
    },
  });
  return isAsked;
}

/** A page of the user with a post that waits. */
async function waiting() {
  const { outbox } = new Family().open();
  const leaving = askBeforeLeaving(USER, outbox);
  assert.equal(asks(), false, "nothing waits");
  outbox.add(SLUG, "hi");
  await settle();
  return { outbox, leaving };
}

test("it comes while posts wait, and not for an answered or refused one", async () => {
  const { outbox } = await waiting();
  assert.equal(asks(), true);
  const [post] = outbox.posts(SLUG);
  outbox.discard(SLUG, post?.id ?? "");
  assert.equal(asks(), false);
});

test("it does not come where another tab of the user has a connection", async () => {
  const other = new Family().open().outbox;
  askBeforeLeaving(USER, other);
  await waiting();
  assert.equal(asks(), true, "it has none");
  other.open(USER);
  for (const run of timers.splice(0)) run();
  assert.equal(asks(), false);
});

test("a tab of another user counts for nothing", async () => {
  const { outbox } = new Family().open("2");
  askBeforeLeaving("2", outbox);
  outbox.open("2");
  await waiting();
  assert.equal(asks(), true);
});

test("it does not come for a link to another page of the site, which sends what waits", async () => {
  await waiting();
  const click = { target: new Link(), timeStamp: performance.now(), defaultPrevented: false };
  fire("click", click);
  assert.equal(asks(), false);
  fire("click", { ...click, defaultPrevented: true });
  assert.equal(asks(), true, "the page has stayed");
  fire("click", { ...click, timeStamp: performance.now() - 2_000 });
  assert.equal(asks(), true, "long ago");
  fire("click", { ...click, target: Object.assign(new Link(), { origin: "http://other.example" }) });
  assert.equal(asks(), true);
});

test("it does not come where the page itself leaves", () => {
  const { outbox } = new Family().open();
  const leaving = askBeforeLeaving(USER, outbox);
  outbox.add("general", "waits");
  assert.equal(asks(), true);
  leaving.allow();
  assert.equal(asks(), false);
});

test("it always comes for text that is in memory alone", () => {
  const leaving = askBeforeLeaving(USER, new Family().open().outbox);
  localStorage.setItem = () => {
    throw new Error("QuotaExceededError");
  };
  store.write("hubbub.draft/1/general/x", { text: "half a" });
  leaving.allow();
  assert.equal(asks(), true);
  store.write("hubbub.draft/1/general/x", null);
  assert.equal(asks(), false);
});
