import assert from "node:assert/strict";
import { test } from "node:test";

import { HubPage, noted } from "./hubs.js";
import { give } from "./served.js";

// Joining

test("a topic is joined once the socket is admitted, and its handlers get the state", async () => {
  const page = new HubPage();
  const poll = page.open("poll/7");
  assert.equal(page.browser.socket.path, "/ws/");
  assert.deepEqual(page.sent, []);
  await page.greet();
  assert.deepEqual(page.sent, [{ type: "join", topic: "poll/7" }]);
  assert.equal(poll.topic.isJoined, false);
  await page.join(3, { bars: [1] }, { viewer: { role: "voter" } });
  assert.equal(poll.topic.isJoined, true);
  const [[, , answer]] = poll.calls;
  assert.deepEqual(answer.viewer, { role: "voter" });
  assert.deepEqual(poll.taken(), [
    ["state", { bars: [1] }],
    ["joined", 3],
  ]);
});

test("a topic that is opened later is joined at once, and one socket has them all", async () => {
  const page = new HubPage();
  page.open("poll/7");
  await page.greet();
  await page.join(1, "seven");
  const board = page.open("board/a");
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "board/a" });
  await page.join(0, []);
  await page.say(noted(1));
  assert.deepEqual(board.taken(), [
    ["state", []],
    ["joined", 0],
    ["event", noted(1)],
  ]);
  assert.equal(page.browser.sockets.length, 1);
});

test("two hubs on a page have sockets of their own", async () => {
  const pages = [new HubPage({ path: "/ws/a/" }), new HubPage({ path: "/ws/b/" })];
  const [first, second] = pages.map((page) => page.open("poll/7"));
  for (const page of pages) await page.greet();
  await pages[0].join(1, "a");
  assert.deepEqual(first.taken(), [
    ["state", "a"],
    ["joined", 1],
  ]);
  assert.deepEqual(second.taken(), []);
  pages[0].hub.close();
  await pages[1].join(1, "b");
  assert.equal(second.topic.isJoined, true);
});

test("a token answers auth.required; it is never in the address", async () => {
  const page = new HubPage({ token: "hub_1_x" });
  page.open("poll/7");
  await page.say({ type: "auth.required", within_ms: 5000 });
  assert.deepEqual(page.browser.socket.sent, [{ type: "auth", token: "hub_1_x" }]);
  assert.equal(page.browser.socket.path, "/ws/");
  await page.greet();
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "poll/7" });
});

test("without a session and a token the page is asked to sign in, and the hub is offline", async () => {
  const page = new HubPage();
  await page.say({ type: "auth.required", within_ms: 5000 });
  assert.equal(page.browser.signIns, 1);
  assert.equal(page.hub.connection, "offline");
});

test("topics of a page are joined eight at a time", async () => {
  const page = new HubPage();
  for (let key = 0; key < 20; key++) page.open(`poll/${key}`);
  await page.greet();
  assert.equal(page.sent.length, 8);
  await page.join(1, "first", { frame: page.browser.socket.sent[0] });
  assert.equal(page.sent.length, 9);
  assert.equal(page.sent.at(-1).topic, "poll/8");
});

// Failures of a join

test("a refused join is tried again after the time that the server names, with back-off, and alone", async () => {
  const page = new HubPage();
  page.browser.random = () => 0;
  page.open("poll/7");
  const other = page.open("board/a");
  await page.greet();
  const [poll, board] = page.browser.socket.sent;
  await page.refuse("unavailable", { retry_after_ms: 3000 }, poll);
  await page.join(0, [], { frame: board });
  await page.browser.pass(2_999);
  assert.equal(page.sent.length, 2);
  await page.browser.pass(1);
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "poll/7" });
  assert.equal(other.topic.isJoined, true);
  page.browser.random = () => 1;
  await page.refuse("rate_limited");
  await page.browser.pass(500 + 1_000 - 1);
  assert.equal(page.sent.length, 3);
  await page.browser.pass(1);
  assert.equal(page.sent.length, 4);
});

test("rate_limited holds back the joins of all topics, so that the user's limit is not met again", async () => {
  const page = new HubPage();
  for (let key = 0; key < 12; key++) page.open(`poll/${key}`);
  await page.greet();
  for (const frame of page.browser.socket.sent.slice())
    await page.refuse("rate_limited", { retry_after_ms: 2000 }, frame);
  assert.equal(page.sent.length, 8);
  await page.browser.pass(1_999);
  assert.equal(page.sent.length, 8);
  await page.browser.pass(1);
  assert.equal(page.sent.length, 12);
});

test("rate_limited without a time to wait holds back the joins for a second", async () => {
  const page = new HubPage();
  page.browser.random = () => 0;
  for (let key = 0; key < 9; key++) page.open(`poll/${key}`);
  await page.greet();
  await page.refuse("rate_limited");
  await page.browser.pass(999);
  assert.equal(page.sent.length, 8);
  await page.browser.pass(1);
  assert.equal(page.sent.length, 9);
});

test("a lost connection ends the wait for the next try, and the back-off", async () => {
  const page = new HubPage();
  page.open("poll/7");
  await page.greet();
  await page.refuse("rate_limited", { retry_after_ms: 10_000 });
  await page.reconnect();
  assert.deepEqual(page.sent, [{ type: "join", topic: "poll/7" }]);
  await page.refuse("unavailable");
  await page.browser.pass(1_000);
  assert.equal(page.sent.length, 2);
  await page.join(1, "one");
  await page.browser.pass(15_000);
  assert.equal(page.sent.filter(({ type }) => type === "join").length, 2);
});

