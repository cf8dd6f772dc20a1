import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "./browser.js";
import { happened, RoomPage } from "./room-pages.js";
import { ALICE, at, BOB, bodies, kinds, message } from "./rooms.js";

/**
 * A page that has joined.
 *
 * @param {number} position
 * @param {Parameters<typeof message>[]} messages
 */
async function joinedAt(position, ...messages) {
  const page = new RoomPage();
  await page.enter(
    position,
    messages.map((each) => message(...each)),
  );
  return page;
}

// What arrives

test("a room is joined as one topic, and its viewer says what this user may", async () => {
  const page = new RoomPage();
  await page.greet();
  assert.deepEqual(page.sent, [{ type: "join", topic: "room/general" }]);
  await page.enter(2, [message(1), message(2)], { role: "reader" });
  assert.deepEqual(bodies(page.state), ["words 1", "words 2"]);
  assert.deepEqual([page.state.joined, page.state.room.role], [true, "reader"]);
  assert.deepEqual(page.viewers, [{ role: "reader", manages: false, body_chars: 2_000 }]);
});

test("an event of a known position is ignored, and so is one of another room", async () => {
  const page = await joinedAt(5, [1, { body: "newest" }]);
  const before = page.state;
  await page.event("message.edited", 5, message(1, { body: "old" }));
  await page.say({ ...happened("message.posted", 9, message(9)), topic: "room/other" });
  assert.equal(page.state, before);
});

test("a resume in parts applies each part, and keeps presence until the last", async () => {
  const bob = { count: 1, users: [BOB] };
  const page = new RoomPage();
  await page.enter(2, [message(1), message(2)], { present: bob });
  await page.reconnect();
  const first = [
    happened("message.posted", 3, message(3)),
    happened("message.edited", 4, message(1, { body: "once" })),
  ];
  await page.catchUp(4, first, { partial: true });
  assert.deepEqual([page.state.joined, page.state.present?.count], [true, 1]);
  assert.deepEqual(bodies(page.state), ["once", "words 2", "words 3"]);
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "room/general", after: 4, epoch: "e1" });
  const last = [
    happened("message.edited", 5, message(1, { body: "twice" })),
    happened("message.posted", 6, message(4)),
  ];
  await page.catchUp(6, last);
  assert.equal(page.state.present, null);
  assert.deepEqual(bodies(page.state), ["twice", "words 2", "words 3", "words 4"]);
  assert.equal(page.sent.length, 2);
});

test("a resume of 600 messages is one change", async () => {
  const page = await joinedAt(1, [1]);
  await page.reconnect();
  const { changes } = page;
  await page.catchUp(
    601,
    Array.from({ length: 600 }, (_, index) => happened("message.posted", index + 2, message(index + 2))),
  );
  assert.equal(page.state.messages.length, 601);
  assert.equal(page.changes, changes + 2, "the events, and that it has joined");
});

test("the role may be another after a resume, and the room has its new title", async () => {
  const page = await joinedAt(1, [1]);
  await page.reconnect();
  const changes = { title: "Lounge", description: "Talk" };
  const renamed = { type: "room.changed", topic: "room/general", position: 2, changes };
  await page.catchUp(2, [renamed], { role: "moderator" });
  assert.deepEqual(page.state.room, {
    slug: "general",
    title: "Lounge",
    description: "Talk",
    role: "moderator",
    private: false,
    archived: false,
    manages: false,
  });
});

test("a room that closes or is refused says why; other codes are as if it did not exist", async () => {
  const page = await joinedAt(1, [1]);
  await page.say({ type: "closed", topic: "room/general", code: "banned" });
  page.room.join();
  await page.refuse("not_found");
  page.room.join();
  await page.refuse("forbidden");
  assert.deepEqual(page.closings, ["banned", "not_found", "not_found"]);
  page.room.join();
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "room/general", after: 1, epoch: "e1" });
  await page.catchUp(1, []);
  assert.equal(page.state.closed, null);
  assert.equal(page.viewers.length, 2);
});

// Own changes

/** @param {RoomPage} page */
const write = (page, post = { id: "mine", body: "hi", at: at(1) }) => page.write(post);

const MINE = message(1, { id: "mine", user: ALICE, body: "hi" });

test("an own post that is pending, then answered, then received as an event is one message", async () => {
  const page = await joinedAt(0);
  await write(page);
  assert.deepEqual(page.sent.at(-1), { type: "message.post", topic: "room/general", id: "mine", body: "hi" });
  assert.deepEqual(kinds(page.state), ["day", "pending"]);
  await page.answer({ result: { seq: 1, position: 1, at: at(1) } });
  assert.deepEqual(bodies(page.state), ["hi"]);
  assert.equal(page.state.pending.length, 0);
  await page.event("message.posted", 1, MINE);
  assert.deepEqual(bodies(page.state), ["hi"]);
});

test("an own post that is answered does not hide the changes of others before it", async () => {
  const page = await joinedAt(0);
  await write(page);
  await page.answer({ result: { seq: 2, position: 2, at: at(2) } });
  await page.event("message.posted", 1, message(1, { body: "first" }));
  await page.event("message.posted", 2, { ...MINE, seq: 2 });
  assert.deepEqual(bodies(page.state), ["first", "hi"]);
});

