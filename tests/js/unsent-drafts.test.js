import assert from "node:assert/strict";
import { test } from "node:test";

import { Field } from "./draft-fields.js";
import { Family, SLUG } from "./tabs.js";

/** @import { Tab } from "./tabs.js" */

const { added } = await import("../../chat/static/chat/js/drafts-room.js");

/** @param {number} count */
function pages(count) {
  const family = new Family();
  const tabs = Array.from({ length: count }, () => family.open());
  return { family, tabs, fields: /** @type {Field[]} */ (tabs.map((tab) => new Field(tab))) };
}

/** @param {number} count */
const two = (count = 2) => /** @type {ReturnType<typeof pages> & { fields: [Field, Field] }} */ (pages(count));

test("a draft is the same in all tabs, and survives them", () => {
  const { family, fields } = two();
  const [a, b] = fields;
  a.press("h");
  a.press("i");
  family.tell();
  assert.equal(b.text, "hi");
  for (const tab of family.tabs) family.close(tab);
  assert.equal(new Field(family.open()).text, "hi");
});

test("a draft that is sent in one tab is gone in the others at once, also where it has the focus", () => {
  const { family, fields } = two();
  const [a, b] = fields;
  a.fill("hi");
  family.tell();
  b.focus();
  b.press("!");
  family.tell();
  assert.equal(a.send(), "hi!");
  family.tell();
  assert.equal(b.text, "");
  assert.equal(new Field(family.open()).text, "");
});

test("a key after the draft was sent elsewhere does not bring the sent text back, also in a tab that has slept", () => {
  const { family, fields } = two();
  const [a, b] = fields;
  a.fill("hi");
  family.tell();
  a.send();
  b.press("x"); // It has not heard of it.
  assert.equal(b.text, "x");
  family.tell();
  assert.equal(a.text, "x");
  assert.equal(new Field(family.open()).text, "x");
});

test("a tab whose field is focused and dirty keeps its own text; both texts are kept", () => {
  const { family, fields } = two();
  const [a, b] = fields;
  for (const field of fields) field.focus();
  a.fill("by a");
  b.fill("by b");
  family.tell();
  assert.deepEqual([a.text, b.text], ["by a", "by b"]);
  a.press(".");
  b.press(".");
  family.tell();
  assert.deepEqual([a.text, b.text], ["by a.", "by b."]);
  assert.equal(a.send(), "by a.");
  family.tell();
  assert.deepEqual([a.text, b.text], ["", "by b."]);
  for (const tab of family.tabs) family.close(tab);
  assert.equal(new Field(family.open()).text, "by b.");
});

test("an older text that is sent leaves the newer one of another tab", () => {
  const { family, fields } = two();
  const [a, b] = fields;
  a.focus();
  a.fill("hi");
  family.tell();
  b.press(" there");
  family.tell();
  assert.equal(a.send(), "hi");
  family.tell();
  assert.equal(b.text, "hi there");
});

test("two drafts are shown one after the other, not within the field that has just sent", () => {
  const { family, fields } = two();
  const [a, b] = fields;
  for (const field of fields) field.focus();
  a.fill("by a");
  b.fill("by b");
  family.tell();
  a.send();
  b.press("!");
  family.tell();
  family.close(/** @type {Tab} */ (family.tabs[1]));
  assert.equal(a.text, "");
  a.blur();
  assert.equal(a.text, "by b!");
});

test("a text that is cleared by hand is gone in the others", () => {
  const { family, fields } = two();
  const [a, b] = fields;
  a.fill("hi");
  family.tell();
  a.fill("");
  family.tell();
  assert.equal(b.text, "");
  assert.deepEqual([...(family.tabs[0]?.drafts.slugs() ?? [])], []);
});

test("two tabs that write at the same moment, each in a process of its own, keep both texts", () => {
  const { family, fields } = two();
  const [a, b] = fields;
  a.press("x");
  family.tell();
  const [key = ""] = Object.keys(family.shared);
  const before = family.shared.getItem(key) ?? "";
  a.press("a");
  const byA = family.shared.getItem(key) ?? "";
  family.shared.setItem(key, before); // The process of b has not got it yet.
  b.press("b");
  family.shared.setItem(key, byA); // The one of a won.
  family.tell();
  assert.deepEqual([a.text, b.text], ["xa", "xb"]);
  for (const tab of family.tabs) family.close(tab);
  const last = new Field(family.open());
  const texts = [last.send()];
  last.blur();
  texts.push(last.send());
  assert.deepEqual(texts.sort(), ["xa", "xb"]);
});

test("a storage that is cleared under a page loses no text of its field", () => {
  const { family, fields } = two();
  const [a] = fields;
  a.fill("hi");
  for (const key of Object.keys(family.shared)) family.shared.removeItem(key);
  family.tabs[0]?.news.push([null, null]);
  family.tell();
  assert.equal(a.text, "hi");
  assert.equal(new Field(family.open()).text, "hi");
});

test("the rooms with a draft are told when they change, by any tab; blanks are no draft", () => {
  const { family, fields } = two();
  const [a] = fields;
  /** @type {string[][]} */
  const told = [];
  family.tabs[1]?.drafts.onDrafts((slugs) => told.push([...slugs]));
  a.press("x");
  family.tell();
  a.send();
  family.tell();
  a.press(" ");
  family.tell();
  assert.deepEqual(told, [[], [SLUG], []]);
});

test("a full storage keeps the draft in its tab", () => {
  const { family, tabs, fields } = two();
  if (tabs[0]) tabs[0].isFull = true;
  fields[0].press("x");
  family.tell();
  fields[0].blur();
  assert.equal(fields[0].text, "x");
  assert.equal(tabs[0]?.store.isVolatile, true);
});

test("what was added to a text", () => {
  assert.equal(added("hi", "hi!"), "!");
  assert.equal(added("hi", "h-i"), "-");
  assert.equal(added("aa", "aaa"), "a");
  assert.equal(added("hi", "h"), "");
  assert.equal(added("hi", "new"), "new");
});
