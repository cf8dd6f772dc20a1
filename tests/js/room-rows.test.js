import assert from "node:assert/strict";
import { test } from "node:test";

import { initialsOf, tintOf } from "../../chat/static/chat/js/avatars.js";
import { lastOwn, mayWrite, rows } from "../../chat/static/chat/js/room-rows.js";
import {
  ALICE,
  at,
  bodies,
  event,
  fresh,
  initial,
  joined,
  joinedWith,
  kinds,
  message,
  messageRows,
  page,
  ROOM,
  resumed,
  run,
} from "./rooms.js";

/** @import { Message, RoomState } from "../../chat/static/chat/js/types.js" */

test("messages of a user within five minutes form a group", () => {
  /** @param {Message[]} messages */
  const starts = (...messages) => messageRows(joinedWith(messages)).map((row) => row.starts);
  assert.deepEqual(starts(message(1), message(2), message(3, { user: ALICE }), message(4)), [true, false, true, true]);
  assert.deepEqual(starts(message(1), message(2, { at: at(6) })), [true, true]);
  const gone = { id: null, name: "deleted user" };
  assert.deepEqual(starts(message(1, { user: gone }), message(2, { user: gone })), [true, true], "may be two people");
});

test("each day has its line", () => {
  const days = rows(joinedWith([message(1), message(2, { at: at(60 * 24 * 3) })])).filter(({ kind }) => kind === "day");
  assert.equal(days.length, 2);
  assert.notEqual(days[0].key, days[1].key);
});

test("messages that arrive while the user is away are counted, below a line that stays on return", () => {
  let state = run(
    joinedWith([message(1)]),
    { type: "away" },
    event("message.posted", message(2)),
    event("message.posted", message(3)),
  );
  assert.equal(state.unseen, 2);
  assert.deepEqual(kinds(state), ["beginning", "day", "message", "new", "message", "message"]);
  state = run(state, { type: "back" });
  assert.equal(state.unseen, 0);
  assert.ok(kinds(state).includes("new"));
  state = run(state, { type: "posts", posts: [{ id: "x", body: "hi", at: at(4), error: null }], isOwn: true });
  assert.ok(!kinds(state).includes("new"), "who writes has read");
});

test("own messages from another tab, and messages in sight, are not new", () => {
  const state = run(
    joinedWith([message(1)]),
    event("message.posted", message(2)),
    { type: "away" },
    event("message.posted", message(3, { user: ALICE })),
  );
  assert.equal(state.unseen, 0);
  assert.equal(state.newFrom, null);
});

test("events of one answer are counted by messages: a new one that has changed since counts once, a known one never", () => {
  const arrived = resumed(message(2), message(1, { body: "edited" }), message(3), message(2, { body: "edited too" }));
  const state = run(joinedWith([message(1)]), { type: "away" }, arrived);
  assert.deepEqual([state.unseen, state.newFrom], [2, 2]);
  assert.deepEqual(bodies(state), ["edited", "edited too", "words 3"]);
});

test("a state after a long absence: messages after the last known one are new", () => {
  const before = run(joinedWith([message(1), message(2)]), { type: "away" });
  const latest = [message(2), message(800), message(801)];
  const state = run(before, page(latest, { more: true, isAnew: false }), joined());
  assert.deepEqual([state.unseen, state.newFrom], [2, 800]);
  const restored = run(before, page(latest, { more: true, isAnew: true }), joined());
  assert.deepEqual([restored.unseen, restored.newFrom], [0, null], "the numbers of another epoch are not comparable");
});

test("a reader of a private room can change nothing in it", () => {
  const mine = message(1, { user: ALICE });
  const state = run(fresh(), page([mine]), joined({ role: "reader" }));
  const [row] = messageRows(state);
  assert.deepEqual([row?.mayEdit, row?.mayDelete], [false, false]);
  assert.equal(lastOwn(state), null);
  assert.equal(mayWrite(state), false);
  assert.equal(mayWrite(joinedWith([mine])), true);
});

test("own messages can be edited and deleted; a moderator can delete those of other users", () => {
  /** @param {RoomState} state */
  const may = (state) => messageRows(state).map(({ mayEdit, mayDelete }) => [mayEdit, mayDelete]);
  const messages = [message(1, { user: ALICE }), message(2), message(3, { user: ALICE, deleted: true })];
  assert.deepEqual(may(joinedWith(messages)), [
    [true, true],
    [false, false],
    [false, false],
  ]);
  const moderator = run(fresh(), page(messages), joined({ role: "moderator" }));
  assert.deepEqual(may(moderator), [
    [true, true],
    [false, true],
    [false, false],
  ]);
});

test("own messages are recognized by any form of user id", () => {
  const me = { id: "5f1d0c1e-2b0a-4f8e-9a57-0c6f5f0d8a11", name: "ada" };
  const said = { seq: 1, id: "m1", user: me, body: "hi", at: "2026-01-01T00:00:00Z", edited_at: null, deleted: false };
  const state = run(initial({ room: ROOM, me }), page([said]), joined());
  assert.equal(lastOwn(state)?.seq, 1);
});

test("names have initials and one of twelve tints, always the same", () => {
  assert.equal(initialsOf("alice"), "A");
  assert.equal(initialsOf("mona.müller"), "MM");
  assert.equal(initialsOf("👩‍🚀"), "👩");
  assert.equal(initialsOf("..."), "?");
  const tints = new Set(Array.from({ length: 300 }, (_, number) => tintOf(`user${number}`)));
  assert.deepEqual(
    [...tints].sort((one, other) => one - other),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  );
});
