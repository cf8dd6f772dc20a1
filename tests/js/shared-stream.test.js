import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { SharedStream } from "../../hubbub/static/hubbub/js/shared-stream.js";
import { FakeBrowser, FakeSocket } from "./browser.js";

/** @import { Tab } from "../../hubbub/static/hubbub/js/types.js" */

const T = "room/general";

/** @implements {Tab} */
class FakeTab {
  /** @type {any[]} */
  frames = [];
  /** @type {any[]} */
  ends = [];

  /** @param {string} text */
  deliver(text) {
    this.frames.push(JSON.parse(text));
  }

  /** @param {any[]} given */
  end(...given) {
    this.ends.push(given);
    stream.leave(this);
  }

  /** @param {object} command */
  sends(command) {
    stream.take(this, JSON.stringify(command));
  }

  /** What it was given since the last call. */
  taken() {
    return this.frames.splice(0);
  }
}

/** @type {FakeBrowser} */
let browser;
/** @type {FakeSocket} */
let socket;
/** @type {SharedStream} */
let stream;
let ended = 0;

beforeEach(() => begin());

function begin(token = "") {
  browser = new FakeBrowser();
  socket = new FakeSocket("/live/");
  ended = 0;
  stream = new SharedStream(socket, { timers: browser, token, ended: () => ended++ });
}

/** A tab that was admitted. */
function enter() {
  const tab = new FakeTab();
  stream.enter(tab);
  if (socket.sent.at(-1)?.type === "hello") answer({ type: "hello", user: { id: "1", name: "alice" } });
  else socket.greets();
  assert.equal(tab.taken().at(-1).type, "hello");
  return tab;
}

/** The server answers the last command. @param {object} fields */
function answer(fields) {
  socket.says({ type: "ok", ref: socket.sent.at(-1).ref, ...fields });
}

/** The command that the server was sent last, without its ref. */
function last() {
  const { ref, ...command } = socket.sent.at(-1);
  return command;
}

const state = (/** @type {number} */ position, more = {}) => ({
  topic: T,
  epoch: "e",
  position,
  complete: false,
  state: `state ${position}`,
  ...more,
});
const resumed = (/** @type {number} */ position, more = {}) => ({
  topic: T,
  epoch: "e",
  position,
  complete: true,
  events: [],
  ...more,
});
const event = (/** @type {number} */ position) => ({ type: "posted", topic: T, position });

/** A tab that joined first. */
function joined() {
  const tab = enter();
  tab.sends({ type: "join", ref: 1, topic: T });
  answer(state(5, { present: { count: 1, users: [{ id: "1", name: "alice" }] } }));
  tab.taken();
  return tab;
}

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

test("a topic is joined once, and a later tab gets its state, what came meanwhile, and all that follows", () => {
  const a = joined();
  const b = enter();
  b.sends({ type: "join", ref: 3, topic: T });
  assert.deepEqual(last(), { type: "state", topic: T });
  socket.says(event(6));
  socket.says({ type: "person.changed", user: { id: "1", name: "ada" } });
  assert.deepEqual(b.taken(), [{ type: "person.changed", user: { id: "1", name: "ada" } }]);
  answer(state(6));
  socket.says(event(7));
  const [ok, ...rest] = b.taken();
  assert.deepEqual(ok, { type: "ok", ref: 3, ...state(6), present: { count: 1, users: [{ id: "1", name: "ada" }] } });
  // The tab drops by position what it gets twice.
  assert.deepEqual(rest, [event(6), { type: "person.changed", user: { id: "1", name: "ada" } }, event(7)]);
  assert.deepEqual(
    a.taken().filter(({ type }) => type === "posted"),
    [event(6), event(7)],
  );
});

test("a later tab knows who came after the join", () => {
  joined();
  socket.says({ type: "presence.changed", topic: T, count: 2, joined: [{ id: "2", name: "bob" }], left: [] });
  const b = enter();
  b.sends({ type: "join", ref: 3, topic: T });
  answer(state(5));
  assert.deepEqual(b.taken()[0].present, {
    count: 2,
    users: [
      { id: "1", name: "alice" },
      { id: "2", name: "bob" },
    ],
  });
});

test("tabs that resume are answered by one join, and one that knows less reads the state", () => {
  const [a, b, c] = [enter(), enter(), enter()];
  a.sends({ type: "join", ref: 2, topic: T, after: 5, epoch: "e" });
  const { ref } = socket.sent.at(-1);
  b.sends({ type: "join", ref: 2, topic: T, after: 4, epoch: "e" });
  c.sends({ type: "join", ref: 2, topic: T, after: 5, epoch: "e" });
  const found = resumed(6, { events: [event(6)], present: { count: 0, users: [] } });
  socket.says({ type: "ok", ref, ...found });
  for (const tab of [a, c]) assert.deepEqual(tab.taken(), [{ type: "ok", ref: 2, ...found }]);
  assert.deepEqual([b.taken(), last()], [[], { type: "state", topic: T }]);
  answer(state(6));
  assert.equal(b.taken()[0].state, "state 6");
  // Later, from what the stream has brought since.
  const commands = socket.sent.length;
  socket.says(event(7));
  const d = enter();
  d.sends({ type: "join", ref: 9, topic: T, after: 6, epoch: "e" });
  assert.deepEqual(d.taken(), [{ type: "ok", ref: 9, ...found, position: 7, events: [event(7)] }]);
  assert.equal(socket.sent.length, commands + 1); // The check of the tab.
  for (const known of [
    { after: 6, epoch: "of before" },
    { after: 8, epoch: "e" },
  ]) {
    const tab = enter();
    tab.sends({ type: "join", ref: 9, topic: T, ...known });
    assert.equal(last().type, "state");
    answer(state(7));
  }
});

