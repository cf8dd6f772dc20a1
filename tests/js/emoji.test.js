import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { emojiIn, named } from "../../chat/static/chat/js/emoji-names.js";
import { recentEmoji, rememberEmoji } from "../../chat/static/chat/js/emoji-recent.js";
import { search, step } from "../../chat/static/chat/js/emoji-search.js";
import groups from "../../chat/static/chat/vendor/emoji/emoji.js";
import german from "../../chat/static/chat/vendor/emoji/emoji-de.js";
import { storage } from "./storage.js";

beforeEach(() => {
  const local = storage();
  Object.defineProperty(globalThis, "localStorage", { configurable: true, get: () => local });
});

/** @param {string} query */
const first = (query) => search(groups, query)[0]?.[1];

test("emoji are found by name, by other words and by short names", () => {
  assert.equal(first("fox"), "fox");
  assert.equal(first("thumbs up"), "thumbs up");
  assert.equal(first(":thumbs_up:"), "thumbs up");
  assert.equal(first("+1"), "thumbs up");
  assert.equal(first("Party Pop"), "party popper");
  assert.equal(first("🦊"), "fox");
  assert.deepEqual(search(groups, "there is no such emoji"), []);
  assert.ok(search(groups, "face").length > 10);
});

test("the list has each emoji once, with a name, and none that few devices show", () => {
  const all = groups.flatMap(([, emoji]) => emoji);
  assert.ok(all.length > 1_500);
  assert.equal(new Set(all.map(([sign]) => sign)).size, all.length);
  assert.ok(all.every(([, name]) => name !== ""));
});

test("a German page finds emoji by German and by English names, in any case", async () => {
  const groups = await emojiIn("de-AT");
  /** @param {string} query */
  const first = (query) => search(groups, query)[0]?.slice(0, 2);
  assert.deepEqual(first("fuchs"), ["🦊", "Fuchs"]);
  assert.deepEqual(first("daumen hoch"), ["👍", "Daumen hoch"]);
  assert.deepEqual(first("deutschland"), ["🇩🇪", "Flagge: Deutschland"]);
  assert.deepEqual(first("ÜBERRASCHT GESICHT")?.[0], first("überrascht gesicht")?.[0]);
  assert.deepEqual(first("konfetti"), ["🎉", "Konfettibombe"]);
  assert.deepEqual(first(":tada:"), ["🎉", "Konfettibombe"]);
  assert.deepEqual(first("fox"), ["🦊", "Fuchs"]);
});

test("each emoji has a German name, and other languages have the English ones", async () => {
  assert.equal(german.length, groups.flatMap(([, emoji]) => emoji).length);
  assert.ok(german.every(([name]) => name !== ""));
  assert.equal(await emojiIn("fr"), groups);
  assert.equal(await emojiIn(""), groups);
  assert.deepEqual(named([["Signs", [["☕", "hot beverage", "tea"]]]], []), [
    ["Signs", [["☕", "hot beverage", "hot beverage tea"]]],
  ]);
});

test("arrow keys go along rows that begin anew in each group", () => {
  const sizes = [5, 4]; // In three columns: 0 1 2, 3 4, then 5 6 7, 8.
  assert.equal(step(-1, "down", sizes, 3), 0);
  assert.equal(step(1, "down", sizes, 3), 4);
  assert.equal(step(2, "down", sizes, 3), 4, "the row below is shorter");
  assert.equal(step(4, "down", sizes, 3), 6);
  assert.equal(step(6, "up", sizes, 3), 4);
  assert.equal(step(8, "down", sizes, 3), 8);
  assert.equal(step(0, "up", sizes, 3), 0);
  assert.equal(step(4, "right", sizes, 3), 5);
  assert.equal(step(8, "right", sizes, 3), 8);
  assert.equal(step(0, "left", sizes, 3), 0);
  assert.equal(step(0, "down", [], 3), -1);
});

test("the last used ones are remembered, each once, the last one first", () => {
  for (const emoji of ["a", "b", "a"]) rememberEmoji(emoji);
  assert.deepEqual(recentEmoji(), ["a", "b"]);
  for (let number = 0; number < 30; number += 1) rememberEmoji(String(number));
  assert.equal(recentEmoji().length, 18);
  assert.equal(recentEmoji()[0], "29");
});

test("a storage that is forbidden or has something else does no harm", () => {
  localStorage.setItem("hubbub.emoji", "{");
  assert.deepEqual(recentEmoji(), []);
  localStorage.setItem("hubbub.emoji", '{"a": 1}');
  assert.deepEqual(recentEmoji(), []);
  Object.defineProperty(globalThis, "localStorage", {
    configurable: true,
    get() {
      throw new Error("forbidden");
    },
  });
  rememberEmoji("a");
  assert.deepEqual(recentEmoji(), []);
});
