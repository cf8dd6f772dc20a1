import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";

import { Hubbub } from "../../hubbub/static/hubbub/js/hub.js";
import { FakeSocket, settle } from "./browser.js";
import { changed, HubPage, noted } from "./hubs.js";
import { give } from "./served.js";

/** @param {HubPage} page */
const typesOf = (page) => page.sent.map(({ type }) => type);

test("a topic that is opened twice is joined once, and the second page gets the present state at once", async () => {
  const page = new HubPage();
  const first = page.open("poll/7");
  await page.greet();
  await page.join(3, "three", { present: { count: 1, users: [{ id: "1", name: "alice" }] } });
  await page.say(changed(4, "four"));
  first.taken();
  const second = page.open("poll/7");
  assert.deepEqual(second.calls, [], "not before the page has its topic");
  await settle();
  assert.deepEqual(second.taken(), [
    ["state", "four"],
    ["present", { count: 1, users: [{ id: "1", name: "alice" }] }],
    ["joined", 3],
  ]);
  assert.deepEqual(first.taken(), []);
  assert.deepEqual(typesOf(page), ["join"]);
  await page.say(changed(5, "five"));
  assert.deepEqual([first.taken(), second.taken()], [[["state", "five"]], [["state", "five"]]]);
});

test("the second page of a log gets the state and the events since", async () => {
  const page = new HubPage();
  page.open("board/a");
  await page.greet();
  await page.join(3, ["#3"]);
  await page.say(noted(4));
  const second = page.open("board/a");
  await page.say(noted(5));
  await settle();
  assert.deepEqual(second.taken(), [
    ["state", ["#3"]],
    ["event", noted(4)],
    ["event", noted(5)],
    ["joined", 3],
  ]);
});

test("after too many events to keep, a second page has the topic joined anew, and both get the state", async () => {
  const page = new HubPage();
  const first = page.open("board/a");
  await page.greet();
  await page.join(0, []);
  for (let position = 1; position <= 300; position++) page.browser.socket.says(noted(position));
  first.taken();
  const second = page.open("board/a");
  await settle();
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "board/a" });
  await page.say(noted(301));
  assert.deepEqual(second.taken(), []);
  await page.join(301, ["latest"]);
  assert.deepEqual(second.taken(), [
    ["state", ["latest"]],
    ["joined", 301],
  ]);
  assert.deepEqual(first.taken(), [
    ["event", noted(301)],
    ["state", ["latest"]],
    ["joined", 301],
  ]);
  await settle();
  assert.deepEqual(typesOf(page), ["join", "join"]);
});

test("a topic is left when the last page has closed it", async () => {
  const page = new HubPage();
  const pages = [page.open("poll/7"), page.open("poll/7")];
  await page.greet();
  await page.join(1, "one");
  for (const { taken } of pages) taken();
  pages[0].topic.close();
  pages[0].topic.close();
  assert.equal(pages[0].topic.isJoined, false);
  await page.say(changed(2, "two"));
  assert.deepEqual([pages[0].taken(), pages[1].taken()], [[], [["state", "two"]]]);
  assert.deepEqual(typesOf(page), ["join"]);
  pages[1].topic.close();
  assert.deepEqual(page.sent.at(-1), { type: "leave", topic: "poll/7" });
  await page.answer();
  await page.reconnect();
  assert.deepEqual(page.sent, []);
  page.open("poll/7");
  assert.deepEqual(page.sent, [{ type: "join", topic: "poll/7" }], "it was forgotten");
});

test("a topic that is opened while it is left is joined again after that, with all that has passed", async () => {
  const page = new HubPage();
  const first = page.open("board/a");
  await page.greet();
  await page.join(3, ["#3"]);
  first.topic.close();
  const second = page.open("board/a");
  assert.deepEqual(typesOf(page), ["join", "leave"]);
  await page.say(noted(4));
  await page.answer();
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "board/a", after: 4, epoch: "e1" });
  await page.resume(5, [noted(5)]);
  assert.deepEqual(
    second.calls.filter(([name]) => name !== "joined").map(([, value]) => value),
    [["#3"], noted(4), noted(5)],
  );
});

test("a topic that is closed during its join is left", async () => {
  const page = new HubPage();
  const { topic, calls } = page.open("poll/7");
  await page.greet();
  topic.close();
  await page.join(1, "one");
  assert.deepEqual(typesOf(page), ["join", "leave"]);
  assert.deepEqual(calls, []);
});

