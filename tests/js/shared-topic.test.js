import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import {
  answer,
  begin,
  browser,
  enter,
  event,
  joined,
  last,
  resumed,
  socket,
  state,
  stream,
  T,
} from "./shared-tabs.js";

beforeEach(() => begin());

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
