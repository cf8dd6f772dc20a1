import assert from "node:assert/strict";
import { test } from "node:test";

import { findEntries, matches } from "../../chat/static/chat/js/jump-match.js";

/** @import { JumpEntry } from "../../chat/static/chat/js/jump-match.js" */

/**
 * @param {string} title
 * @param {Partial<JumpEntry>} more
 * @returns {JumpEntry}
 */
const room = (title, more = {}) => ({
  slug: title.toLowerCase(),
  title,
  private: false,
  archived: false,
  unread: 0,
  ...more,
});

/**
 * @param {JumpEntry[]} rooms
 * @param {string} query
 */
const found = (rooms, query) => findEntries(rooms, query).map(({ title }) => title);

test("titles that begin with the text come first, then words that do, then any place", () => {
  const rooms = ["Bigeneral", "The general store", "General", "Genetics", "Sales"].map((title) => room(title));
  assert.deepEqual(found(rooms, "gen"), ["General", "Genetics", "The general store", "Bigeneral"]);
});

test("equals are in natural order", () => {
  const rooms = ["Project 10", "Project 2", "project 1"].map((title) => room(title));
  assert.deepEqual(found(rooms, "proj"), ["project 1", "Project 2", "Project 10"]);
  assert.deepEqual(found(rooms, ""), ["project 1", "Project 2", "Project 10"]);
});

test("the server's order counts where it is known", () => {
  const rooms = [room("B", { sort: "1" }), room("A", { sort: "2" })];
  assert.deepEqual(found(rooms, ""), ["B", "A"]);
});

test("without a text unread rooms come first, and archived ones last", () => {
  const rooms = [room("Attic", { archived: true, unread: 4 }), room("Bar"), room("Cellar", { unread: 1 }), room("Den")];
  assert.deepEqual(found(rooms, " "), ["Cellar", "Bar", "Den", "Attic"]);
  assert.deepEqual(found([room("Attic", { archived: true }), room("The attic")], "att"), ["The attic", "Attic"]);
});

test("words are found in any order, each at the beginning of a word or anywhere", () => {
  const rooms = [room("Design reviews"), room("Foo-bar baz")];
  assert.deepEqual(found(rooms, "rev des"), ["Design reviews"]);
  assert.deepEqual(found(rooms, "bar"), ["Foo-bar baz"]);
  assert.deepEqual(found(rooms, "foo-b"), ["Foo-bar baz"]);
  assert.deepEqual(found(rooms, "des x"), []);
});

test("case and accents do not count, and signs and other scripts are found", () => {
  const rooms = [room("Café Zürich"), room("🎉 Party"), room("C++"), room("قاعة الاجتماعات"), room("東京会議室")];
  for (const [query, title] of [
    ["CAFE zur", "Café Zürich"],
    ["café", "Café Zürich"],
    ["🎉", "🎉 Party"],
    ["c++", "C++"],
    ["الاج", "قاعة الاجتماعات"],
    ["会議", "東京会議室"],
  ]) {
    assert.deepEqual(found(rooms, query ?? ""), [title]);
  }
});

test("a room is also found by its address", () => {
  assert.deepEqual(found([room("Kitchen", { slug: "tea-room" })], "tea"), ["Kitchen"]);
});

test("a thousand rooms are searched at once", () => {
  const rooms = Array.from({ length: 1_000 }, (_, number) => room(`Project ${number} of the team`));
  const began = performance.now();
  assert.equal(findEntries(rooms, "pro te 99").length, 19);
  assert.ok(performance.now() - began < 200);
});

test("a search narrows names by all of its words", () => {
  assert.ok(matches("Zoë Müller", "mul zoe"));
  assert.ok(matches("anything", " "));
  assert.ok(!matches("Zoë Müller", "anna"));
});
