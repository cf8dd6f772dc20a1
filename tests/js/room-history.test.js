import assert from "node:assert/strict";
import { test } from "node:test";

import { rows } from "../../chat/static/chat/js/room-rows.js";
import { bodies, event, joined, joinedWith, kinds, message, page, resumed, run } from "./rooms.js";

test("history is inserted above, and its end is the beginning of the room", () => {
  let state = joinedWith([message(3), message(4)], true);
  assert.equal(state.floor, 3);
  state = run(state, { type: "history.asked" });
  assert.deepEqual(rows(state)[0], { kind: "older", key: "older", loading: true });
  state = run(state, { type: "history.came", before: 3, page: { messages: [message(1), message(2)], more: false } });
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [1, 2, 3, 4],
  );
  assert.equal(kinds(state)[0], "beginning");
});

test("an edit that arrives before its page of history is not lost", () => {
  const state = run(
    joinedWith([message(3), message(4)], true),
    { type: "history.asked" },
    event("message.edited", message(1, { body: "edited" })),
    { type: "history.came", before: 3, page: { messages: [message(1, { body: "stale" }), message(2)], more: false } },
  );
  assert.deepEqual(bodies(state), ["edited", "words 2", "words 3", "words 4"]);
});

test("a message that changes while its page is read, and is missing there, is added by its event", () => {
  const state = run(
    joinedWith([message(5), message(6)], true),
    { type: "history.asked" },
    event("message.edited", message(3, { body: "edited" })),
    event("message.edited", message(1, { body: "further up" })),
    { type: "history.came", before: 5, page: { messages: [message(2), message(4)], more: true } },
  );
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [2, 3, 4, 5, 6],
  );
  assert.equal(state.messages[1].body, "edited");
});

test("history requested for a replaced page leaves no gap in the log", () => {
  let state = run(
    joinedWith([message(400), message(401)], true),
    { type: "history.asked" },
    page([message(950), message(951)], { more: true, isAnew: false }),
    joined(),
  );
  assert.equal(state.loading, true, "its answer is still to come: no second one is asked for");
  state = run(state, {
    type: "history.came",
    before: 400,
    page: { messages: [message(398), message(399)], more: true },
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
    { type: "history.came", before: 950, page: { messages: [message(949)], more: true } },
  );
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [949, 950, 951],
  );
});

test("a join between a request for history and its answer loses no edit and trims nothing", () => {
  const state = run(
    joinedWith([message(3), message(4)], true),
    { type: "history.asked" },
    resumed(message(1, { body: "edited" })),
    joined(),
    { type: "trimmed", keep: 1 },
    { type: "history.came", before: 3, page: { messages: [message(1, { body: "stale" }), message(2)], more: false } },
  );
  assert.deepEqual(bodies(state), ["edited", "words 2", "words 3", "words 4"]);
});

test("a change to a message that is not loaded leaves no gap in the log", () => {
  const state = run(joinedWith([message(30), message(31)], true), event("message.edited", message(2)));
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [30, 31],
  );
});

test("a page that is open for days forgets the oldest and can read them again", () => {
  const many = Array.from({ length: 10 }, (_, index) => message(index + 1));
  const state = run(joinedWith(many), { type: "trimmed", keep: 4 });
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [7, 8, 9, 10],
  );
  assert.equal(state.floor, 7);
  assert.equal(kinds(state)[0], "older");
});
