// A page whose HTML has the state of a topic: it is shown at once, and the join brings what has changed since.

import assert from "node:assert/strict";
import { test } from "node:test";

import { HubPage, noted } from "./hubs.js";

const FIRST = {
  topic: "board/a",
  epoch: "e1",
  position: 3,
  complete: false,
  state: ["a", "b"],
  viewer: { role: "host" },
};
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A page that was made with the state at position 3. */
async function made({ first } = { first: FIRST }) {
  const page = new HubPage();
  const board = page.open("board/a", {}, { first });
  await settled();
  return { page, board };
}

test("the state of the page is given at once, and the join resumes after it", async () => {
  const { page, board } = await made();
  const [[, , answer, isAnew]] = board.calls;
  assert.deepEqual([answer.viewer, isAnew], [{ role: "host" }, true]);
  assert.deepEqual(board.taken(), [["state", ["a", "b"]]]);
  assert.deepEqual([board.topic.position, board.topic.isJoined], [3, false]);
  await page.greet();
  assert.deepEqual(page.sent, [{ type: "join", topic: "board/a", after: 3, epoch: "e1" }]);
  await page.say(noted(4)); // Of no membership yet: the answer has it.
  await page.resume(5, [noted(4), noted(5)], { viewer: { role: "guest" } });
  await page.say(noted(5));
  await page.say(noted(6));
  const joined = board.calls.find(([name]) => name === "joined");
  assert.deepEqual(joined?.[1].viewer, { role: "guest" });
  assert.deepEqual(board.taken(), [
    ["event", noted(4)],
    ["event", noted(5)],
    ["joined", 5],
    ["event", noted(6)],
  ]);
});

test("the handlers are not called before the topic is returned", () => {
  const page = new HubPage();
  const board = page.open("board/a", {}, { first: FIRST });
  assert.deepEqual(board.calls, []);
});

test("an answer in parts goes on from the page's position", async () => {
  const { page, board } = await made();
  await page.greet();
  await page.resume(4, [noted(4)], { partial: true });
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "board/a", after: 4, epoch: "e1" });
  await page.resume(5, [noted(5)]);
  assert.deepEqual(board.taken(), [
    ["state", ["a", "b"]],
    ["event", noted(4)],
    ["event", noted(5)],
    ["joined", 5],
  ]);
});

for (const [why, epoch, isAnew] of /** @type {const} */ ([
  ["of another epoch", "e2", true],
  ["too old to resume", "e1", false],
])) {
  test(`a page that is ${why} gets the whole state`, async () => {
    const { page, board } = await made();
    await page.greet();
    board.calls.splice(0);
    await page.join(2, ["new"], { epoch });
    assert.equal(board.calls[0][3], isAnew);
    await page.say(noted(3));
    assert.deepEqual(board.taken(), [
      ["state", ["new"]],
      ["joined", 2],
      ["event", noted(3)],
    ]);
    await page.reconnect();
    assert.deepEqual(page.sent, [{ type: "join", topic: "board/a", after: 3, epoch }]);
  });
}

test("a page that stays offline has its state, and one that may not join any more is closed", async () => {
  const { page, board } = await made();
  page.browser.socket.ends(1006);
  await page.browser.pass(1_000);
  await page.greet();
  await page.refuse("banned");
  assert.deepEqual(board.taken(), [
    ["state", ["a", "b"]],
    ["closed", "banned"],
  ]);
});

test("a topic of which something is known does not go back to the page's state", async () => {
  const page = new HubPage();
  page.open("board/a");
  await page.greet();
  await page.join(7, ["newer"]);
  const board = page.open("board/a", {}, { first: FIRST });
  await settled();
  assert.deepEqual(board.taken(), [
    ["state", ["newer"]],
    ["joined", 7],
  ]);
  assert.equal(page.sent.length, 1);
});

test("all who open the topic while it connects get the page's state, also before a join that is under way", async () => {
  const page = new HubPage();
  const before = page.open("board/a");
  await page.greet();
  const board = page.open("board/a", {}, { first: FIRST });
  const after = page.open("board/a");
  await settled();
  for (const each of [board, after]) assert.deepEqual(each.taken(), [["state", ["a", "b"]]]);
  // It was asked for without a position.
  assert.deepEqual(page.sent, [{ type: "join", topic: "board/a" }]);
  await page.join(4, ["a", "b", "c"]);
  for (const each of [before, board, after]) {
    assert.deepEqual(each.taken(), [
      ["state", ["a", "b", "c"]],
      ["joined", 4],
    ]);
  }
});

for (const first of [null, undefined, { ...FIRST, topic: "board/b" }]) {
  test(`a topic opens as ever with ${first === null ? null : first?.topic}`, async () => {
    const { page, board } = await made(/** @type {any} */ ({ first }));
    assert.deepEqual([board.topic.position, board.calls], [null, []]);
    await page.greet();
    assert.deepEqual(page.sent, [{ type: "join", topic: "board/a" }]);
    await page.join(1, []);
    assert.equal(board.topic.position, 1);
  });
}

test("a list that the page was made with is replaced by that of the join", async () => {
  const page = new HubPage();
  const first = { topic: "rooms", epoch: "0", position: 0, complete: false, state: { items: ["a"], more: false } };
  const rooms = page.open("rooms", {}, { first });
  await page.greet();
  await page.join(0, { items: ["b"], more: false }, { epoch: "0" });
  await page.say({ type: "moved", topic: "rooms", items: ["c"] });
  assert.deepEqual(rooms.taken(), [
    ["state", { items: ["a"], more: false }],
    ["state", { items: ["b"], more: false }],
    ["joined", 0],
    ["event", { type: "moved", topic: "rooms", items: ["c"] }],
  ]);
});

test("a room that is opened while another one is left has its state after one round trip", async () => {
  const page = new HubPage();
  const old = page.open("board/a");
  await page.greet();
  await page.join(1, []);
  const next = page.open("board/b");
  old.topic.close();
  const [join, leave] = page.browser.socket.sent.slice(-2);
  assert.deepEqual([join.type, join.topic, leave.type, leave.topic], ["join", "board/b", "leave", "board/a"]);
  await page.join(9, ["b"], { frame: join }); // The leave has no answer yet.
  assert.deepEqual(next.taken(), [
    ["state", ["b"]],
    ["joined", 9],
  ]);
});

test("leaves that are not answered hold up no join", async () => {
  const page = new HubPage();
  const rooms = Array.from({ length: 12 }, (_, number) => page.open(`board/${number}`));
  await page.greet();
  for (let number = 0; number < rooms.length; number++) {
    await page.join(1, [], {
      frame: page.browser.socket.sent.find((/** @type {any} */ sent) => sent.topic === `board/${number}`),
    });
  }
  for (const room of rooms) room.topic.close();
  page.open("board/next");
  assert.ok(page.sent.some(({ type, topic }) => type === "join" && topic === "board/next"));
});
