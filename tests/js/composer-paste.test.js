import assert from "node:assert/strict";
import { test } from "node:test";

import "./served.js";

const { blockEdit, looksLikeCode } = await import("../../chat/static/chat/js/composer-paste.js");

const CODE = [
  "def f(x):\n    return x + 1",
  "if (a) {\n  b();\n}",
  "const a = 1;\nconst b = 2;",
  "#include <stdio.h>\nint main(void) {\n\treturn 0;\n}",
  "<ul>\n  <li>one</li>\n</ul>",
  '{\n  "a": 1,\n  "b": [2]\n}',
];
const TEXT = [
  "const a = 1;",
  "A sentence.\nAnother one.",
  "- one\n- two\n  - three:",
  "1. first;\n2. second;\n3. third;",
  "Hello Ada,\n\nthe room is ready.\n\nBest,\nBob",
  "```\nlet a;\nlet b;\n```",
  "漢字\n仮名",
];

test("code is told from text by several lines with indents, braces and semicolons", () => {
  for (const code of CODE) assert.equal(looksLikeCode(code, ["text/plain"], ""), true, code);
  for (const text of TEXT) assert.equal(looksLikeCode(text, ["text/plain"], ""), false, text);
});

test("several lines from an editor are code", () => {
  assert.equal(looksLikeCode("a\nb", ["text/plain", "vscode-editor-data"], ""), true);
  assert.equal(looksLikeCode("a\nb", [], "<pre>a\nb</pre>"), true);
  assert.equal(looksLikeCode("a\nb", [], '<div style="font-family: Menlo, monospace">a</div>'), true);
  assert.equal(looksLikeCode("a\nb", [], "<p>a</p><p>b</p>"), false);
  assert.equal(looksLikeCode("a", ["vscode-editor-data"], ""), false, "a name is no block");
});

test("a block stands on lines of its own, between fences that are longer than its own", () => {
  /**
   * @param {string} text
   * @param {number} start
   * @param {number} end
   */
  const block = (text, start, end) => {
    const edit = blockEdit(text, start, end);
    return text.slice(0, edit.from) + edit.insert + text.slice(edit.to);
  };
  assert.equal(block("  a();\n", 0, 7), "```\n  a();\n```");
  assert.equal(block("see a();now", 4, 8), "see \n```\na();\n```\nnow");
  assert.equal(block("a\n````\n", 0, 7), "`````\na\n````\n`````");
});
