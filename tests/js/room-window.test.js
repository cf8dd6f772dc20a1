import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { rows } from "../../chat/static/chat/js/room-rows.js";
import { ALICE, at, BOB, event, joined, joinedWith, kinds, message, page, run } from "./rooms.js";

/** @import { Message, RoomAction, RoomState } from "../../chat/static/chat/js/types.js" */

/** @param {RoomState} state */
const seqs = (state) => state.messages.map(({ seq }) => seq);
/** @param {number[]} all */
const messages = (...all) => all.map((seq) => message(seq));

/** A room of 100 messages, opened at the 50th. */
const inTheMiddle = () =>
  run(joinedWith(messages(99, 100), true), {
    type: "place.came",
    page: { messages: messages(49, 50, 51), more: true },
  });

// A window that does not reach the end

test("a page around a place replaces the window, and does not reach the end", () => {
  const state = inTheMiddle();
  assert.deepEqual(seqs(state), [49, 50, 51]);
  assert.deepEqual([state.detached, state.floor, state.more], [true, 49, true]);
  assert.deepEqual(kinds(state), ["older", "day", "message", "message", "message", "newer"]);
  const atEnd = run(joinedWith(messages(99, 100), true), {
    type: "place.came",
    page: { messages: messages(98, 99, 100), more: true },
  });
  assert.equal(atEnd.detached, false);
});

test("what is posted meanwhile leaves no hole, and is counted", () => {
  const state = run(inTheMiddle(), { type: "away" }, event("message.posted", message(101)));
  assert.deepEqual(seqs(state), [49, 50, 51]);
  assert.deepEqual([state.unseen, state.lastSeq], [1, 101]);
  const edited = run(state, event("message.edited", message(50, { body: "edited" })));
  assert.equal(edited.messages[1]?.body, "edited");
  assert.equal(run(state, event("message.edited", message(100))).messages.length, 3);
});

test("newer pages lead to the end, with what came while they were read", () => {
  let state = run(
    inTheMiddle(),
    { type: "newer.asked" },
    event("message.posted", message(101)),
    event("message.edited", message(53, { body: "edited" })),
    { type: "newer.came", since: 51, page: { messages: messages(52, 53), more: true } },
  );
  assert.deepEqual(seqs(state), [49, 50, 51, 52, 53]);
  assert.deepEqual([state.detached, state.messages.at(-1)?.body], [true, "edited"]);
  state = run(
    state,
    { type: "newer.asked" },
    event("message.posted", message(102)),
    { type: "newer.came", since: 53, page: { messages: messages(54, 100, 101), more: false } },
    event("message.posted", message(103)),
  );
  assert.deepEqual(seqs(state), [49, 50, 51, 52, 53, 54, 100, 101, 102, 103]);
  assert.equal(state.detached, false);
});

test("an answer for a window that is another by now changes nothing", () => {
  const state = run(
    inTheMiddle(),
    { type: "newer.asked" },
    { type: "latest.came", page: { messages: messages(99, 100), more: true } },
    { type: "newer.came", since: 51, page: { messages: messages(52), more: true } },
  );
  assert.deepEqual([seqs(state), state.detached], [[99, 100], false]);
});

test("an own post that is answered in a detached window waits for the end", () => {
  const state = run(
    inTheMiddle(),
    { type: "posts", posts: [{ id: "mine", body: "hi", at: at(5), error: null }], isOwn: true },
    { type: "post.answered", id: "mine", seq: 101, at: at(5), isKnown: false },
  );
  assert.deepEqual([seqs(state), state.pending], [[49, 50, 51], []]);
});

test("however pages and events come, the window has no hole, no doubles, and the latest text", () => {
  const LAST = 30;
  fc.assert(
    fc.property(fc.array(fc.nat(5), { maxLength: 40 }), (steps) => {
      const server = new Map(Array.from({ length: LAST }, (_, index) => [index + 1, message(index + 1)]));
      /** @type {RoomState} */
      let state = run(joinedWith([...server.values()].slice(-5), true));
      /** @param {RoomAction} action */
      const act = (action) => (state = run(state, action));
      const change = () => {
        const seq = (server.size * 7) % server.size || server.size;
        const changed = { .../** @type {Message} */ (server.get(seq)), body: `changed ${Math.random()}` };
        server.set(seq, changed);
        act(event("message.edited", changed));
      };
      for (const step of steps) {
        const all = [...server.values()];
        if (step === 0) {
          const posted = message(server.size + 1);
          server.set(posted.seq, posted);
          act(event("message.posted", posted));
        } else if (step === 1) change();
        else if (step === 2) act({ type: "place.came", page: { messages: all.slice(8, 12), more: true } });
        else if (step === 3) {
          const since = state.messages.at(-1)?.seq ?? 0;
          act({ type: "newer.asked" });
          const read = all.filter(({ seq }) => seq > since).slice(0, 4);
          change();
          const more = all.filter(({ seq }) => seq > since).length > 4;
          act({ type: "newer.came", since, page: { messages: read, more } });
        } else if (step === 4) {
          act({ type: "newer.asked" });
          act({ type: "latest.came", page: { messages: all.slice(-5), more: true } });
        } else {
          const before = state.floor;
          act({ type: "history.asked" });
          const read = all.filter(({ seq }) => seq < before).slice(-4);
          change();
          act({ type: "history.came", before, page: { messages: read, more: (read[0]?.seq ?? 1) > 1 } });
        }
        const shown = seqs(state);
        const first = shown[0] ?? 0;
        assert.deepEqual(
          shown,
          shown.map((_, index) => first + index),
        );
        for (const { seq, body } of state.messages) assert.equal(body, server.get(seq)?.body, `seq ${seq}`);
        if (!state.detached) assert.equal(shown.at(-1), server.size);
      }
    }),
  );
});

