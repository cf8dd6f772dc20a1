import assert from "node:assert/strict";
import { test } from "node:test";

import { happened, RoomPage } from "./room-pages.js";
import { ALICE, at, BOB, joined, joinedWith, message, names, page as pageOf, present, run } from "./rooms.js";

/** @import { Message } from "../../chat/static/chat/js/types.js" */
/** @import { Presence } from "../../hubbub/static/hubbub/js/types.js" */

/**
 * A page that has joined a room in which these users are present.
 *
 * @param {Presence | null} present
 * @param {Message[]} messages
 */
async function enter(present, messages = []) {
  const page = new RoomPage();
  await page.enter(messages.length, messages, { present });
  return page;
}

test("users with the same name are sorted by their ids, as text", async () => {
  const users = [
    { id: "9", name: "sam" },
    { id: "5f1d", name: "sam" },
    { id: "10", name: "sam" },
  ];
  const { state } = await enter({ count: 3, users });
  assert.deepEqual(
    state.present?.users?.map(({ id }) => id),
    ["10", "5f1d", "9"],
  );
});

test("users join and leave, and are sorted by name", async () => {
  const page = await enter({ count: 1, users: [BOB] });
  await page.presence({ count: 2, joined: [ALICE], left: [] });
  assert.deepEqual(page.state.present, { count: 2, users: [ALICE, BOB] });
  await page.presence({ count: 2, joined: [{ id: "2", name: "aaron" }], left: [] });
  assert.deepEqual(
    page.state.present?.users?.map(({ name }) => name),
    ["aaron", "alice"],
  );
  await page.presence({ count: 1, joined: [], left: [ALICE] });
  assert.deepEqual(page.state.present, { count: 1, users: [{ id: "2", name: "aaron" }] });
});

test("in a big room only the number is known, until an event names all users again", async () => {
  assert.deepEqual((await enter({ count: 101, users: [] })).state.present, { count: 101, users: null });
  const page = await enter({ count: 1, users: [ALICE] });
  await page.presence({ count: 400 });
  assert.deepEqual(page.state.present, { count: 400, users: null });
  await page.presence({ count: 2, joined: [ALICE, BOB], left: [] });
  assert.deepEqual(page.state.present, { count: 2, users: [ALICE, BOB] });
});

test("presence may be unknown at first, and arrives as an event", async () => {
  const page = await enter(null);
  assert.equal(page.state.present, null);
  await page.presence({ count: 2, joined: [BOB, ALICE], left: [] });
  assert.deepEqual(page.state.present, { count: 2, users: [ALICE, BOB] });
});

test("a presence event without news changes nothing", async () => {
  const page = await enter({ count: 2, users: [ALICE, BOB] });
  await page.presence({ count: 2, joined: [BOB], left: [] });
  assert.deepEqual(page.state.present, { count: 2, users: [ALICE, BOB] });
});

test("a room that closes shows nobody, and those who are there again after the next join", async () => {
  const page = await enter({ count: 1, users: [BOB] });
  page.state = run(page.state, { type: "closed", code: "banned" });
  assert.equal(page.state.present, null);
  await page.say({ type: "closed", topic: "room/general", code: "banned" });
  page.room.join();
  await page.catchUp(0, [], { present: { count: 1, users: [ALICE] } });
  assert.deepEqual(page.state.present, { count: 1, users: [ALICE] });
});

test("a renamed user has the new name beside messages and unsent posts, and in the list", async () => {
  const page = new RoomPage([{ id: "x", body: "unsent", at: at(5), error: null }]);
  await page.enter(2, [message(1), message(2, { user: ALICE })], { present: { count: 2, users: [ALICE, BOB] } });
  page.state = run(page.state, { type: "renamed", users: [{ id: "2", name: "aaron" }] });
  assert.deepEqual(names(page.state), ["aaron", "alice", "alice"]);
  assert.deepEqual(page.state.present, { count: 2, users: [{ id: "2", name: "aaron" }, ALICE] });
  page.state = run(page.state, { type: "renamed", users: [{ id: "1", name: "zoe" }] });
  assert.deepEqual(names(page.state), ["aaron", "zoe", "zoe"]);
  assert.equal(page.state.me.name, "zoe");
});

