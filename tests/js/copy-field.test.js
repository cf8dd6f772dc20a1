import assert from "node:assert/strict";
import { test } from "node:test";

import { copy } from "../../hubbub/static/hubbub/js/copy-field.js";

/**
 * Copies a link: the text for the user, the commands that ran, and whether the link is selected.
 *
 * @param {{ clipboard?: Pick<Clipboard, "writeText">, command?: boolean }} browser  command: whether it succeeds
 */
async function copied({ clipboard, command = false }) {
  const field = {
    value: "https://chat.example/reset",
    focus() {},
    select() {
      this.isSelected = true;
    },
    isSelected: false,
  };
  /** @type {string[]} */
  const asked = [];
  /** @param {string} name */
  const execCommand = (name) => {
    asked.push(name);
    return command;
  };
  const words = await copy(field, { clipboard, execCommand });
  return { words, asked, isSelected: field.isSelected };
}

test("the clipboard takes the text", async () => {
  /** @type {string[]} */
  const taken = [];
  const found = await copied({ clipboard: { writeText: async (text) => void taken.push(text) } });
  assert.deepEqual(found, { words: "Copied.", asked: [], isSelected: true });
  assert.deepEqual(taken, ["https://chat.example/reset"]);
});

test("over http there is no clipboard: the old command copies the selection", async () => {
  assert.deepEqual(await copied({ command: true }), { words: "Copied.", asked: ["copy"], isSelected: true });
});

test("a clipboard that refuses, and a command that fails, leave the text selected", async () => {
  const clipboard = {
    writeText: async () => {
      throw new Error("NotAllowedError");
    },
  };
  const found = await copied({ clipboard });
  assert.match(found.words, /selected/);
  assert.deepEqual([found.asked, found.isSelected], [["copy"], true]);
});
