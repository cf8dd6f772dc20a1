import assert from "node:assert/strict";
import { test } from "node:test";

import { inOrder, withNews } from "../../chat/static/chat/js/room-list.js";

/** @import { RoomEntry } from "../../chat/static/chat/js/types.js" */

/**
 * @param {string} slug
 * @param {Partial<RoomEntry>} more
 * @returns {RoomEntry}
 */
const entry = (slug, more = {}) => ({
  slug,
  title: slug,
  private: false,
  archived: false,
  last_seq: 0,
  last: null,
  sort: slug,
  ...more,
});

test("moved rooms are put into the list, gone ones taken out, and a state replaces all", () => {
  let rooms = withNews(new Map(), { items: [entry("a"), entry("b")], more: false });
  rooms = withNews(rooms, { type: "moved", topic: "rooms", items: [entry("a", { last_seq: 3 }), entry("c")] });
  rooms = withNews(rooms, { type: "gone", topic: "rooms", keys: ["b", "unknown"] });
  assert.deepEqual(
    inOrder(rooms).map(({ slug, last_seq }) => [slug, last_seq]),
    [
      ["a", 3],
      ["c", 0],
    ],
  );
  assert.deepEqual([...withNews(rooms, { items: [entry("d")], more: false }).keys()], ["d"]);
});

test("rooms are in the server's order, archived ones last", () => {
  const rooms = [entry("z", { sort: "1" }), entry("a", { sort: "2", archived: true }), entry("b", { sort: "3" })];
  const inList = inOrder(withNews(new Map(), { items: rooms, more: false }));
  assert.deepEqual(
    inList.map(({ slug }) => slug),
    ["z", "b", "a"],
  );
});
