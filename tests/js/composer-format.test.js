import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { isInFence } from "../../chat/static/chat/js/composer-blocks.js";
import { formatEdit, formatOfKey } from "../../chat/static/chat/js/composer-format.js";
import { leaveEdit } from "../../chat/static/chat/js/composer-leave.js";

/** @import { FormatKind, MarkKind } from "../../chat/static/chat/js/types.js" */

/** @typedef {Exclude<FormatKind, "link">} Kind */
/** @typedef {{ text: string, start: number, end: number }} Field */

/** @type {Kind[]} */
const MARKS = ["bold", "italic", "strike", "code"];
/** @type {Kind[]} */
const LINES = ["list", "quote", "code-block"];

/**
 * @param {Kind} kind
 * @param {Field} field
 * @returns {Field}
 */
function format(kind, { text, start, end }) {
  const edit = formatEdit(kind, text, start, end);
  return { text: text.slice(0, edit.from) + edit.insert + text.slice(edit.to), start: edit.start, end: edit.end };
}

/**
 * A field as text: the selection is between two bars, the caret is one.
 *
 * @param {string} shown
 * @returns {Field}
 */
function field(shown) {
  const [before = "", selected = "", after] = shown.split("|");
  if (after === undefined) return { text: before + selected, start: before.length, end: before.length };
  return { text: before + selected + after, start: before.length, end: before.length + selected.length };
}

/** @param {Field} field */
const show = ({ text, start, end }) =>
  `${text.slice(0, start)}|${start === end ? "" : `${text.slice(start, end)}|`}${text.slice(end)}`;

/** @type {[Kind, string, string][]} */
const CASES = [
  ["bold", "a |word| here", "a **|word|** here"],
  ["bold", "a **|word|** here", "a |word| here"],
  ["bold", "a |**word**| here", "a |word| here"],
  ["bold", "a| word |b", "a **|word|** b"],
  ["bold", "|*both*|", "***|both|***"],
  ["italic", "**|both|**", "***|both|***"],
  ["italic", "***|both|***", "**|both|**"],
  ["bold", "hi |", "hi **|**"],
  ["bold", "hi **|**", "hi |"],
  ["bold", "Hello **bold|**", "Hello **bold**|"],
  ["bold", "Hello **bold |** word", "Hello **bold** | word"],
  ["bold", "**two *words|***", "**two *words***|"],
  ["italic", "**two *words|***", "**two *words*|**"],
  ["bold", "***x*|**", "***x***|"],
  ["italic", "***x**|*", "***x***|"],
  ["italic", "2 * 3, *and|*", "2 * 3, *and*|"],
  ["bold", "**one** two|**", "**one** two**|****"],
  ["bold", "**one**\n\ntwo|**", "**one**\n\ntwo**|****"],
  ["italic", "* item|*", "* item*|**"],
  ["italic", "**bold|**", "**bold*|***"],
  ["strike", "~~gone|~~ and", "~~gone~~| and"],
  ["strike", "~~|~~", "|"],
  ["code", "run `ls|`", "run `ls`|"],
  ["code", "run `ls -|`", "run `ls -`|"],
  ["code", "``a`b|``", "``a`b``|"],
  ["code", "`|`", "|"],
  ["bold", "****|a|****", "******|a|******"],
  ["bold", "******|a|******", "****|a|****"],
  ["strike", "|gone|", "~~|gone|~~"],
  ["bold", "|- one\n- two|", "- |**one**\n- **two**|"],
  ["bold", "|one\n\ntwo|", "|**one**\n\n**two**|"],
  ["bold", "|**one**\n**two**|", "|one\ntwo|"],
  ["bold", "|**one**\ntwo|", "|**one**\n**two**|"],
  ["code", "run |ls| now", "run `|ls|` now"],
  ["code", "|a`b|", "``|a`b|``"],
  ["code", "|`a`|", "|a|"],
  ["code", "a |", "a `|`"],
  ["code-block", "before\n|let a;\nlet b;|\nafter", "before\n```\n|let a;\nlet b;|\n```\nafter"],
  ["code-block", "```\n|let a;|\n```", "|let a;|"],
  ["code-block", "|```js|", "````\n|```js|\n````"],
  ["code-block", "|", "```\n|\n```"],
  ["list", "|one\n\ntwo|", "|- one\n\n- two|"],
  ["list", "|- one\n- two|", "|one\ntwo|"],
  ["list", "|", "- |"],
  ["quote", "|one\n\ntwo|", "|> one\n> \n> two|"],
  ["quote", "some| words", "> some words|"],
];

test("a format goes around the selection, or away where it is", () => {
  for (const [kind, before, after] of CASES) {
    assert.equal(show(format(kind, field(before))), after, `${kind} of ${JSON.stringify(before)}`);
  }
});

/**
 * A text with a selection.
 *
 * @param {fc.Arbitrary<string>} texts
 */
const fields = (texts) =>
  fc.tuple(texts, fc.nat(), fc.nat()).map(([text, a, b]) => {
    const [start, end] = [a % (text.length + 1), b % (text.length + 1)].sort((a, b) => a - b);
    return { text, start: start ?? 0, end: end ?? 0 };
  });
