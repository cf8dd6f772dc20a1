import assert from "node:assert/strict";
import { test } from "node:test";

import { oncePerTurn } from "../../hubbub/static/hubbub/js/once-per-turn.js";
import { settle } from "./browser.js";
import { changed, HubPage, noted } from "./hubs.js";

test("a state that is not newer is dropped, and one of another epoch is taken", async () => {
  const page = new HubPage();
  const poll = page.open("poll/7");
  await page.greet();
  await page.join(3, "three");
  poll.taken();
  for (const frame of [changed(3, "again"), changed(2, "old"), changed(5, "five"), changed(5, "five")]) {
    await page.say(frame);
  }
  await page.say(changed(1, "restored", { epoch: "e2" }));
  await page.say(changed(1, "restored", { epoch: "e2" }));
  assert.deepEqual(poll.taken(), [
    ["state", "five"],
    ["state", "restored"],
  ]);
});

test("an event of a log comes once, in order; one without a position always", async () => {
  const page = new HubPage();
  const board = page.open("board/a");
  await page.greet();
  await page.join(3, []);
  board.taken();
  const typing = { type: "typing", topic: "board/a" };
  for (const frame of [noted(3), noted(4), noted(4), typing, noted(6), noted(5), typing]) await page.say(frame);
  assert.deepEqual(board.taken(), [
    ["event", noted(4)],
    ["event", typing],
    ["event", noted(6)],
    ["event", typing],
  ]);
});

test("events before the answer to the first join, and of a topic that is not open, are dropped", async () => {
  const page = new HubPage();
  const board = page.open("board/a");
  await page.greet();
  await page.say(noted(4));
  await page.say({ ...noted(1), topic: "board/b" });
  assert.deepEqual(board.taken(), []);
  await page.join(3, []);
  await page.say(noted(4));
  assert.deepEqual(board.taken().at(-1), ["event", noted(4)]);
});

test("after a reconnect a topic is resumed from its position", async () => {
  const page = new HubPage();
  const board = page.open("board/a");
  await page.greet();
  await page.join(3, []);
  await page.say(noted(4));
  board.taken();
  await page.reconnect();
  assert.equal(board.topic.isJoined, false);
  assert.deepEqual(page.sent, [{ type: "join", topic: "board/a", after: 4, epoch: "e1" }]);
  await page.resume(6, [noted(4), noted(5), noted(6)]);
  assert.deepEqual(board.taken(), [
    ["event", noted(5)],
    ["event", noted(6)],
    ["joined", 6],
  ]);
});

test("a resume without events moves the position as well", async () => {
  const page = new HubPage();
  page.open("board/a");
  await page.greet();
  await page.join(3, []);
  await page.reconnect();
  await page.resume(9, []);
  await page.reconnect();
  assert.equal(page.last.after, 9);
});

test("partial answers are joined again from their position until one is complete", async () => {
  const page = new HubPage();
  const board = page.open("board/a");
  await page.greet();
  await page.join(3, [], { present: { count: 1, users: [{ id: "1", name: "alice" }] } });
  board.taken();
  await page.reconnect();
  await page.resume(4, [noted(4)], { partial: true });
  assert.equal(board.topic.isJoined, false);
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "board/a", after: 4, epoch: "e1" });
  await page.resume(5, [noted(5)], { present: { count: 1, users: [{ id: "1", name: "alice" }] } });
  assert.deepEqual(board.taken(), [
    ["event", noted(4)],
    ["event", noted(5)],
    ["present", { count: 1, users: [{ id: "1", name: "alice" }] }],
    ["joined", 5],
  ]);
  assert.equal(page.sent.length, 2);
});

test("a state instead of events replaces what was known, and events go on from there", async () => {
  const page = new HubPage();
  const board = page.open("board/a");
  await page.greet();
  await page.join(900, ["old"]);
  board.taken();
  await page.reconnect();
  await page.join(2, ["new"], { epoch: "e2" });
  await page.say(noted(3));
  assert.deepEqual(board.taken(), [
    ["state", ["new"]],
    ["joined", 2],
    ["event", noted(3)],
  ]);
  await page.reconnect();
  assert.deepEqual(page.sent, [{ type: "join", topic: "board/a", after: 3, epoch: "e2" }]);
});

test("an answer to a join of a lost connection changes nothing", async () => {
  const page = new HubPage();
  const poll = page.open("poll/7");
  await page.greet();
  page.browser.socket.answers(page.last, { topic: "poll/7", epoch: "e1", position: 1, complete: false, state: "old" });
  page.browser.socket.ends(1006);
  await settle();
  assert.equal(poll.topic.isJoined, false);
  await page.browser.pass(1_000);
  await page.greet();
  await page.join(2, "new");
  assert.deepEqual(poll.taken(), [
    ["state", "new"],
    ["joined", 2],
  ]);
});

