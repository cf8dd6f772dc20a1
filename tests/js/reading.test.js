import assert from "node:assert/strict";
import { test } from "node:test";

import { ReadReports } from "../../chat/static/chat/js/read-reports.js";
import {
  answered,
  known,
  moved,
  NOTHING_READ,
  told,
  unreadByRoom,
  unreadIn,
} from "../../chat/static/chat/js/reading.js";

/**
 * @param {string} room
 * @param {object} own
 */
function event(room, own) {
  return { type: /** @type {const} */ ("person.room"), topic: "person/1", position: 1, room, ...own };
}

test("unread is what is above the read position, and never negative", () => {
  let state = known(NOTHING_READ, { tea: { read_seq: 3 }, milk: { read_seq: 9 }, bread: {} });
  state = moved(state, [
    { slug: "tea", last_seq: 5 },
    { slug: "milk", last_seq: 7 },
    { slug: "bread", last_seq: 2 },
    { slug: "never-entered", last_seq: 8 },
  ]);
  assert.deepEqual(unreadByRoom(state), { tea: 2, bread: 2 });
  assert.equal(unreadIn(state, "never-entered"), 0);
  assert.equal(unreadIn(moved(state, [{ slug: "tea", last_seq: 4 }]), "tea"), 2);
});

test("events replace what was known of their rooms only", () => {
  const before = moved(known(NOTHING_READ, { tea: { read_seq: 3, muted: true }, milk: {} }), [
    { slug: "tea", last_seq: 5 },
  ]);
  const state = told(before, [event("tea", { read_seq: 4 }), event("tea", { read_seq: 1, read_version: 1 })]);
  assert.equal(unreadIn(state, "tea"), 4);
  assert.equal(state.rooms.tea?.muted, undefined);
  assert.deepEqual(state.rooms.milk, {});
  assert.equal(unreadIn(before, "tea"), 2);
});

test("an answer that is older than what is known changes nothing", () => {
  const state = told(NOTHING_READ, [event("tea", { read_seq: 2, read_version: 1 })]);
  assert.equal(answered(state, "tea", 9, 0), state);
  assert.equal(answered(state, "tea", 1, 1), state);
  assert.equal(answered(state, "tea", 5, 1).rooms.tea?.read_seq, 5);
  assert.equal(answered(state, "tea", 0, 2).rooms.tea?.read_seq, 0);
  assert.equal(answered(state, "milk", 0, 0).rooms.milk?.read_seq, 0);
});

class Place {
  now = 10_000;
  isLooking = true;
  /** @type {[number, number][]} */
  sent = [];
  /** @type {(() => void)[]} */
  timers = [];
  /** @type {[number, number] | null} */
  stored = null;
  reports = new ReadReports({
    send: (seq, version) => {
      this.sent.push([seq, version]);
      const [storedSeq, storedVersion] = this.stored ?? [seq, version];
      return Promise.resolve({ seq: storedSeq, version: storedVersion });
    },
    isLooking: () => this.isLooking,
    now: () => this.now,
    later: (run) => this.timers.push(run),
  });
}

test("what was on screen is reported once, and at most once in two seconds", async () => {
  const place = new Place();
  place.reports.stored(2, 0);
  place.reports.saw(2);
  assert.deepEqual(place.sent, []);
  place.reports.saw(3);
  assert.deepEqual(place.sent, [[3, 0]]);
  await Promise.resolve();
  place.now += 100;
  for (const seq of [4, 5, 6]) place.reports.saw(seq);
  assert.equal(place.sent.length, 1);
  assert.equal(place.timers.length, 1);
  place.timers.pop()?.();
  assert.deepEqual(place.sent.at(-1), [6, 0]);
  await Promise.resolve();
  place.reports.leave();
  assert.equal(place.sent.length, 2);
});

test("nothing is read without focus, and what is on screen is when the focus comes", () => {
  const place = new Place();
  place.isLooking = false;
  place.reports.saw(3);
  place.reports.leave();
  assert.deepEqual(place.sent, []);
  place.reports.saw(2);
  place.isLooking = true;
  place.reports.look();
  assert.deepEqual(place.sent, [[2, 0]]);
});

test("a mark of another page counts: what was seen before it is not reported with its version", async () => {
  const place = new Place();
  place.reports.saw(5);
  await Promise.resolve();
  place.reports.saw(0);
  place.reports.stored(1, 1);
  place.now += 5_000;
  place.reports.leave();
  assert.deepEqual(place.sent, [[5, 0]]);
  place.reports.saw(6);
  assert.deepEqual(place.sent.at(-1), [6, 1]);
  place.reports.stored(9, 0);
  place.now += 5_000;
  place.reports.saw(7);
  assert.deepEqual(place.sent.at(-1), [7, 1]);
});

test("a page is left: what waits is reported at once", () => {
  const place = new Place();
  place.reports.saw(1);
  place.reports.saw(2);
  assert.deepEqual(place.sent, [[1, 0]]);
  place.reports.leave();
  assert.deepEqual(place.sent.at(-1), [2, 0]);
});

test("messages that were marked unread stay so while they are on screen", async () => {
  const place = new Place();
  place.reports.saw(5);
  await Promise.resolve();
  place.reports.pause();
  place.reports.stored(2, 1);
  place.now += 5_000;
  place.reports.look();
  place.reports.leave();
  assert.deepEqual(place.sent, [[5, 0]]);
  place.reports.resume();
  place.reports.look();
  assert.deepEqual(place.sent.at(-1), [5, 1]);
});