test("a new name in a presence event or a join is shown beside messages as well", async () => {
  const robert = { id: "2", name: "robert" };
  const page = await enter(null, [message(1)]);
  await page.presence({ count: 1, joined: [robert], left: [] });
  assert.deepEqual(names(page.state), ["robert"]);
  const other = await enter(null, [message(1)]);
  await other.reconnect();
  await other.catchUp(1, [], { present: { count: 1, users: [robert] } });
  assert.deepEqual(names(other.state), ["robert"]);
});

test("a user who was renamed while the page was offline has the name of a later message on all rows", async () => {
  const ROBERT = { id: "2", name: "robert" };
  const page = await enter(null, [message(1), message(2)]);
  await page.reconnect();
  await page.catchUp(3, [happened("message.posted", 3, message(3, { user: ROBERT }))]);
  assert.deepEqual(names(page.state), ["robert", "robert", "robert"]);
  const live = await enter(null, [message(1), message(2)]);
  await live.event("message.posted", 3, message(3, { user: ROBERT }));
  assert.deepEqual(names(live.state), ["robert", "robert", "robert"]);
  const older = { messages: [message(1, { user: ROBERT }), message(2, { user: ROBERT })], more: false };
  const came = run(
    joinedWith([message(3)], true),
    { type: "history.asked" },
    { type: "history.came", before: 3, page: older },
  );
  assert.deepEqual(names(came), ["robert", "robert", "robert"]);
  // Neither a part of an answer nor an event about others brings back the name that the list of people still has.
  const listed = await enter({ count: 1, users: [BOB] }, [message(1)]);
  await listed.reconnect();
  await listed.catchUp(2, [happened("message.posted", 2, message(2, { user: ROBERT }))], { partial: true });
  assert.deepEqual([names(listed.state), listed.state.present?.users], [["robert", "robert"], [ROBERT]]);
  const present = await enter({ count: 1, users: [BOB] }, [message(1)]);
  await present.event("message.posted", 2, message(2, { user: ROBERT }));
  await present.presence({ count: 2, joined: [ALICE], left: [] });
  assert.deepEqual(
    [names(present.state), present.state.present?.users],
    [
      ["robert", "robert"],
      [ALICE, ROBERT],
    ],
  );
});

test("the users that a join names have the names of the join, also where its messages have older ones", () => {
  const robert = { id: "2", name: "robert" };
  const state = run(joinedWith([]), pageOf([message(1)]), present({ count: 1, users: [robert] }), joined());
  assert.deepEqual([names(state), state.present?.users], [["robert"], [robert]]);
});

test("a deleted user's name does not change", () => {
  const gone = joinedWith([message(1, { user: { id: null, name: "deleted user" } })]);
  assert.deepEqual(names(run(gone, { type: "renamed", users: [{ id: null, name: "mallory" }] })), ["deleted user"]);
});

test("a new picture and status are beside the user everywhere, and are gone when they are removed", async () => {
  const page = await enter({ count: 2, users: [ALICE, BOB] }, [message(1, { user: BOB })]);
  const shown = { ...BOB, picture: "1f".repeat(16), status: "here" };
  await page.say({ type: "person.changed", user: shown });
  assert.deepEqual(page.state.present?.users, [ALICE, shown]);
  page.state = run(page.state, { type: "renamed", users: [shown] });
  assert.deepEqual(page.state.messages[0]?.user, { ...BOB, picture: shown.picture });
  page.state = run(page.state, { type: "renamed", users: [BOB] });
  assert.deepEqual(page.state.messages[0]?.user, BOB);
});