for (const code of ["not_found", "forbidden", "too_long"]) {
  test(`a join that is refused as ${code} closes the topic, and it is joined again only when told`, async () => {
    const page = new HubPage();
    const poll = page.open("poll/7");
    await page.greet();
    await page.refuse(code);
    assert.deepEqual(poll.calls, [["closed", code, code]]);
    await page.reconnect();
    await page.browser.pass(15_000);
    assert.equal(page.sent.filter(({ type }) => type === "join").length, 0);
    poll.topic.join();
    assert.deepEqual(page.last.type, "join");
    await page.join(1, "one");
    assert.equal(poll.topic.isJoined, true);
  });
}

test("a topic that closes gets no more events, and is joined again only when told, from its position", async () => {
  const page = new HubPage();
  const board = page.open("board/a");
  await page.greet();
  await page.join(3, []);
  board.taken();
  await page.say({ type: "closed", topic: "board/a", code: "unavailable" });
  await page.say(noted(4));
  assert.deepEqual(board.calls, [["closed", "unavailable", ""]]);
  await page.browser.pass(15_000);
  assert.equal(page.sent.filter(({ type }) => type === "join").length, 1);
  board.topic.join();
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "board/a", after: 3, epoch: "e1" });
});

test("a topic that closes while it is joined again is closed once", async () => {
  const page = new HubPage();
  const board = page.open("board/a");
  await page.greet();
  await page.join(3, []);
  board.taken();
  board.topic.join();
  await page.say({ type: "closed", topic: "board/a", code: "forbidden" });
  await page.refuse("not_found");
  assert.deepEqual(board.calls, [["closed", "forbidden", ""]]);
});

test("a topic that closes and opens while it is joined again is joined", async () => {
  const page = new HubPage();
  const board = page.open("board/a");
  await page.greet();
  await page.join(3, []);
  board.topic.join();
  await page.say({ type: "closed", topic: "board/a", code: "forbidden" });
  await page.resume(4, [noted(4)]);
  assert.deepEqual(board.taken().slice(2), [
    ["closed", "forbidden"],
    ["event", noted(4)],
    ["joined", 4],
  ]);
  assert.equal(board.topic.isJoined, true);
  assert.equal(page.last.type, "join");
  board.topic.close();
  assert.equal(page.last.type, "leave");
});

test("a joined topic whose further join is refused stays joined, and that join is tried again", async () => {
  const page = new HubPage();
  const board = page.open("board/a");
  await page.greet();
  await page.join(3, []);
  await page.say({ type: "service.changed", state: "ok" });
  await page.refuse("unavailable");
  assert.equal(board.topic.isJoined, true);
  await page.browser.pass(1_000);
  assert.deepEqual(
    page.sent.map(({ type }) => type),
    ["join", "join", "join"],
  );
});

test("joins that wait when the connection is lost are sent once on the next", async () => {
  const page = new HubPage();
  for (let key = 0; key < 12; key++) page.open(`poll/${key}`);
  await page.greet();
  await page.reconnect();
  for (let answered = 0; answered < page.sent.length; answered++) {
    await page.join(1, "one", { frame: page.browser.socket.sent[answered] });
  }
  assert.deepEqual(
    page.sent.map(({ topic }) => topic).sort(),
    [...Array(12).keys()].map((key) => `poll/${key}`).sort(),
  );
});

// Handlers

test("an error in a handler is reported, and stops neither other handlers nor the position", async () => {
  /** @type {unknown[]} */
  const reported = [];
  give("reportError", (/** @type {unknown} */ error) => reported.push(error));
  const page = new HubPage();
  const fault = new Error("a bug of the page");
  const bad = page.open("board/a", {
    event() {
      throw fault;
    },
  });
  const good = page.open("board/a");
  await page.greet();
  await page.join(3, []);
  await page.say(noted(4));
  await page.say(noted(4));
  assert.deepEqual(reported, [fault]);
  assert.deepEqual([bad.calls.length, good.calls.length], [3, 3]);
});

test("the page may close the hub when it is admitted, and an error in its handlers is reported", async () => {
  /** @type {unknown[]} */
  const reported = [];
  give("reportError", (/** @type {unknown} */ error) => reported.push(error));
  const fault = new Error("a bug of the page");
  const throwing = () => {
    throw fault;
  };
  const broken = new HubPage({ hello: throwing, state: throwing, event: throwing });
  broken.open("poll/7");
  await broken.greet();
  await broken.say({ type: "service.changed", state: "degraded" });
  assert.equal(broken.sent.length, 1);
  assert.equal(reported.length, 4);
  const closing = new HubPage({ hello: () => closing.hub.close() });
  closing.open("poll/7");
  await closing.greet();
  assert.deepEqual(closing.sent, []);
});

test("a page of another user closes the hub and joins nothing", async () => {
  const page = new HubPage();
  page.open("poll/7");
  await page.greet();
  page.browser.socket.ends(1006);
  await page.browser.pass(1_000);
  await page.greet({ user: { id: "2", name: "bob" } });
  assert.deepEqual(page.sent, []);
  assert.equal(page.browser.socket.closed, true);
  assert.equal(page.hub.connection, "offline");
  assert.equal(page.hub.user?.name, "alice");
});
