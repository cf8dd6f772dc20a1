import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { answer, begin, browser, ended, enter, FakeTab, joined, last, socket, stream, T } from "./shared-tabs.js";

beforeEach(() => begin());

test("refs of tabs do not collide, and each answer reaches its tab alone", () => {
  const [a, b] = [enter(), enter()];
  a.sends({ type: "vote", ref: 7, topic: "poll/1" });
  const ofA = socket.sent.at(-1).ref;
  b.sends({ type: "vote", ref: 7, topic: "poll/2" });
  answer({ result: "b" });
  socket.says({ type: "error", ref: ofA, code: "conflict", detail: "no" });
  assert.deepEqual(a.taken(), [{ type: "error", ref: 7, code: "conflict", detail: "no" }]);
  assert.deepEqual(b.taken(), [{ type: "ok", ref: 7, result: "b" }]);
});

test("a hello has neither the secret of the stream nor its token", () => {
  const a = new FakeTab();
  stream.enter(a);
  socket.greets({ stream: "secret", csrf: "token", connection: "web-1:7" });
  const [hello] = a.taken();
  assert.deepEqual([hello.stream, hello.csrf, hello.connection], [undefined, undefined, "web-1:7"]);
});

test("a tab that comes when another user has signed in ends the stream for all", () => {
  const a = enter();
  const b = new FakeTab();
  stream.enter(b);
  assert.deepEqual(last(), { type: "hello" });
  answer({ type: "hello", user: { id: "2", name: "bob" } });
  for (const tab of [a, b]) assert.deepEqual(tab.ends, [[1012, "Another user has signed in", false]]);
  assert.deepEqual([b.taken(), socket.closed, ended], [[], true, 1]);
});

test("tabs that come before the hello of the stream are checked too, together", () => {
  const tabs = [new FakeTab(), new FakeTab(), new FakeTab()];
  for (const tab of tabs) stream.enter(tab);
  socket.greets();
  assert.deepEqual(
    tabs.map(({ frames }) => frames.length),
    [1, 0, 0],
  );
  assert.equal(socket.sent.length, 1);
  answer({ type: "hello", user: { id: "1", name: "alice" } });
  assert.deepEqual(
    tabs.map(({ frames }) => frames.length),
    [1, 1, 1],
  );
});

test("a server that refuses the check refuses that tab alone", () => {
  const a = enter();
  const b = new FakeTab();
  stream.enter(b);
  const { ref } = socket.sent.at(-1);
  socket.says({ type: "error", ref, code: "rate_limited", detail: "too often", retry_after_ms: 5_000 });
  assert.deepEqual(b.taken(), [{ type: "error", code: "rate_limited", detail: "too often", retry_after_ms: 5_000 }]);
  assert.deepEqual([b.ends, a.ends], [[[4102, "too often", false]], []]);
});

test("the end of the stream reaches all tabs with its code", () => {
  const [a, b] = [joined(), enter()];
  socket.says({ type: "error", code: "unauthorized", detail: "the session has ended" });
  socket.ends(4003, "Session ended");
  for (const tab of [a, b]) {
    assert.equal(tab.taken().at(-1).code, "unauthorized");
    assert.deepEqual(tab.ends, [[4003, "Session ended", false]]);
  }
  assert.equal(ended, 1);
});

test("the stream ends with its last tab", () => {
  const [a, b] = [joined(), enter()];
  stream.leave(a);
  assert.equal(socket.closed, false);
  stream.leave(b);
  assert.deepEqual([socket.closed, ended], [true, 1]);
});

test("without a session the tabs are asked for a token, and a stream with one sends it", () => {
  const a = new FakeTab();
  stream.enter(a);
  socket.says({ type: "auth.required", within_ms: 1 });
  assert.deepEqual([a.taken(), ended], [[{ type: "auth.required", within_ms: 1 }], 1]);
  begin("hub_1_x");
  stream.enter(a);
  socket.says({ type: "auth.required", within_ms: 1 });
  assert.deepEqual([a.taken(), socket.sent], [[], [{ type: "auth", token: "hub_1_x" }]]);
});

test("a tab whose topics do not fit beside those of others gets a stream of its own", () => {
  const [a, b] = [joined(), enter()];
  b.sends({ type: "join", ref: 1, topic: "poll/1" });
  const { ref } = socket.sent.at(-1);
  socket.says({ type: "error", ref, code: "too_many", detail: "" });
  assert.deepEqual(b.ends, [[1012, "Too many topics for one stream", true]]);
  a.sends({ type: "join", ref: 1, topic: "poll/2" });
  socket.says({ type: "error", ref: socket.sent.at(-1).ref, code: "too_many", detail: "" });
  assert.deepEqual([a.ends, a.taken().at(-1).code], [[], "too_many"]);
});

/** The server answers all commands from here on. @param {number} from */
function answerAll(from) {
  for (let at = from; at < socket.sent.length; at++) {
    const { ref, type, topic } = socket.sent[at];
    const more = type === "leave" ? {} : { epoch: "e", position: 1, complete: false, state: 1 };
    if (type !== "hello") socket.says({ type: "ok", ref, topic, ...more });
  }
  return socket.sent.length;
}

test("a hundred tabs leave nothing", () => {
  const keeper = joined();
  let answered = socket.sent.length;
  for (let round = 0; round < 100; round++) {
    const tab = enter();
    tab.sends({ type: "join", ref: 1, topic: `poll/${round % 7}` });
    if (round % 2) answered = answerAll(answered);
    stream.leave(tab);
  }
  answerAll(answered);
  const of = (/** @type {string} */ type) =>
    socket.sent.filter((frame) => frame.type === type && frame.topic !== T).length;
  assert.ok(of("join") >= 7);
  assert.equal(of("join"), of("leave"));
  stream.leave(keeper);
  assert.deepEqual([socket.closed, browser.timers, ended], [true, 0, 1]);
});