test("the event may arrive before the answer, and be outdated by then", async () => {
  const page = await joinedAt(0);
  await write(page);
  const { last } = page;
  await page.event("message.posted", 1, MINE);
  await page.event("message.edited", 2, { ...MINE, body: "hello" });
  await page.answer({ result: { seq: 1, position: 1, at: at(1) } }, last);
  assert.deepEqual(bodies(page.state), ["hello"]);
  assert.equal(page.state.pending.length, 0);
});

test("a post that is answered before the room is joined is shown by the join", async () => {
  const page = new RoomPage([{ id: "mine", body: "hi", at: at(1), error: null }]);
  await page.greet();
  const [post, join] = page.browser.socket.sent.sort(({ type }) => (type === "join" ? 1 : -1));
  await page.answer({ result: { seq: 7, position: 7, at: at(1) } }, post);
  assert.deepEqual([page.state.pending, page.state.messages], [[], []]);
  await page.join(7, { room: {}, messages: [{ ...MINE, seq: 7 }], more: true }, { frame: join, viewer: {} });
  assert.deepEqual(bodies(page.state), ["hi"]);
});

test("posts that a reload interrupted are sent again with their ids, in order, one after another", async () => {
  const posts = ["a", "b", "c"].map((id, index) => ({ id, body: id, at: at(index), error: null }));
  const page = new RoomPage(posts);
  await page.greet();
  const ids = () => page.sent.filter(({ type }) => type === "message.post").map(({ id }) => id);
  assert.deepEqual(ids(), ["a"]);
  const post = () => page.browser.socket.sent.findLast(({ type }) => type === "message.post");
  await page.answer({ result: { seq: 1, position: 1, at: at(1) } }, post());
  assert.deepEqual(ids(), ["a", "b"]);
  await page.reconnect();
  assert.deepEqual(ids(), ["b"], "until it is answered");
  await page.answer({ result: { seq: 2, position: 2, at: at(2) } }, post());
  assert.deepEqual(ids(), ["b", "c"]);
  assert.deepEqual(
    page.state.pending.map(({ id }) => id),
    ["c"],
  );
});

test("a refused post has its reason; a page that is left keeps its posts as they are", async () => {
  const page = await joinedAt(0);
  await write(page);
  await page.refuse("too_long", { detail: "the message is too long" });
  assert.deepEqual(page.state.pending[0].error, { code: "too_long", text: "The message is too long." });
  await write(page, { id: "next", body: "hi", at: at(2) });
  page.hub.close();
  await settle();
  assert.equal(page.state.pending[1].error, null);
});

test("an answered edit shows at once, and a late answer does not undo later changes", async () => {
  const page = await joinedAt(1, [1, { user: ALICE }]);
  page.room.edit(1, "new");
  assert.deepEqual(page.sent.at(-1), { type: "message.edit", topic: "room/general", seq: 1, body: "new" });
  await page.answer({ result: { position: 2 } });
  assert.deepEqual(bodies(page.state), ["new"]);
  page.room.edit(1, "newer");
  const { last } = page;
  await page.event("message.edited", 4, message(1, { user: ALICE, body: "newest" }));
  await page.answer({ result: { position: 3 } }, last);
  assert.deepEqual(bodies(page.state), ["newest"]);
});

test("an answered deletion shows at once; a refused one is the caller's to explain", async () => {
  const page = await joinedAt(2, [1, { user: ALICE }], [2, { user: ALICE }]);
  page.room.remove(1);
  assert.deepEqual(page.sent.at(-1), { type: "message.delete", topic: "room/general", seq: 1 });
  await page.answer({ result: { position: 3 } });
  assert.deepEqual(
    page.state.messages.map(({ deleted }) => deleted),
    [true, false],
  );
  const refused = page.room.remove(2);
  page.browser.socket.refuses(page.last, "forbidden");
  await assert.rejects(refused, { code: "forbidden" });
  assert.equal(page.state.messages[1].deleted, false);
});

test("older messages are read before the first one, and shown above it", async () => {
  const page = new RoomPage();
  await page.enter(4, [message(3), message(4)], { more: true });
  const read = page.room.readOlder(page.state.floor, 50);
  assert.equal(page.state.loading, true);
  assert.deepEqual(page.sent.at(-1), { type: "history", topic: "room/general", before: 3, limit: 50 });
  await page.answer({ result: { messages: [message(1), message(2)], more: false } });
  await read;
  assert.deepEqual(bodies(page.state), ["words 1", "words 2", "words 3", "words 4"]);
  assert.deepEqual([page.state.loading, page.state.more], [false, false]);
});

test("an answered restore shows the message again", async () => {
  const page = await joinedAt(1, [1, { user: ALICE, deleted: true, body: "" }]);
  page.room.restore(1, "words");
  assert.deepEqual(page.sent.at(-1), { type: "message.restore", topic: "room/general", seq: 1, body: "words" });
  await page.answer({ result: { position: 2 } });
  assert.deepEqual([bodies(page.state), page.state.messages[0].deleted], [["words"], false]);
});