// The new line

test("the line stands before the first message of another user that was not read", () => {
  const own = message(3, { user: ALICE });
  const state = run(joinedWith([message(1), message(2), own, message(4)]), { type: "line.drawn", after: 2 });
  assert.equal(state.newFrom, 4);
  assert.deepEqual(kinds(state), ["beginning", "day", "message", "message", "message", "new", "message"]);
  assert.equal(run(state, { type: "line.removed" }).newFrom, null);
  assert.equal(run(state, { type: "line.drawn", after: 4 }).newFrom, null);
});

test("a room that is not shown any more keeps its messages, and nobody is there", () => {
  const state = run(joinedWith(messages(1, 2)), { type: "stopped" });
  assert.deepEqual([seqs(state), state.joined, state.present], [[1, 2], false, null]);
  assert.deepEqual(seqs(run(state, page(messages(2, 3)), joined())), [2, 3]);
});

// Rows

test("a post and its message are one row", () => {
  const post = { id: "id-2", body: "words 2", at: at(2), error: null };
  const waiting = run(joinedWith([message(1)]), { type: "posts", posts: [post] });
  const saved = run(waiting, event("message.posted", message(2, { user: ALICE })));
  assert.equal(rows(waiting).at(-1)?.key, rows(saved).at(-1)?.key);
  const [one, other] = [message(1, { id: "same" }), message(2, { id: "same", user: ALICE })];
  const keys = rows(joinedWith([one, other])).map(({ key }) => key);
  assert.equal(new Set(keys).size, keys.length, "ids of two users may be the same");
});

test("deleted messages in a row are one row", () => {
  const gone = { deleted: true, body: "" };
  const state = joinedWith([message(1), message(2, gone), message(3, { ...gone, user: ALICE }), message(4)]);
  const folded = rows(state).at(-2);
  assert.deepEqual(kinds(state), ["beginning", "day", "message", "deleted", "message"]);
  assert.deepEqual(folded?.kind === "deleted" && [folded.first, folded.seq, folded.count], [2, 3, 2]);
  const last = rows(state).at(-1);
  assert.equal(last?.kind === "message" && last.starts, true);
  const days = joinedWith([message(1, gone), message(2, { ...gone, at: at(60 * 24) })]);
  assert.deepEqual(kinds(days), ["beginning", "day", "message", "day", "message"], "each day has its own");
  const news = run(joinedWith([message(1, gone), message(2, gone)]), { type: "line.drawn", after: 0 });
  assert.equal(news.newFrom, null);
});

test("days never go back: by clocks that differ, and by a browser whose clock is wrong", () => {
  const day = 60 * 24;
  const swapped = joinedWith([
    message(1),
    message(2, { at: at(day) }),
    message(3, { at: at(0) }),
    message(4, { at: at(day) }),
  ]);
  assert.equal(kinds(swapped).filter((kind) => kind === "day").length, 2);
  for (const minutes of [-day, -3 * day]) {
    const post = { id: "x", body: "hi", at: at(minutes), error: null };
    const state = run(joinedWith([message(1, { user: BOB })]), { type: "posts", posts: [post] });
    assert.deepEqual(kinds(state), ["beginning", "day", "message", "pending"], `${minutes} minutes`);
  }
  const ahead = { id: "x", body: "hi", at: new Date(Date.now() + 3 * day * 60_000).toISOString(), error: null };
  const state = run(joinedWith([message(1, { at: new Date().toISOString() })]), { type: "posts", posts: [ahead] });
  assert.deepEqual(kinds(state), ["beginning", "day", "message", "pending"]);
});

// What a review has found

test("a room that is shown again has no line of what was new before", () => {
  const read = run(joinedWith(messages(1, 2, 3)), { type: "line.drawn", after: 1 }, { type: "away" });
  const state = run(read, event("message.posted", message(4)), { type: "stopped" });
  assert.deepEqual([state.newFrom, state.unseen], [null, 0]);
});

test("a post is one row when its message comes before its answer", () => {
  const post = { id: "mine", body: "hi", at: at(9), error: null };
  const mine = message(101, { id: "mine", user: ALICE, body: "hi" });
  const waiting = run(joinedWith(messages(99, 100), true), { type: "posts", posts: [post] });
  for (const states of [
    run(waiting, page([message(100), mine])),
    run(waiting, { type: "latest.came", page: { messages: [message(100), mine], more: true } }),
    run(waiting, { type: "place.came", page: { messages: [message(100), mine], more: true } }),
  ]) {
    assert.deepEqual(states.pending, []);
    const keys = rows(states).map(({ key }) => key);
    assert.equal(new Set(keys).size, keys.length);
  }
});

test("an answered edit leaves another editor open", () => {
  const state = run(
    joinedWith([message(5, { user: ALICE }), message(6, { user: ALICE })]),
    { type: "edit.opened", seq: 6 },
    { type: "edit.answered", seq: 5, body: "better", at: at(7), isKnown: false },
  );
  assert.deepEqual([state.editing, state.messages[0]?.body], [6, "better"]);
});

test("what changes while a place is read is newer than its page", () => {
  const state = run(
    joinedWith(messages(99, 100), true),
    { type: "newer.asked" },
    event("message.deleted", message(50, { deleted: true, body: "" })),
    { type: "place.came", page: { messages: messages(49, 50, 51), more: true } },
  );
  assert.deepEqual([state.messages[1]?.deleted, seqs(state)], [true, [49, 50, 51]]);
});
