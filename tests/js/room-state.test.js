import assert from "node:assert/strict";
import { test } from "node:test";

import { lastOwn } from "../../chat/static/chat/js/room-rows.js";
import {
  ALICE,
  at,
  BOB,
  bodies,
  event,
  fresh,
  joined,
  joinedWith,
  kinds,
  lastPost,
  message,
  messageRows,
  page,
  resumed,
  run,
} from "./rooms.js";

test("a join shows the latest page", () => {
  const state = joinedWith([message(1), message(2)]);
  assert.deepEqual(bodies(state), ["words 1", "words 2"]);
});

test("events are upserts by seq", () => {
  const state = run(
    joinedWith([message(1), message(2)]),
    event("message.posted", message(3)),
    event("message.edited", message(1, { body: "better", edited_at: at(9) })),
    event("message.deleted", message(2, { body: "", deleted: true })),
  );
  assert.deepEqual(bodies(state), ["better", "", "words 3"]);
});

test("an event of an unknown type changes nothing", () => {
  const state = joinedWith([message(1)]);
  /** @type {any} */
  const unknown = { type: "room.painted", topic: "room/general", position: 9 };
  assert.equal(run(state, { type: "events", events: [unknown] }), state);
});

test("a complete resume keeps known messages and applies changes", () => {
  const state = run(
    joinedWith([message(1), message(2)]),
    resumed(message(3), message(1, { body: "edited" })),
    joined(),
  );
  assert.deepEqual(bodies(state), ["edited", "words 2", "words 3"]);
  assert.equal(state.more, false, "what stands above is known already");
});

test("an incomplete resume drops known messages", () => {
  const state = run(joinedWith([message(1), message(2)]), page([message(800), message(801)], { more: true }), joined());
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [800, 801],
  );
  assert.equal(kinds(state)[0], "older");
});

test("a reload keeps posts without an answer", () => {
  const state = run(fresh([{ id: "mine", body: "hi", at: at(0), error: null }]), page([message(1)]), joined());
  assert.deepEqual(kinds(state), ["beginning", "day", "message", "pending"]);
  assert.equal(lastPost(state).body, "hi");
});

test("a message of another user with the id of an own post does not replace it", () => {
  const state = run(
    joinedWith([]),
    { type: "posts", posts: [{ id: "mine", body: "hi", at: at(1), error: null }] },
    event("message.posted", message(1, { id: "mine", user: BOB, body: "forged" })),
  );
  assert.equal(state.pending.length, 1);
});

test("a message that was saved before an own one, and arrives after it, is sorted before it", () => {
  const state = run(
    joinedWith([]),
    { type: "posts", posts: [{ id: "mine", body: "second", at: at(2), error: null }] },
    { type: "post.answered", id: "mine", seq: 2, at: at(2), isKnown: false },
    event("message.posted", message(1, { body: "first" })),
  );
  assert.deepEqual(bodies(state), ["first", "second"]);
});

test("a post whose message has arrived is not shown again while its answer is under way", () => {
  const post = { id: "mine", body: "hi", at: at(1), error: null };
  const state = run(
    joinedWith([]),
    { type: "posts", posts: [post] },
    event("message.posted", message(1, { id: "mine", user: ALICE, body: "hi" })),
    { type: "posts", posts: [post, { ...post, id: "next" }] },
  );
  assert.deepEqual(
    state.pending.map(({ id }) => id),
    ["next"],
  );
});

test("a change to the room shows at once; in an archived room nothing can be changed", () => {
  const mine = message(1, { user: ALICE });
  const changes = { title: "Lounge", archived: true };
  const state = run(joinedWith([mine]), {
    type: "events",
    events: [{ type: "room.changed", topic: "room/general", position: 2, changes }],
  });
  assert.equal(state.room.title, "Lounge");
  assert.equal(messageRows(state).at(-1)?.mayEdit, false);
  assert.equal(lastOwn(state), null);
});

test("a closed room says why, and a new join opens it again", () => {
  let state = run(joinedWith([message(1)]), { type: "closed", code: "banned" });
  assert.equal(state.closed, "banned");
  state = run(state, joined());
  assert.equal(state.closed, null);
});
