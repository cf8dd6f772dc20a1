// The way out of a mark: the caret stands right before its closing signs, and the same button is pressed again. Pure.

/** @import { MarkKind, TextEdit } from "./types.js" */

const BLANK_LINE = /\n[^\S\n]*\n/g;

/**
 * Moves the caret behind the closing signs of a mark. Spaces before them move out as well: they would keep the mark open.
 *
 * @param {MarkKind} kind
 * @param {string} text
 * @param {number} caret
 * @returns {TextEdit | null} null: no such mark ends here
 */
export function leaveEdit(kind, text, caret) {
  const from = paragraphStart(text, caret);
  const before = text.slice(from, caret);
  const content = before.trimEnd();
  const rest = text.slice(caret);
  const length = kind === "code" ? ticksToLeave(before, rest) : signsToLeave(kind, before, rest);
  if (length === 0) return null;
  const [start, end] = [from + content.length, caret + length];
  const spaces = before.slice(content.length);
  if (spaces === "") return { from: end, to: end, insert: "", start: end, end };
  return { from: start, to: end, insert: rest.slice(0, length) + spaces, start: end, end };
}

/**
 * Marks end with their paragraph.
 *
 * @param {string} text
 * @param {number} caret
 */
function paragraphStart(text, caret) {
  const last = [...text.slice(0, caret).matchAll(BLANK_LINE)].at(-1);
  return last === undefined ? 0 : last.index + last[0].length;
}

/**
 * @param {"bold" | "italic" | "strike"} kind
 * @param {string} before
 * @param {string} rest
 * @returns {number} how many signs close the mark; 0: it is not open, or has no text
 */
function signsToLeave(kind, before, rest) {
  const char = kind === "strike" ? "~" : "*";
  const isSingle = kind === "italic";
  if (!hasMark(isSingle, lengthOfRun(rest, char))) return 0;
  // Where the open mark of one sign, and that of two, has its text.
  /** @type {{ single: number | null, double: number | null }} */
  const open = { single: null, double: null };
  for (const { 0: run, index } of before.matchAll(char === "~" ? /~+/g : /\*+/g)) {
    const end = index + run.length;
    // Signs between spaces mark nothing: of a list, or of a product.
    if (/^(?:\s|$)/.test(before.slice(end)) && /(?:^|\s)$/.test(before.slice(0, index)) && end < before.length)
      continue;
    if (hasMark(true, run.length)) open.single = open.single === null ? end : null;
    if (hasMark(false, run.length)) open.double = open.double === null ? end : null;
  }
  const [at, other] = isSingle ? [open.single, open.double] : [open.double, open.single];
  const isEmpty = Math.max(at ?? 0, other ?? 0) >= before.trimEnd().length;
  if (at === null || isEmpty) return 0;
  if (other !== null && other > at && lengthOfRun(rest, char) >= 3) return 3; // The other mark is inside, and ends first.
  return isSingle ? 1 : 2;
}

/**
 * Whether a row of signs has the mark of one sign, or that of two: three signs have both.
 *
 * @param {boolean} isSingle
 * @param {number} length
 */
const hasMark = (isSingle, length) => (isSingle ? length % 2 === 1 : length % 4 >= 2);

/**
 * @param {string} before
 * @param {string} rest
 * @returns {number} how many ticks close the code; 0: there is none
 */
function ticksToLeave(before, rest) {
  const length = lengthOfRun(rest, "`");
  if (length === 0 || before.endsWith("`")) return 0;
  const runs = [...before.matchAll(/`+/g)];
  for (let at = 0; at < runs.length; at += 1) {
    const ticks = runs[at]?.[0].length;
    const closing = runs.findIndex((run, index) => index > at && run[0].length === ticks);
    if (closing >= 0) at = closing;
    else if (ticks === length) return before.slice((runs[at]?.index ?? 0) + length).trim() === "" ? 0 : length;
  }
  return 0;
}

/**
 * @param {string} text
 * @param {string} char
 */
function lengthOfRun(text, char) {
  let length = 0;
  while (text[length] === char) length += 1;
  return length;
}
