import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { addressOf, linkEdit, pastedLinkEdit, unlinkEdit } from "../../chat/static/chat/js/composer-link.js";
import { parse } from "../../chat/static/chat/js/formatting.js";

/**
 * @param {string} text
 * @param {import("../../chat/static/chat/js/types.js").TextEdit} edit
 */
const apply = (text, { from, to, insert }) => text.slice(0, from) + insert + text.slice(to);

test("an address without a scheme is one of the web, and none that a link cannot open", () => {
  for (const [typed, address] of [
    ["example.org", "https://example.org"],
    [" example.org/a?b=c#d ", "https://example.org/a?b=c#d"],
    ["http://example.org", "http://example.org"],
    ["//example.org", "https://example.org"],
    ["localhost:8000/x", "https://localhost:8000/x"],
    ["example.org/Tea_(drink)", "https://example.org/Tea_%28drink%29"],
    ["example.org/two words", "https://example.org/two%20words"],
    ["javascript:alert(1)", null],
    ["mailto:a@example.org", null],
    ["user@example.org", null],
    ["two words", null],
    ["", null],
    ["https://", null],
  ]) {
    assert.equal(addressOf(String(typed)), address, String(typed));
  }
});

test("a link is drawn as it was asked for, and without a text as its address", () => {
  const address = "https://example.org/a";
  assert.equal(apply("see  now", linkEdit(4, 4, { address, text: "" })), `see ${address} now`);
  assert.equal(apply("see page", linkEdit(4, 8, { address, text: "page" })), `see [page](${address})`);
  const { insert, start, end } = linkEdit(4, 8, { address, text: "[a] page" });
  assert.equal(insert, `[\\[a\\] page](${address})`);
  assert.deepEqual([start, end], [4 + insert.length, 4 + insert.length], "the caret is behind it");
  const typed = addressOf("example.org/Tea_(drink)") ?? "";
  const [block] = parse(linkEdit(0, 0, { address: typed, text: "Tea" }).insert);
  assert.match(JSON.stringify(block), /"link","href":"https:\/\/example.org\/Tea_%28drink%29","children":\["Tea"\]/);
});

test("a link that is selected gives its text back", () => {
  const texts = fc.string({ unit: fc.constantFrom("a", " ", "[", "]", "(", ")", "é"), minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(texts, (text) => {
      fc.pre(text.trim() !== "");
      const made = linkEdit(0, 0, { address: "https://example.org", text }).insert;
      const edit = unlinkEdit(made, 0, made.length);
      assert.equal(edit?.insert, text);
    }),
  );
  assert.equal(unlinkEdit("[a](https://x.y)", 1, 2), null);
});

test("an address that is pasted on a text becomes its link", () => {
  const edit = pastedLinkEdit("see [the] page", 4, 14, "https://example.org/a");
  assert.equal(edit?.insert, "[\\[the\\] page](https://example.org/a)");
  assert.equal(pastedLinkEdit("see ", 4, 4, "https://example.org"), null, "there is nothing to be its label");
  assert.equal(pastedLinkEdit("https://a.example", 0, 17, "https://b.example"), null, "it replaces the other one");
  assert.equal(pastedLinkEdit("see", 0, 3, "example"), null);
  assert.equal(pastedLinkEdit("see", 0, 3, "javascript:alert(1)"), null);
});
