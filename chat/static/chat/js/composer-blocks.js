// Blocks of a selection, in CommonMark: code block, list, quote. The same twice gives the text back. Pure.

import { longestRun } from "./composer-marks.js";

/** @import { LinePrefix, TextEdit } from "./types.js" */

const MIN_FENCE = 3;
const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)$/;

/**
 * Begins each selected line with a sign, or takes it away where all lines have it.
 *
 * @param {LinePrefix} sign
 * @param {string} text
 * @param {number} start
 * @param {number} end  of the selection
 * @returns {TextEdit}
 */
export function linesEdit(sign, text, start, end) {
  const { from, to, lines } = linesOf(text, start, end);
  const hasText = lines.some((line) => line.trim() !== "");
  // A blank line goes on with a quote, but is no item of a list.
  const isMeant = (/** @type {string} */ line) => sign === "> " || !hasText || line.trim() !== "";
  const isOff = lines.every((line) => !isMeant(line) || line.startsWith(sign));
  const signed = (/** @type {string} */ line) => (isOff ? line.slice(sign.length) : sign + line);
  const insert = lines.map((line) => (isMeant(line) ? signed(line) : line)).join("\n");
  const selected = from + insert.length;
  return { from, to, insert, start: start === end ? selected : from, end: selected };
}

/**
 * Puts the selected lines between fences, or takes the fences away.
 *
 * @param {string} text
 * @param {number} start
 * @param {number} end  of the selection
 * @returns {TextEdit}
 */
export function codeBlockEdit(text, start, end) {
  const { from, to, lines } = linesOf(text, start, end);
  const content = lines.join("\n");
  const fence = "`".repeat(Math.max(MIN_FENCE, longestRun(content) + 1));
  const [open, close] = [`${fence}\n`, `\n${fence}`];
  if (isFenced(text, from, to, open, close)) {
    const place = from - open.length;
    return { from: place, to: to + close.length, insert: content, start: place, end: place + content.length };
  }
  const first = from + open.length;
  return { from, to, insert: open + content + close, start: first, end: first + content.length };
}

/**
 * Whether the place is in a fenced block of code, or right behind the line that opens it.
 *
 * @param {string} text
 * @param {number} place
 */
export function isInFence(text, place) {
  let fence = "";
  for (const line of text.slice(0, place).split("\n")) {
    const [, sign = "", rest = ""] = FENCE.exec(line) ?? [];
    if (fence === "") fence = sign;
    else if (sign.startsWith(fence) && rest.trim() === "") fence = "";
  }
  return fence !== "";
}

/**
 * Whether fences are around the lines; an even number of them is text of its own.
 *
 * @param {string} text
 * @param {number} from
 * @param {number} to
 * @param {string} open
 * @param {string} close
 */
function isFenced(text, from, to, open, close) {
  let times = 0;
  const isLine = (/** @type {number} */ start, /** @type {number} */ end) =>
    (start === 0 || text[start - 1] === "\n") && (end === text.length || text[end] === "\n");
  while (
    text.slice(0, from).endsWith(open) &&
    text.startsWith(close, to) &&
    isLine(from - open.length, to + close.length)
  ) {
    from -= open.length;
    to += close.length;
    times += 1;
  }
  return times % 2 === 1;
}

/**
 * The whole lines of a selection, without blank ones at its end: it may end at the start of a line.
 *
 * @param {string} text
 * @param {number} start
 * @param {number} end
 */
function linesOf(text, start, end) {
  const from = text.slice(0, start).lastIndexOf("\n") + 1;
  const last = start + text.slice(start, end).replace(/\n+$/, "").length;
  const next = text.indexOf("\n", last);
  const to = next < 0 ? text.length : next;
  return { from, to, lines: text.slice(from, to).split("\n") };
}
