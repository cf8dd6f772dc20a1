import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import fc from "fast-check";
import { parseHTML } from "linkedom";

import { parse } from "../../chat/static/chat/js/formatting.js";

/** @import { Block, Inline } from "../../chat/static/chat/js/types.js" */

/** @type {[string, string, string][]} */
const CASES = JSON.parse(readFileSync(new URL("../chat/formatting.json", import.meta.url), "utf8"));
const MARKS = { bold: "b", italic: "i", strike: "s" };

/**
 * @param {Block} block
 * @returns {string}
 */
function blockOutline(block) {
  switch (block.kind) {
    case "paragraph":
      return `<p>${block.children.map(outline).join("")}</p>`;
    case "code":
      return `<pre${block.language && ` ${block.language}`}>${block.text}</pre>`;
    case "quote":
      return `<quote>${block.children.map(blockOutline).join("")}</quote>`;
    case "list": {
      const items = block.items.map((item) => `<li>${item.map(blockOutline).join("")}</li>`).join("");
      return block.start === null ? `<ul>${items}</ul>` : `<ol ${block.start}>${items}</ol>`;
    }
  }
}

/**
 * @param {Inline} inline
 * @returns {string}
 */
function outline(inline) {
  if (typeof inline === "string") return inline;
  switch (inline.kind) {
    case "break":
      return "<br>";
    case "code":
      return `<code>${inline.text}</code>`;
    case "link":
      return `<a ${inline.href}${inline.target && ` (${inline.target})`}>${inline.children.map(outline).join("")}</a>`;
    default:
      return `<${MARKS[inline.kind]}>${inline.children.map(outline).join("")}</${MARKS[inline.kind]}>`;
  }
}

const outlineOf = (/** @type {string} */ text) => parse(text).map(blockOutline).join("").replaceAll(/\s+/g, " ");

for (const [text, expected] of CASES) {
  test(`formatting: ${JSON.stringify(text)}`, () => assert.equal(outlineOf(text), expected));
}

test("indents are kept", () => {
  assert.deepEqual(parse("    if x:\n        y()\nend"), [
    { kind: "paragraph", children: ["    if x:", { kind: "break" }, "        y()", { kind: "break" }, "end"] },
  ]);
});

test("links open http, https and mail alone, and say where they lead", () => {
  const links = (/** @type {string} */ text) => outlineOf(text).match(/<a [^>]*>/g);
  for (const text of [
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](vbscript:x)",
    "[x](//evil.example)",
    "[x](https://good.example@evil.example/)",
    "<javascript:x>",
    "[x](file:///etc)",
  ]) {
    assert.equal(links(text), null, text);
  }
  assert.deepEqual(links("[https://good.example](https://evil.example/)"), [
    "<a https://evil.example/ (evil.example)>",
  ]);
  assert.deepEqual(links("[x](https://www.pаypal.com)"), ["<a https://www.xn--pypal-4ve.com (www.xn--pypal-4ve.com)>"]);
  assert.deepEqual(links("[](https://a.org)"), ["<a https://a.org (a.org)>"]);
});

test("any text is parsed, and none of its visible letters is lost", () => {
  const part = fc.constantFrom(
    "*",
    "_",
    "`",
    "~~",
    "\n",
    " ",
    "> ",
    "- ",
    "1. ",
    "[",
    "](https://a.org)",
    "```\n",
    "a",
    "ب",
    "😀",
    "https://b.org/",
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      const text = parts.join("");
      const shown = outlineOf(text);
      const count = (/** @type {string} */ from) => [...from].filter((char) => "ب😀".includes(char)).length;
      assert.equal(count(shown), count(text), text);
    }),
    { numRuns: 2000 },
  );
});

test("elements hold the text as text, and links no direction marks", async () => {
  const { document } = parseHTML("<!doctype html><body></body>");
  Object.assign(globalThis, { document });
  const { formatted } = await import("../../chat/static/chat/js/formatted-text.js");
  const shown = (/** @type {string} */ text) => {
    document.body.replaceChildren(formatted(text));
    return document.body.innerHTML;
  };
  assert.equal(shown("<img src=x onerror=alert(1)>"), '<p dir="auto">&lt;img src=x onerror=alert(1)&gt;</p>');
  assert.match(shown("[a\u202eb](https://a.org)"), />ab<span [^>]*> \(a\.org\)<\/span><\/a>/);
  assert.match(
    shown("```js\nlet x = '<b>';\n```"),
    /<figcaption>js<\/figcaption><pre tabindex="0"><code dir="ltr">let x = '&lt;b&gt;';<\/code><\/pre>/,
  );
  assert.match(shown("3. a"), /<ol (?=[^>]*start="3")(?=[^>]*dir="ltr")/);
  assert.match(shown("- **\u05d0** a\n- b"), /<ul dir="rtl"><li>/);
  assert.match(shown("- 1"), /<ul><li>/);
});

test("the time for a hostile text grows with its length, not with its square", () => {
  /** @param {string} text */
  const fastest = (text) => {
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 7; round += 1) {
      const before = performance.now();
      parse(text);
      least = Math.min(least, performance.now() - before);
    }
    return least;
  };
  for (const part of [
    "[",
    "*a_",
    "`a",
    ">",
    "- ",
    "~~a",
    "**a *b ",
    "<",
    "[a](",
    "\\",
    "a\n",
    "1. a\n",
    "http://a.b/",
    "http://a)",
    "_a",
  ]) {
    const short = fastest(part.repeat(2000).slice(0, 2000));
    const long = fastest(part.repeat(8000).slice(0, 8000));
    assert.ok(long < 8 * short + 5, `${part}: ${short} ms, four times as long: ${long} ms`);
  }
});
