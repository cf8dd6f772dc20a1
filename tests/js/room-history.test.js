import assert from "node:assert/strict";
import { test } from "node:test";

import { rows } from "../../chat/static/chat/js/room-rows.js";
import { answer, bodies, event, joinedAt, kinds, message, run } from "./rooms.js";

test("history is inserted above, and its end is the beginning of the room", () => {
  let state = joinedAt(4, [message(3), message(4)], true);
  assert.equal(state.floor, 3);
  state = run(state, { type: "history.asked" });
  assert.deepEqual(rows(state)[0], { kind: "older", key: "older", loading: true });
  state = run(state, { type: "history.came", before: 3, answer: { messages: [message(1), message(2)], more: false } });
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [1, 2, 3, 4],
  );
  assert.equal(kinds(state)[0], "beginning");
});

test("an edit that arrives before its page of history is not lost", () => {
  const state = run(
    joinedAt(4, [message(3), message(4)], true),
    { type: "history.asked" },
    event("message.edited", 5, message(1, { body: "edited" })),
    { type: "history.came", before: 3, answer: { messages: [message(1, { body: "stale" }), message(2)], more: false } },
  );
  assert.deepEqual(bodies(state), ["edited", "words 2", "words 3", "words 4"]);
});

test("a message that changes while its page is read, and is missing there, is added by its event", () => {
  const state = run(
    joinedAt(4, [message(5), message(6)], true),
    { type: "history.asked" },
    event("message.edited", 5, message(3, { body: "edited" })),
    event("message.edited", 6, message(1, { body: "further up" })),
    { type: "history.came", before: 5, answer: { messages: [message(2), message(4)], more: true } },
  );
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [2, 3, 4, 5, 6],
  );
  assert.equal(state.messages[1].body, "edited");
});

test("history requested for a replaced page leaves no gap in the log", () => {
  let state = run(
    joinedAt(449, [message(400), message(401)], true),
    { type: "history.asked" },
    { type: "joined", answer: answer({ position: 999, messages: [message(950), message(951)], more: true }) },
  );
  assert.equal(state.loading, true, "its answer is still to come: no second one is asked for");
  state = run(state, {
    type: "history.came",
    before: 400,
    answer: { messages: [message(398), message(399)], more: true },
  });
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [950, 951],
  );
  assert.equal(state.loading, false);
  assert.equal(kinds(state)[0], "older");
  state = run(
    state,
    { type: "history.asked" },
    { type: "history.came", before: 950, answer: { messages: [message(949)], more: true } },
  );
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [949, 950, 951],
  );
});

test("a join between a request for history and its answer loses no edit and trims nothing", () => {
  const state = run(
    joinedAt(4, [message(3), message(4)], true),
    { type: "history.asked" },
    {
      type: "joined",
      answer: answer({ position: 5, complete: true, messages: [message(1, { body: "edited" })], more: true }),
    },
    { type: "trimmed", keep: 1 },
    { type: "history.came", before: 3, answer: { messages: [message(1, { body: "stale" }), message(2)], more: false } },
  );
  assert.deepEqual(bodies(state), ["edited", "words 2", "words 3", "words 4"]);
});

test("a change to a message that is not loaded leaves no gap in the log", () => {
  const state = run(joinedAt(4, [message(30), message(31)], true), event("message.edited", 5, message(2)));
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [30, 31],
  );
  assert.equal(state.position, 5);
});

test("a page that is open for days forgets the oldest and can read them again", () => {
  const many = Array.from({ length: 10 }, (_, index) => message(index + 1));
  const state = run(joinedAt(10, many), { type: "trimmed", keep: 4 });
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [7, 8, 9, 10],
  );
  assert.equal(state.floor, 7);
  assert.equal(kinds(state)[0], "older");
});