test("a state that changed is resumed at its newest position only", () => {
  const a = enter();
  a.sends({ type: "join", ref: 1, topic: T, after: 5, epoch: "e" });
  answer(resumed(5));
  socket.says({ type: "changed", topic: T, epoch: "e", position: 6, state: "new" });
  const b = enter();
  b.sends({ type: "join", ref: 1, topic: T, after: 6, epoch: "e" });
  assert.deepEqual(b.taken(), [{ type: "ok", ref: 1, ...resumed(6) }]);
  b.sends({ type: "join", ref: 2, topic: T, after: 5, epoch: "e" });
  assert.equal(last().type, "state");
});

test("tabs that wait for a leave are answered by one join, each as far as it is level", () => {
  const [a, b, c] = [joined(), enter(), enter()];
  a.sends({ type: "leave", ref: 2, topic: T });
  assert.deepEqual(a.taken(), [{ type: "ok", ref: 2, topic: T }]);
  assert.deepEqual(last(), { type: "leave", topic: T });
  b.sends({ type: "join", ref: 1, topic: T, after: 5, epoch: "e" });
  c.sends({ type: "join", ref: 1, topic: T, after: 4, epoch: "e" });
  assert.equal(last().type, "leave");
  answer({ topic: T });
  assert.deepEqual(last(), { type: "join", topic: T, after: 5, epoch: "e" });
  answer(resumed(5));
  assert.deepEqual(b.taken(), [{ type: "ok", ref: 1, ...resumed(5) }]);
  assert.deepEqual(c.taken(), []);
  assert.equal(last().type, "state");
});

test("an answer in part goes on, and its tab gets no event before the end", () => {
  const a = enter();
  a.sends({ type: "join", ref: 1, topic: T, after: 1, epoch: "e" });
  answer(resumed(3, { partial: true, events: [event(2), event(3)] }));
  assert.equal(a.taken()[0].partial, true);
  a.sends({ type: "join", ref: 2, topic: T, after: 3, epoch: "e" });
  assert.deepEqual(last(), { type: "join", topic: T, after: 3, epoch: "e" });
  answer(resumed(4, { events: [event(4)] }));
  socket.says(event(5));
  assert.deepEqual(a.taken().at(-1), event(5));
});

test("the topic is left with its last tab, and a refused leave is tried again", async () => {
  const [a, b] = [joined(), enter()];
  b.sends({ type: "join", ref: 1, topic: T });
  answer(state(5));
  stream.leave(a);
  assert.equal(last().type, "state");
  b.sends({ type: "leave", ref: 2, topic: T });
  assert.deepEqual(last(), { type: "leave", topic: T });
  const { ref } = socket.sent.at(-1);
  socket.says({ type: "error", ref, code: "rate_limited", detail: "", retry_after_ms: 500 });
  await browser.pass(2_000);
  assert.equal(last().type, "leave");
  assert.notEqual(socket.sent.at(-1).ref, ref);
  answer({ topic: T });
  b.sends({ type: "join", ref: 3, topic: T });
  assert.equal(last().type, "join");
});

test("a topic that the server closes is closed for all its tabs, and joined anew", () => {
  const [a, b] = [joined(), enter()];
  b.sends({ type: "join", ref: 1, topic: T });
  socket.says({ type: "closed", topic: T, code: "not_found" });
  assert.deepEqual(a.taken(), [{ type: "closed", topic: T, code: "not_found" }]);
  answer(state(5)); // Read before the end.
  assert.deepEqual([last(), b.taken()], [{ type: "join", topic: T }, []]);
  const { ref } = socket.sent.at(-1);
  socket.says({ type: "error", ref, code: "not_found", detail: "gone" });
  assert.deepEqual(b.taken(), [{ type: "error", ref: 1, code: "not_found", detail: "gone" }]);
});

test("after an outage of Redis the next join is one at the server", () => {
  const [a, b] = [joined(), enter()];
  b.sends({ type: "join", ref: 1, topic: T });
  answer(state(5));
  socket.says({ type: "service.changed", state: "ok" });
  a.sends({ type: "join", ref: 8, topic: T, after: 5, epoch: "e" });
  assert.deepEqual(last(), { type: "join", topic: T, after: 5, epoch: "e" });
  b.taken();
  const { ref } = socket.sent.at(-1);
  b.sends({ type: "join", ref: 9, topic: T, after: 5, epoch: "e" });
  socket.says({ type: "error", ref, code: "not_found", detail: "gone" });
  assert.equal(a.taken().at(-1).code, "not_found");
  // The membership of all has ended: the other tab comes back and learns it.
  assert.deepEqual(b.ends, [[1012, "Topic refused", false]]);
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
