// A page without a room: it sends the posts that wait, and joins nothing.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { FakeSocket, settle } from "./browser.js";
import { give, load } from "./served.js";
import { storage } from "./storage.js";

/** A page loads the connection on demand: later loads wait for earlier ones. */
const loaded = () => import("../../chat/static/chat/js/outbox-connection.js");
await loaded();

give(
  "BroadcastChannel",
  class {
    postMessage() {} // There is no other tab.
  },
);
// Nothing waits any more: the pages stop asking.
after(() => give("localStorage", storage()));

const HI = { body: "hi", at: "2026-01-01T12:00:00Z", order: 1, tab: "closed" };

/**
 * Opens an account page of user 1.
 *
 * @param {Record<string, object>} posts  in the storage, by key
 * @param {object} [dataset]  of the page
 */
async function open(posts, dataset = {}) {
  /** @type {Map<string, ((event: object) => void)[]>} */
  const listeners = new Map();
  /** @type {FakeSocket[]} */
  const sockets = [];
  const listen = (/** @type {string} */ name, /** @type {(event: object) => void} */ run) =>
    listeners.set(name, [...(listeners.get(name) ?? []), run]);
  give("localStorage", storage());
  give("sessionStorage", storage());
  for (const [key, post] of Object.entries(posts)) localStorage.setItem(key, JSON.stringify(post));
  give("document", {
    readyState: "loading",
    documentElement: { dataset },
    getElementById: () => ({ dataset: { user: "1", socketPath: "/ws/chat/", livePath: "" } }),
    querySelector: () => ({}),
    addEventListener: listen,
  });
  give("addEventListener", listen);
  give("location", new URL("http://site.example/account/"));
  give("navigator", { locks: { request: async (/** @type {string} */ _, /** @type {() => unknown} */ run) => run() } });
  give(
    "WebSocket",
    class extends FakeSocket {
      /** @param {URL} url */
      constructor(url) {
        super(url.pathname);
        sockets.push(this);
      }
    },
  );
  await load("chat/static/chat/js/outbox-elsewhere.js");
  const fire = async (/** @type {string} */ name, event = {}) => {
    for (const run of listeners.get(name) ?? []) run(event);
    await loaded();
    for (let turn = 0; turn < 5; turn += 1) await settle();
  };
  await fire("load");
  return { sockets, fire };
}

const waiting = () => Object.keys(localStorage).filter((key) => key.startsWith("hubbub.post/"));

test("posts that wait are sent in order without a join, and then the connection ends", async () => {
  const { sockets, fire } = await open({
    "hubbub.post/1/hall/b": { ...HI, body: "second", order: 2 },
    "hubbub.post/1/hall/a": HI,
    "hubbub.post/1/hall/c": { ...HI, body: "refused", order: 0, error: { code: "forbidden", text: "No." } },
    "hubbub.post/2/hall/d": { ...HI, body: "of another user" },
  });
  const [socket] = sockets;
  assert.ok(socket);
  assert.equal(socket.path, "/ws/chat/");
  let isAsked = false;
  const leave = () =>
    fire("beforeunload", {
      preventDefault() {
        isAsked = true;
      },
    });
  await leave();
  assert.equal(isAsked, true, "the browser asks while posts wait");
  socket.greets();
  await settle();
  for (const seq of [1, 2]) {
    socket.answers(socket.sent.at(-1), { result: { seq, position: seq, at: HI.at } });
    await settle();
  }
  assert.deepEqual(
    socket.sent.map(({ type, topic, body }) => [type, topic, body]),
    [
      ["message.post", "room/hall", "hi"],
      ["message.post", "room/hall", "second"],
    ],
  );
  assert.equal(socket.closed, true);
  assert.deepEqual(waiting().sort(), ["hubbub.post/1/hall/c", "hubbub.post/2/hall/d"]);
  isAsked = false;
  await leave();
  assert.equal(isAsked, false);
});

test("where nothing waits there is no connection, and none on a page that has its own", async () => {
  const refused = { ...HI, error: { code: "forbidden", text: "No." } };
  assert.equal((await open({ "hubbub.post/1/hall/c": refused })).sockets.length, 0);
  assert.equal((await open({ "hubbub.post/2/hall/a": HI })).sockets.length, 0);
  assert.equal((await open({ "hubbub.post/1/hall/a": HI }, { sendsPosts: "" })).sockets.length, 0);
});

test("posts are not sent by the session of another user", async () => {
  const { sockets } = await open({ "hubbub.post/1/hall/a": HI });
  sockets[0]?.greets({ user: { id: "2", name: "bob" } });
  await settle();
  assert.deepEqual(sockets[0]?.sent, []);
  assert.equal(waiting().length, 1);
});
