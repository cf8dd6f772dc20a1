import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { clean, countChars } from "../../chat/static/chat/js/body.js";

const { kept, blank } = JSON.parse(readFileSync(new URL("../chat/bodies.json", import.meta.url), "utf8"));

test("bodies are cleaned as the server cleans them", () => {
  for (const [typed, body] of kept) assert.equal(clean(typed), body, JSON.stringify(typed));
});

test("a body without a visible character is empty", () => {
  for (const typed of blank) assert.equal(clean(typed), "", JSON.stringify(typed));
});

test("characters that Unicode calls blank are blank, and so are letters without ink, but no others", () => {
  for (let code = 0; code < 0x110000; code += 1) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const char = String.fromCodePoint(code);
    if (/[\p{White_Space}\p{Cc}\p{Default_Ignorable_Code_Point}]/u.test(char))
      assert.equal(clean(char), "", code.toString(16));
    if (/[\p{L}\p{N}\p{P}\p{S}\p{Co}]/u.test(char)) assert.ok(clean(char) !== "" || isFiller(code), code.toString(16));
  }
});

/**
 * Whether a letter has no ink, beside those that Unicode ignores by default.
 *
 * @param {number} code
 */
function isFiller(code) {
  return (
    /\p{Default_Ignorable_Code_Point}/u.test(String.fromCodePoint(code)) ||
    (code >= 0x13441 && code <= 0x13446) ||
    code === 0x1d159 ||
    code === 0x2800
  );
}

test("the page and the server have the same list of characters", () => {
  /**
   * @param {string} path
   * @param {RegExp} pattern  of an escaped character
   */
  const read = (path, pattern) => {
    const source = readFileSync(new URL(`../../chat/${path}`, import.meta.url), "utf8");
    const [declared = ""] = /BLANK =.*?(?=;\n|\n\))/s.exec(source) ?? [];
    return [...declared.matchAll(pattern)].map(([, code]) => Number.parseInt(code, 16));
  };
  const page = read("static/chat/js/body.js", /\\u\{([\dA-F]+)\}/g);
  assert.ok(page.length > 30);
  assert.deepEqual(page, read("validators.py", /\\[uU]([\da-f]{4}(?:[\da-f]{4})?)/g));
});

test("a long blank body is cleaned quickly", () => {
  const began = performance.now();
  for (const typed of [
    " ".repeat(64_000),
    `${"\u3164".repeat(32_000)}x${"\u{e0001}".repeat(32_000)}`,
    `a${"\n".repeat(64_000)}b`,
  ])
    clean(typed);
  assert.ok(performance.now() - began < 1_000);
});

test("a body is sent in normal form, without half characters, and counted as the server counts", () => {
  assert.equal(clean(" \ne\u0301\n"), "é");
  assert.equal(countChars(clean("👍🏽é")), 3);
});
