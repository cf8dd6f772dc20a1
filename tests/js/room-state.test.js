import assert from "node:assert/strict";
import { test } from "node:test";

import { lastOwn } from "../../chat/static/chat/js/room-rows.js";
import {
  ALICE,
  answer,
  at,
  BOB,
  bodies,
  event,
  fresh,
  joinedAt,
  kinds,
  lastPost,
  message,
  messageRows,
  run,
} from "./rooms.js";

test("a join shows the latest page", () => {
  const state = joinedAt(2, [message(1), message(2)]);
  assert.deepEqual(bodies(state), ["words 1", "words 2"]);
  assert.equal(state.position, 2);
});

test("events are upserts by seq and move the position", () => {
  const state = run(
    joinedAt(2, [message(1), message(2)]),
    event("message.posted", 3, message(3)),
    event("message.edited", 4, message(1, { body: "better", edited_at: at(9) })),
    event("message.deleted", 5, message(2, { body: "", deleted: true })),
  );
  assert.deepEqual(bodies(state), ["better", "", "words 3"]);
  assert.equal(state.position, 5);
});

test("an event of a known position is ignored", () => {
  const state = run(
    joinedAt(5, [message(1, { body: "newest" })]),
    event("message.edited", 5, message(1, { body: "old" })),
  );
  assert.deepEqual(bodies(state), ["newest"]);
});

test("an event of another room or of an unknown type changes nothing", () => {
  const state = joinedAt(1, [message(1)]);
  assert.equal(
    run(state, { type: "event", frame: { type: "message.posted", room: "other", position: 9, message: message(9) } }),
    state,
  );
  /** @type {any} */
  const unknown = { type: "room.painted", room: "general", position: 9 };
  assert.equal(run(state, { type: "event", frame: unknown }), state);
});

test("a complete resume keeps known messages and applies changes", () => {
  const state = run(joinedAt(2, [message(1), message(2)]), {
    type: "joined",
    answer: answer({ position: 9, complete: true, more: true, messages: [message(3), message(1, { body: "edited" })] }),
  });
  assert.deepEqual(bodies(state), ["edited", "words 2", "words 3"]);
  assert.equal(state.more, false, "what stands above is known already");
});

test("a resume in parts applies each part, and keeps presence until the last", () => {
  const bob = { count: 1, users: [BOB] };
  let state = run(fresh(), {
    type: "joined",
    answer: answer({ position: 2, messages: [message(1), message(2)], present: bob }),
  });
  state = run(state, {
    type: "joined",
    answer: answer({
      position: 4,
      complete: true,
      partial: true,
      more: true,
      messages: [message(3), message(1, { body: "once" })],
    }),
  });
  assert.deepEqual([state.position, state.joined, state.present?.count], [4, true, 1]);
  assert.deepEqual(bodies(state), ["once", "words 2", "words 3"]);
  state = run(state, {
    type: "joined",
    answer: answer({
      position: 6,
      complete: true,
      partial: false,
      more: true,
      messages: [message(1, { body: "twice" }), message(4)],
    }),
  });
  assert.deepEqual([state.position, state.present], [6, null]);
  assert.deepEqual(bodies(state), ["twice", "words 2", "words 3", "words 4"]);
});

test("a post that was too long has its reason after a reload", () => {
  const refused = { id: "p1", body: "long", at: at(1), error: { code: "too_long", text: "This is too long." } };
  assert.deepEqual(
    fresh([refused, { id: "p2", body: "short", at: at(2) }]).pending.map(({ error }) => error?.code ?? null),
    ["too_long", null],
  );
});

test("an incomplete resume drops known messages", () => {
  const state = run(joinedAt(2, [message(1), message(2)]), {
    type: "joined",
    answer: answer({ epoch: "e2", position: 900, messages: [message(800), message(801)], more: true }),
  });
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [800, 801],
  );
  assert.equal(state.epoch, "e2");
  assert.equal(kinds(state)[0], "older");
});

test("a reload keeps posts without an answer", () => {
  const state = run(fresh([{ id: "mine", body: "hi", at: at(0) }]), {
    type: "joined",
    answer: answer({ position: 1, messages: [message(1)] }),
  });
  assert.deepEqual(kinds(state), ["beginning", "day", "message", "pending"]);
  assert.equal(lastPost(state).body, "hi");
});

