// Rows of a room that changes, made from those of the last time: the same as made from nothing.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { RoomRows, rows } from "../../chat/static/chat/js/room-rows.js";
import { ALICE, at, event, joinedWith, message, run } from "./rooms.js";

/** @import { RoomAction, RoomState } from "../../chat/static/chat/js/types.js" */

const DAY_MINUTES = 24 * 60;
const seqs = fc.integer({ max: 30, min: 1 });
/** @type {fc.Arbitrary<RoomAction>} */
const actions = fc.oneof(
  fc.tuple(seqs, fc.boolean(), fc.boolean(), fc.integer({ max: 3, min: 0 })).map(([seq, isAlice, deleted, day]) =>
    event(deleted ? "message.deleted" : "message.posted", {
      ...message(seq, { at: at(day * DAY_MINUTES + seq), deleted }),
      ...(isAlice ? { user: ALICE } : {}),
    }),
  ),
  seqs.map((seq) => /** @type {RoomAction} */ ({ type: "edit.opened", seq })),
  seqs.map((seq) => /** @type {RoomAction} */ ({ type: "line.drawn", after: seq })),
  fc.constantFrom(
    /** @type {RoomAction} */ ({ type: "edit.closed" }),
    /** @type {RoomAction} */ ({ type: "line.removed" }),
    /** @type {RoomAction} */ ({ type: "trimmed", keep: 5 }),
    /** @type {RoomAction} */ ({ type: "history.asked" }),
    /** @type {RoomAction} */ ({ type: "newer.asked" }),
    /** @type {RoomAction} */ ({ type: "posts", posts: [{ id: "x", body: "hi", at: at(9), error: null }] }),
    /** @type {RoomAction} */ ({ type: "posts", posts: [] }),
    /** @type {RoomAction} */ ({ type: "renamed", users: [{ ...ALICE, name: "Alicia" }] }),
  ),
);

test("they are the same after any changes", () => {
  fc.assert(
    fc.property(fc.array(actions, { maxLength: 25 }), (steps) => {
      let state = joinedWith([message(1), message(2), message(3)]);
      const again = new RoomRows();
      for (const step of steps) {
        state = run(state, step);
        assert.deepEqual(again.of(state), rows(state));
      }
    }),
    { numRuns: 300 },
  );
});

test("a message at the end leaves the rows before it the same objects", () => {
  /** @type {RoomState} */
  const state = joinedWith(Array.from({ length: 50 }, (_, index) => message(index + 1)));
  const again = new RoomRows();
  const before = again.of(state);
  const after = again.of(run(state, event("message.posted", message(51))));
  assert.equal(after.length, before.length + 1);
  for (const [index, row] of before.entries()) assert.equal(after[index], row);
});