test("a refused leave is sent again", async () => {
  const page = new HubPage();
  const { topic } = page.open("poll/7");
  await page.greet();
  await page.join(1, "one");
  topic.close();
  await page.refuse("rate_limited", { retry_after_ms: 2000 });
  await page.browser.pass(2_500);
  assert.deepEqual(typesOf(page), ["join", "leave", "leave"]);
});

test("a page that opens a closed topic has it joined for all", async () => {
  const page = new HubPage();
  const first = page.open("poll/7");
  await page.greet();
  await page.join(1, "one");
  await page.say({ type: "closed", topic: "poll/7", code: "forbidden" });
  first.taken();
  const second = page.open("poll/7");
  await settle();
  assert.deepEqual(second.taken(), [], "what was shown before is not this user's to see any more");
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "poll/7" });
  await page.join(2, "two");
  for (const { taken } of [first, second]) {
    assert.deepEqual(taken(), [
      ["state", "two"],
      ["joined", 2],
    ]);
  }
});

test("a signal closes a topic, and is let go of when the topic is closed", async () => {
  const page = new HubPage();
  const controller = new AbortController();
  const poll = page.open("poll/7", {}, { signal: controller.signal });
  const aborted = page.open("poll/8", {}, { signal: AbortSignal.abort() });
  await page.greet();
  await page.join(1, "one");
  poll.taken();
  controller.abort();
  assert.deepEqual(typesOf(page), ["join", "leave"]);
  await page.say(changed(2, "two"));
  assert.deepEqual([poll.calls, aborted.calls], [[], []]);
});

test("a topic that is closed lets go of its signal, also when its hub is closed", () => {
  const page = new HubPage();
  const { signal } = new AbortController();
  const topics = [page.open("poll/7", {}, { signal }).topic, page.open("poll/8", {}, { signal }).topic];
  assert.equal(getEventListeners(signal, "abort").length, 2);
  topics[0].close();
  assert.equal(getEventListeners(signal, "abort").length, 1);
  page.hub.close();
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("a closed hub rejects what waits, calls no handler any more, and does not connect again", async () => {
  const page = new HubPage();
  const poll = page.open("poll/7");
  await page.greet();
  await page.join(1, "one");
  poll.taken();
  const results = [
    poll.topic.send("vote", { option: 1 }),
    poll.topic.send("note.add", { id: "a" }, { keep: true }),
    poll.topic.send("note.add", { id: "b" }, { keep: true }),
  ];
  page.hub.close();
  for (const result of results) await assert.rejects(result, { code: "disconnected" });
  assert.equal(page.browser.socket.closed, true);
  await page.say(changed(2, "two"));
  await page.browser.pass(600_000);
  page.browser.wake();
  assert.equal(page.browser.sockets.length, 1);
  assert.deepEqual(poll.calls, []);
  await assert.rejects(poll.topic.send("vote", {}, { keep: true }), { code: "disconnected" });
  assert.throws(() => page.hub.topic("poll/7"), /closed/);
  assert.throws(() => page.hub.open(), /closed/);
});

test("a hub in a browser touches nothing of the page, and lets go of all listeners when it is closed", async () => {
  const [window, document] = [
    new EventTarget(),
    Object.assign(new EventTarget(), { documentElement: { dataset: {} } }),
  ];
  let listeners = 0;
  for (const target of [window, document]) {
    const add = target.addEventListener.bind(target);
    target.addEventListener = (name, listener, options) => {
      listeners += 1;
      const { signal } = /** @type {AddEventListenerOptions} */ (options);
      signal?.addEventListener("abort", () => {
        listeners -= 1;
      });
      add(name, listener, options);
    };
  }
  /** @type {FakeSocket[]} */
  const sockets = [];
  give("addEventListener", window.addEventListener);
  give("document", document);
  give("location", new URL("https://example.org/page"));
  give("WebSocket", function open(/** @type {URL} */ url) {
    sockets.push(new FakeSocket(url.href));
    return sockets.at(-1);
  });
  const abort = new AbortController();
  const hub = new Hubbub({ signal: abort.signal });
  hub.topic("poll/7");
  sockets[0].greets();
  assert.equal(sockets[0].path, "wss://example.org/ws/");
  assert.equal(listeners, 4);
  window.dispatchEvent(new Event("offline"));
  window.dispatchEvent(new Event("online"));
  assert.equal(sockets.length, 2);
  assert.deepEqual(document.documentElement.dataset, {});
  abort.abort();
  assert.equal(listeners, 0);
  assert.equal(sockets[1].closed, true);
  window.dispatchEvent(new Event("online"));
  assert.equal(sockets.length, 2);
});