test("an own post that is pending, then answered, then received as an event is one message", () => {
  const mine = message(1, { id: "mine", user: ALICE, body: "hi" });
  let state = run(joinedAt(0, []), { type: "post.added", post: { id: "mine", body: "hi", at: at(1) } });
  assert.deepEqual(kinds(state), ["day", "pending"]);
  state = run(state, { type: "post.answered", id: "mine", answer: { seq: 1, position: 1, at: at(1) } });
  assert.deepEqual(bodies(state), ["hi"]);
  assert.equal(state.pending.length, 0);
  assert.equal(state.position, 0, "others' changes before it may still be on the way");
  state = run(state, event("message.posted", 1, mine));
  assert.deepEqual(bodies(state), ["hi"]);
});

test("the event may arrive before the answer", () => {
  const state = run(
    joinedAt(0, []),
    { type: "post.added", post: { id: "mine", body: "hi", at: at(1) } },
    event("message.posted", 1, message(1, { id: "mine", user: ALICE, body: "hi" })),
    { type: "post.answered", id: "mine", answer: { seq: 1, position: 1, at: at(1) } },
  );
  assert.deepEqual(bodies(state), ["hi"]);
  assert.equal(state.pending.length, 0);
});

test("a message of another user with the id of an own post does not replace it", () => {
  const state = run(
    joinedAt(0, []),
    { type: "post.added", post: { id: "mine", body: "hi", at: at(1) } },
    event("message.posted", 1, message(1, { id: "mine", user: BOB, body: "forged" })),
  );
  assert.equal(state.pending.length, 1);
});

test("a message that was saved before an own one, and arrives after it, is sorted before it", () => {
  const state = run(
    joinedAt(0, []),
    { type: "post.added", post: { id: "mine", body: "second", at: at(2) } },
    { type: "post.answered", id: "mine", answer: { seq: 2, position: 2, at: at(2) } },
    event("message.posted", 1, message(1, { body: "first" })),
  );
  assert.deepEqual(bodies(state), ["first", "second"]);
});

test("a failed post stays with its reason until it is sent again or discarded", () => {
  const error = { code: "forbidden", text: "No." };
  let state = run(
    joinedAt(0, []),
    { type: "post.added", post: { id: "mine", body: "hi", at: at(1) } },
    { type: "post.failed", id: "mine", error },
  );
  assert.deepEqual(lastPost(state).error, error);
  state = run(state, { type: "post.retried", id: "mine" });
  assert.equal(lastPost(state).error, null);
  state = run(state, { type: "post.discarded", id: "mine" });
  assert.deepEqual(state.pending, []);
});

test("an answered edit shows at once, and a late answer does not undo later changes", () => {
  const mine = message(1, { user: ALICE });
  const shown = run(joinedAt(1, [mine]), {
    type: "edit.answered",
    seq: 1,
    body: "new",
    at: at(5),
    answer: { position: 2 },
  });
  assert.deepEqual(bodies(shown), ["new"]);
  const late = run(joinedAt(1, [mine]), event("message.edited", 3, message(1, { user: ALICE, body: "newer" })), {
    type: "edit.answered",
    seq: 1,
    body: "new",
    at: at(5),
    answer: { position: 2 },
  });
  assert.deepEqual(bodies(late), ["newer"]);
});

test("a change to the room shows at once; in an archived room nothing can be changed", () => {
  const mine = message(1, { user: ALICE });
  const state = run(joinedAt(1, [mine]), {
    type: "event",
    frame: { type: "room.changed", room: "general", position: 2, changes: { title: "Lounge", archived: true } },
  });
  assert.equal(state.room.title, "Lounge");
  assert.equal(messageRows(state).at(-1)?.mayEdit, false);
  assert.equal(lastOwn(state), null);
});

test("a closed room says why, and a new join opens it again", () => {
  let state = run(joinedAt(1, [message(1)]), {
    type: "event",
    frame: { type: "room.closed", room: "general", code: "banned" },
  });
  assert.equal(state.closed, "banned");
  state = run(state, { type: "joined", answer: answer({ position: 1, complete: true }) });
  assert.equal(state.closed, null);
});