const lineText = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", " ", "*", "`", "~", "-", ">", "1.", "😀", "é"), maxLength: 16 }),
  fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", " ")),
);
const wordLines = fc
  .array(
    fc.tuple(fc.constantFrom("", "- ", "> ", "  ", "1. ", "> - "), fc.stringMatching(/^[a-z](?:[a-z *`]{0,6}[a-z])?$/)),
    { minLength: 1, maxLength: 4 },
  )
  .map((lines) => lines.map(([sign, words]) => sign + words).join("\n"));
const anyText = fc.string({ unit: fc.constantFrom("a", " ", "\n", "`", "```\n", "- ", "> ", "\n\n"), maxLength: 12 });

/**
 * Whether the press moves the caret out of a mark, and sets none.
 *
 * @param {Kind} kind
 * @param {Field} field
 */
function leaves(kind, { text, start, end }) {
  return start === end && leaveEdit(/** @type {MarkKind} */ (kind), text, start) !== null;
}

test("a mark that is set, filled and left ends behind its text", () => {
  const words = fc.stringMatching(/^[a-z](?:[a-z ]{0,6}[a-z])?$/);
  for (const kind of MARKS) {
    fc.assert(
      fc.property(words, words, fc.constantFrom("", " "), (before, inside, space) => {
        const set = format(kind, { text: `${before} `, start: before.length + 1, end: before.length + 1 });
        const sign = set.text.slice(set.start);
        const start = set.start + inside.length + space.length;
        const text = set.text.slice(0, set.start) + inside + space + sign;
        assert.equal(show(format(kind, { text, start, end: start })), `${before} ${sign}${inside}${sign}${space}|`);
      }),
    );
  }
});

test("a mark twice gives the text of a line back", () => {
  for (const kind of MARKS) {
    fc.assert(
      fc.property(fields(lineText), (before) => {
        const once = format(kind, before);
        fc.pre(!leaves(kind, before) && !leaves(kind, once));
        assert.equal(format(kind, once).text, before.text);
      }),
      { numRuns: 2000 },
    );
  }
});

test("a mark twice gives several lines back", () => {
  for (const kind of MARKS) {
    fc.assert(
      fc.property(wordLines, (text) => {
        const once = format(kind, { text, start: 0, end: text.length });
        assert.equal(format(kind, once).text, text);
      }),
      { numRuns: 1000 },
    );
  }
});

// An item or a quote in another one loses one level at a time, and a line with nothing else is blank without its sign.
// A blank line at the end of a block is outside of the block that it becomes again.
const BLANK_END = /\n\n`{3}/;
const NESTED = /^(?:- |> )(?:- |> |\s*$)/m;

test("a block twice gives any text back", () => {
  for (const kind of LINES) {
    fc.assert(
      fc.property(fields(anyText), (before) => {
        fc.pre(!(kind === "code-block" ? BLANK_END : NESTED).test(before.text));
        const once = format(kind, before);
        assert.equal(format(kind, once).text, before.text);
      }),
      { numRuns: 2000 },
    );
  }
});

test("the selection stays in the text", () => {
  for (const kind of [...MARKS, ...LINES]) {
    fc.assert(
      fc.property(fields(anyText), (before) => {
        const { text, start, end } = format(kind, before);
        assert.ok(0 <= start && start <= end && end <= text.length);
      }),
    );
  }
});

test("a place is in a fence from the line that opens it to the one that closes it", () => {
  for (const [text, isIn] of /** @type {[string, boolean][]} */ ([
    ["```", true],
    ["```js\nlet a;", true],
    ["```js\nlet a;\n```", false],
    ["```js\nlet a;\n```\nand", false],
    ["````\n```", true],
    ["~~~\n```", true],
    ["~~~\ncode\n~~~", false],
    ["```inline```", false],
    ["    ```", false],
    ["``", false],
    ["", false],
  ])) {
    assert.equal(isInFence(text, text.length), isIn, JSON.stringify(text));
  }
  assert.equal(isInFence("```\ncode\n```", 5), true, "the fence is closed below the caret");
});

test("keys have formats by letter and by place", () => {
  const key = { key: "b", code: "KeyB", ctrlKey: true, metaKey: false, shiftKey: false, altKey: false };
  assert.equal(formatOfKey(key, false), "bold");
  assert.equal(formatOfKey(key, true), null, "Ctrl+B moves the caret on a Mac");
  assert.equal(formatOfKey({ ...key, ctrlKey: false, metaKey: true }, true), "bold");
  assert.equal(formatOfKey({ ...key, ctrlKey: false }, false), null);
  assert.equal(formatOfKey({ ...key, altKey: true }, false), null, "AltGr writes letters");
  assert.equal(formatOfKey({ ...key, key: "и", code: "KeyB" }, false), "bold");
  assert.equal(formatOfKey({ ...key, key: "(", code: "Digit9", shiftKey: true }, false), "quote");
  assert.equal(formatOfKey({ ...key, key: "k", code: "KeyK" }, false), null, "the page's own");
});
