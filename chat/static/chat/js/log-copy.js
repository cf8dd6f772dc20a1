// Copied rows as text: "[6:47 PM] anna: text", each message once. A selection within one message is copied as it is.

import { clockTime } from "./times.js";

/** @import { MessageRow } from "./types.js" */

/**
 * @param {HTMLElement} list  of the rows
 * @param {(seq: number) => MessageRow | null} rowOf
 */
export function copyAsLines(list, rowOf) {
  document.addEventListener("copy", (event) => {
    const selection = getSelection();
    if (selection === null || selection.isCollapsed || event.clipboardData === null) return;
    const rows = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("article[data-seq]")]);
    const chosen = rows.filter((row) => selection.containsNode(row, true));
    if (chosen.length < 2) return;
    const lines = chosen.flatMap(({ dataset }) => lineOf(rowOf(Number(dataset.seq))));
    event.clipboardData.setData("text/plain", lines.join("\n"));
    event.preventDefault();
  });
}

/**
 * @param {MessageRow | null} row
 * @returns {string[]}
 */
export function lineOf(row) {
  if (row === null || row.message.deleted) return [];
  const { at, user, body } = row.message;
  return [`[${clockTime(at)}] ${user.name}: ${body}`];
}
