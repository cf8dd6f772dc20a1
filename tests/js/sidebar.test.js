import assert from "node:assert/strict";
import { test } from "node:test";

import { known, moved, NOTHING_READ } from "../../chat/static/chat/js/reading.js";
import { neighbour, sectionOf, sections, shownRoom } from "../../chat/static/chat/js/sidebar-state.js";

/** @import { RoomEntry, SidebarRoom } from "../../chat/static/chat/js/types.js" */

/**
 * @param {string} slug
 * @param {Partial<SidebarRoom>} more
 * @returns {SidebarRoom}
 */
const room = (slug, more = {}) => ({
  slug,
  title: slug,
  private: false,
  archived: false,
  last_seq: 0,
  last: null,
  sort: slug,
  unread: 0,
  muted: false,
  favourite: false,
  draft: false,
  ...more,
});

/** @param {ReturnType<typeof sections>} shown */
const names = (shown) => shown.map(({ name, rooms }) => `${name}: ${rooms.map(({ slug }) => slug).join(" ")}`);

test("rooms stand in four sections, each in the server's order, and only in one", () => {
  const rooms = [
    room("d"),
    room("a"),
    room("b", { unread: 2 }),
    room("c", { favourite: true }),
    room("e", { unread: 3, favourite: true }),
    room("f", { unread: 3, muted: true }),
    room("g", { archived: true, unread: 9 }),
  ];
  assert.deepEqual(names(sections(rooms, null)), ["unread: b e", "favourites: c", "rooms: a d f", "archived: g"]);
});

test("the open room stays where it was, also when it is read", () => {
  const kept = /** @type {const} */ ({ slug: "b", section: "unread" });
  assert.deepEqual(names(sections([room("a"), room("b")], kept)), ["unread: b", "rooms: a"]);
  assert.deepEqual(names(sections([room("a"), room("b", { archived: true })], kept)), ["rooms: a", "archived: b"]);
  assert.deepEqual(names(sections([room("b", { unread: 1 })], { slug: "b", section: "rooms" })), ["rooms: b"]);
  assert.deepEqual(names(sections([room("b", { unread: 1, favourite: true })], { slug: "b", section: "rooms" })), [
    "favourites: b",
  ]);
});

test("what a room shows is the server's entry with the user's own", () => {
  /** @type {RoomEntry} */
  const entry = { slug: "tea", title: "Tea", private: true, archived: false, last_seq: 7, last: null, sort: "tea" };
  const own = moved(known(NOTHING_READ, { tea: { read_seq: 4, muted: true } }), [entry]);
  const shown = shownRoom(entry, own, new Set(["tea"]));
  assert.deepEqual(
    [shown.unread, shown.muted, shown.favourite, shown.draft, sectionOf(shown)],
    [3, true, false, true, "rooms"],
  );
  // Of the open room: what was on screen counts as read before the server has it.
  assert.deepEqual(
    [2, 5, 7, 9].map((seen) => shownRoom(entry, own, new Set(), seen).unread),
    [3, 2, 0, 0],
  );
});

test("keys go to the next room, around the ends, and only to unread ones if asked", () => {
  const shown = sections([room("a"), room("b"), room("c", { unread: 1 }), room("d", { archived: true })], null);
  assert.deepEqual(names(shown), ["unread: c", "rooms: a b", "archived: d"]);
  assert.equal(neighbour(shown, "a", 1, false), "b");
  assert.equal(neighbour(shown, "b", 1, false), "c");
  assert.equal(neighbour(shown, "c", -1, false), "b");
  assert.equal(neighbour(shown, "b", -1, true), "c");
  assert.equal(neighbour(shown, "c", 1, true), null);
  assert.equal(neighbour(shown, null, 1, false), "c");
  assert.equal(neighbour(shown, null, -1, false), "b");
  assert.equal(neighbour([], null, 1, false), null);
});