test("when the service is back, topics are joined again: events without a position may be missing", async () => {
  /** @type {string[]} */
  const states = [];
  const page = new HubPage({ event: (event) => event.type === "service.changed" && states.push(event.state) });
  const board = page.open("board/a");
  await page.greet();
  await page.join(3, []);
  await page.say({ type: "service.changed", state: "degraded" });
  assert.equal(page.sent.length, 1);
  await page.say({ type: "service.changed", state: "ok" });
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "board/a", after: 3, epoch: "e1" });
  await page.say(noted(4)); // The socket is a member all the time.
  await page.resume(5, [noted(4), noted(5)]);
  assert.deepEqual(
    board.calls.filter(([name]) => name === "event").map(([, event]) => event.position),
    [4, 5],
  );
  assert.deepEqual(states, ["degraded", "ok"]);
});

test("events of one answer come together to a page that takes them so, and one by one to another", async () => {
  const page = new HubPage();
  const together = page.open("board/a", { events() {} });
  const singly = page.open("board/a");
  await page.greet();
  await page.join(3, []);
  await page.say(noted(4));
  await page.reconnect();
  await page.resume(7, [noted(4), noted(5), noted(6), noted(7)]);
  assert.deepEqual(
    together.calls.filter(([name]) => name.startsWith("event")),
    [
      ["events", [noted(4)]],
      ["events", [noted(5), noted(6), noted(7)]],
    ],
  );
  assert.deepEqual(
    singly.calls.filter(([name]) => name.startsWith("event")),
    [4, 5, 6, 7].map((position) => ["event", noted(position)]),
  );
});

test("a page that closes the topic at an event gets no other of the same answer", async () => {
  const page = new HubPage();
  const board = page.open("board/a", { event: () => board.topic.close() });
  await page.greet();
  await page.join(3, []);
  await page.reconnect();
  await page.resume(5, [noted(4), noted(5)]);
  assert.deepEqual(board.taken().at(-1), ["event", noted(4)]);
});

test("a resume of 600 events is one turn: what is asked for once per turn runs once", async () => {
  const page = new HubPage();
  let renders = 0;
  const render = oncePerTurn(() => {
    renders += 1;
  });
  /** @type {any[]} */
  const got = [];
  page.open("board/a", {
    event(event) {
      got.push(event);
      render();
    },
    joined: render,
  });
  await page.greet();
  await page.join(0, []);
  assert.equal(renders, 1);
  await page.reconnect();
  await page.resume(
    600,
    Array.from({ length: 600 }, (_, index) => noted(index + 1)),
  );
  assert.deepEqual([got.length, renders], [600, 2]);
  await page.say(noted(601));
  assert.equal(renders, 3);
});

test("a topic has the position that its handlers have reached, which a result is compared with", async () => {
  const page = new HubPage();
  /** @type {(number | null)[]} */
  const seen = [];
  const see = () => seen.push(board.topic.position);
  const board = page.open("board/a", { state: see, event: see, joined: see });
  assert.equal(board.topic.position, null);
  await page.greet();
  assert.equal(board.topic.position, null);
  await page.join(3, []);
  await page.say(noted(4));
  await page.reconnect();
  assert.equal(board.topic.position, 4);
  await page.resume(9, [noted(5)]);
  assert.deepEqual(seen, [3, 3, 4, 9, 9]);
  const second = page.open("board/a").topic;
  assert.equal(second.position, null, "its handlers have got nothing yet");
  await settle();
  assert.equal(second.position, 9);
  board.topic.close();
  assert.equal(board.topic.position, null);
});

test("a state is anew at first and in another epoch, but not when it only replaces what is too old", async () => {
  const page = new HubPage();
  const board = page.open("board/a");
  const isAnew = () =>
    board.calls
      .splice(0)
      .filter(([name]) => name === "state")
      .map((call) => call[3]);
  await page.greet();
  await page.join(3, []);
  assert.deepEqual(isAnew(), [true]);
  await page.reconnect();
  await page.join(900, []);
  assert.deepEqual(isAnew(), [false]);
  for (let position = 901; position <= 1_200; position++) page.browser.socket.says(noted(position));
  const second = page.open("board/a");
  await settle();
  await page.join(1_200, []);
  assert.deepEqual(isAnew(), [false]);
  assert.equal(second.calls[0][3], true);
  await page.reconnect();
  await page.join(1, [], { epoch: "e2" });
  assert.deepEqual(isAnew(), [true]);
});

// Presence

test("the users present come with the join, and change with events and new names", async () => {
  const [alice, bob] = [
    { id: "1", name: "alice" },
    { id: "2", name: "bob" },
  ];
  const page = new HubPage();
  const board = page.open("board/a");
  await page.greet();
  await page.join(0, [], { present: { count: 1, users: [alice] } });
  const topic = "board/a";
  await page.say({ type: "presence.changed", topic, count: 2, joined: [bob], left: [] });
  await page.say({ type: "person.changed", user: { id: "2", name: "aaron" } });
  await page.say({ type: "presence.changed", topic, count: 400, joined: null, left: null });
  const aaron = { id: "2", name: "aaron" };
  assert.deepEqual(
    board.calls.filter(([name]) => name === "present").map(([, ...values]) => values),
    [
      [{ count: 1, users: [alice] }, [alice]],
      [{ count: 2, users: [alice, bob] }, [bob]],
      [{ count: 2, users: [aaron, alice] }, [aaron]],
      [{ count: 400, users: null }, []],
    ],
  );
});
