import assert from "node:assert/strict";
import { test } from "node:test";

import { ALICE, answer, at, BOB, changed, event, fresh, joinedAt, joinedWith, message, names, run } from "./rooms.js";

test("users with the same name are sorted by their ids, as text", () => {
  const users = [
    { id: "9", name: "sam" },
    { id: "5f1d", name: "sam" },
    { id: "10", name: "sam" },
  ];
  assert.deepEqual(
    joinedWith({ count: 3, users }).present?.users?.map(({ id }) => id),
    ["10", "5f1d", "9"],
  );
});

test("users join and leave, and are sorted by name", () => {
  let state = joinedWith({ count: 1, users: [BOB] });
  state = run(state, changed({ count: 2, joined: [ALICE], left: [] }));
  assert.deepEqual(state.present, { count: 2, users: [ALICE, BOB] });
  state = run(state, changed({ count: 2, joined: [{ id: "2", name: "aaron" }], left: [] }));
  assert.deepEqual(
    state.present?.users?.map(({ name }) => name),
    ["aaron", "alice"],
  );
  state = run(state, changed({ count: 1, joined: [], left: [ALICE] }));
  assert.deepEqual(state.present, { count: 1, users: [{ id: "2", name: "aaron" }] });
});

test("in a big room only the number is known, until an event names all users again", () => {
  assert.deepEqual(joinedWith({ count: 101, users: [] }).present, { count: 101, users: null });
  let state = run(joinedWith({ count: 1, users: [ALICE] }), changed({ count: 400 }));
  assert.deepEqual(state.present, { count: 400, users: null });
  state = run(state, changed({ count: 2, joined: [ALICE, BOB], left: [] }));
  assert.deepEqual(state.present, { count: 2, users: [ALICE, BOB] });
});

test("presence may be unknown at first, and arrives as an event", () => {
  let state = joinedWith(null);
  assert.equal(state.present, null);
  state = run(state, changed({ count: 2, joined: [BOB, ALICE], left: [] }));
  assert.deepEqual(state.present, { count: 2, users: [ALICE, BOB] });
});

test("a presence event without news changes nothing", () => {
  const state = joinedWith({ count: 2, users: [ALICE, BOB] });
  assert.deepEqual(run(state, changed({ count: 2, joined: [BOB], left: [] })).present, state.present);
});

test("a renamed user has the new name beside messages and unsent posts, and in the list", () => {
  const mine = { id: "x", body: "unsent", at: at(5) };
  const present = { count: 2, users: [ALICE, BOB] };
  let state = run(fresh([mine]), {
    type: "joined",
    answer: answer({ position: 2, messages: [message(1), message(2, { user: ALICE })], present }),
  });
  state = run(state, { type: "renamed", users: [{ id: "2", name: "aaron" }] });
  assert.deepEqual(names(state), ["aaron", "alice", "alice"]);
  assert.deepEqual(state.present, { count: 2, users: [{ id: "2", name: "aaron" }, ALICE] });
  state = run(state, { type: "renamed", users: [{ id: "1", name: "zoe" }] });
  assert.deepEqual(names(state), ["aaron", "zoe", "zoe"]);
  assert.equal(state.me.name, "zoe");
});

test("a new name in a presence event or a join is shown beside messages as well", () => {
  const before = joinedAt(1, [message(1)]);
  const renamed = changed({ count: 1, joined: [{ id: "2", name: "robert" }], left: [] });
  assert.deepEqual(names(run(before, renamed)), ["robert"]);
  const again = answer({ position: 1, complete: true, present: { count: 1, users: [{ id: "2", name: "robert" }] } });
  assert.deepEqual(names(run(before, { type: "joined", answer: again })), ["robert"]);
});

test("a user who was renamed while the page was offline has the name of a later message on all rows", () => {
  const ROBERT = { id: "2", name: "robert" };
  const had = joinedAt(2, [message(1), message(2)]);
  const resumed = answer({ position: 3, complete: true, messages: [message(3, { user: ROBERT })] });
  assert.deepEqual(names(run(had, { type: "joined", answer: resumed })), ["robert", "robert", "robert"]);
  assert.deepEqual(names(run(had, event("message.posted", 3, message(3, { user: ROBERT })))), [
    "robert",
    "robert",
    "robert",
  ]);
  const page = joinedAt(3, [message(3)], true);
  const older = { messages: [message(1, { user: ROBERT }), message(2, { user: ROBERT })], more: false };
  const came = run(page, { type: "history.asked" }, { type: "history.came", before: 3, answer: older });
  assert.deepEqual(names(came), ["robert", "robert", "robert"]);
  // A part of an answer does not bring back the name that the list of people still has.
  const listed = run(fresh(), {
    type: "joined",
    answer: answer({ position: 1, messages: [message(1)], present: { count: 1, users: [BOB] } }),
  });
  const part = answer({ position: 2, complete: true, partial: true, messages: [message(2, { user: ROBERT })] });
  const after = run(listed, { type: "joined", answer: part });
  assert.deepEqual([names(after), after.present?.users], [["robert", "robert"], [ROBERT]]);
});

test("a deleted user's name does not change", () => {
  const gone = joinedAt(1, [message(1, { user: { id: null, name: "deleted user" } })]);
  assert.deepEqual(names(run(gone, { type: "renamed", users: [{ id: null, name: "mallory" }] })), ["deleted user"]);
});
