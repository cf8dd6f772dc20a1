// Marks around a selection, in CommonMark: bold, italic, strikethrough and code. The same mark twice gives the text back. Pure.

import { leaveEdit } from "./composer-leave.js";

/** @import { MarkKind, TextEdit } from "./types.js" */
/** @typedef {{ start: number, end: number }} Part */
/** @typedef {{ part: Part, open: string, close: string, isOn: boolean }} Marked */

/** @type {Record<"bold" | "italic" | "strike", string>} */
const MARKS = { bold: "**", italic: "*", strike: "~~" };
// Signs of lists and quotes stay outside of marks.
const BLOCK_SIGNS = /^\s*(?:(?:[-+*]|\d{1,9}[.)]|>)\s+)*/;

/**
 * Puts a mark around the selected text of each line, or takes it away where all lines have it. A caret at the end of a
 * marked text leaves the mark.
 *
 * @param {MarkKind} kind
 * @param {string} text
 * @param {number} start
 * @param {number} end  of the selection
 * @returns {TextEdit}
 */
export function markEdit(kind, text, start, end) {
  const left = start === end ? leaveEdit(kind, text, start) : null;
  if (left !== null) return left;
  const find = kind === "code" ? codeOf : (/** @type {Part} */ part) => emphasisOf(MARKS[kind], text, part);
  const parts = partsOf(text, start, end);
  const marked = (parts.length > 0 ? parts : [{ start: end, end }]).map((part) => find(part, text));
  const isOff = marked.every(({ isOn }) => isOn);
  return edited(
    text,
    marked.filter(({ isOn }) => isOn === isOff),
    marked,
    isOff,
  );
}

/**
 * The text of each selected line, without space at its ends.
 *
 * @param {string} text
 * @param {number} start
 * @param {number} end
 * @returns {Part[]}
 */
function partsOf(text, start, end) {
  /** @type {Part[]} */
  const parts = [];
  let from = start;
  for (const line of text.slice(start, end).split("\n")) {
    const length = line.trimEnd().length;
    const signs = signsOf(line.slice(0, length));
    if (signs < length) parts.push({ start: from + signs, end: from + length });
    from += line.length + 1;
  }
  return parts;
}

/** @param {string} text */
const signsOf = (text) => BLOCK_SIGNS.exec(text)?.[0].length ?? 0;

/** @param {string} text  can stand between marks */
const isMarkable = (text) => text !== "" && signsOf(text) === 0 && text.trimEnd() === text;

/**
 * @param {string} mark
 * @param {string} text
 * @param {Part} part
 * @returns {Marked}
 */
function emphasisOf(mark, text, part) {
  const char = mark.charAt(0);
  const content = text.slice(part.start, part.end);
  const inside = Math.min(runAfter(content, 0, char), runBefore(content, content.length, char));
  // The selection has the marks in it.
  if (isMarkable(content.slice(inside, -inside || undefined)) && content.length > 2 * inside) {
    part = { start: part.start + inside, end: part.end - inside };
  }
  const around = Math.min(runBefore(text, part.start, char), runAfter(text, part.end, char));
  // `***` is bold and italic.
  const isOn = mark === "*" ? around % 2 === 1 : around % 4 >= 2;
  return { part, open: mark, close: mark, isOn };
}

/**
 * @param {Part} part
 * @param {string} text
 * @returns {Marked}
 */
function codeOf(part, text) {
  const inner = innermost(text, part);
  if (isCode(text, inner)) return { part: inner, ...ticksOf(text, inner), isOn: true };
  // Ticks beside the selection would count with those of the mark.
  const { start, end } = inner;
  const whole = { start: start - runBefore(text, start, "`"), end: end + runAfter(text, end, "`") };
  const within = innermost(text, whole);
  return { part: within, ...ticksOf(text, within), isOn: within.start !== whole.start };
}

/**
 * What is in the ticks, where the part is code with its ticks.
 *
 * @param {string} text
 * @param {Part} part
 * @returns {Part}
 */
function innermost(text, part) {
  const content = text.slice(part.start, part.end);
  const ticks = runAfter(content, 0, "`");
  if (ticks === 0 || ticks !== runBefore(content, content.length, "`")) return part;
  for (const space of [0, 1]) {
    const inner = { start: part.start + ticks + space, end: part.end - ticks - space };
    if (inner.start >= inner.end || !isMarkable(text.slice(inner.start, inner.end))) continue;
    const { open, close } = ticksOf(text, inner);
    if (text.slice(part.start, inner.start) === open && text.slice(inner.end, part.end) === close) {
      return innermost(text, inner);
    }
  }
  return part;
}

/**
 * Whether the ticks of a code are right beside the part.
 *
 * @param {string} text
 * @param {Part} part
 */
function isCode(text, part) {
  const { open, close } = ticksOf(text, part);
  let [start, end, times] = [part.start, part.end, 0];
  while (
    text.slice(0, start).endsWith(open) &&
    text.startsWith(close, end) &&
    text[start - open.length - 1] !== "`" &&
    text[end + close.length] !== "`"
  ) {
    start -= open.length;
    end += close.length;
    times += 1;
  }
  return times % 2 === 1;
}

/**
 * The ticks for a code: more than it has in it.
 *
 * @param {string} text
 * @param {Part} part
 */
function ticksOf(text, part) {
  const content = text.slice(part.start, part.end);
  const ticks = "`".repeat(longestRun(content) + 1);
  const space = content.startsWith("`") || content.endsWith("`") ? " " : "";
  return { open: ticks + space, close: space + ticks };
}

/** @param {string} text  whose longest row of ticks is measured */
export const longestRun = (text) => Math.max(0, ...(text.match(/`+/g) ?? []).map(({ length }) => length));

/**
 * @param {string} text
 * @param {number} index
 * @param {string} char
 */
function runBefore(text, index, char) {
  let start = index;
  while (text[start - 1] === char) start -= 1;
  return index - start;
}

/**
 * @param {string} text
 * @param {number} index
 * @param {string} char
 */
function runAfter(text, index, char) {
  let end = index;
  while (text[end] === char) end += 1;
  return end - index;
}

/**
 * @param {string} text
 * @param {Marked[]} changed
 * @param {Marked[]} marked  all of them: they are selected afterwards
 * @param {boolean} isOff  the marks go; false: they come
 * @returns {TextEdit}
 */
function edited(text, changed, marked, isOff) {
  const signs = changed.flatMap(({ part, open, close }) =>
    isOff
      ? [
          { at: part.start - open.length, length: open.length, sign: "" },
          { at: part.end, length: close.length, sign: "" },
        ]
      : [
          { at: part.start, length: 0, sign: open },
          { at: part.end, length: 0, sign: close },
        ],
  );
  const from = signs[0]?.at ?? 0;
  let [insert, next] = ["", from];
  for (const { at, length, sign } of signs) {
    insert += text.slice(next, at) + sign;
    next = at + length;
  }
  const [first, last] = [/** @type {Marked} */ (marked[0]), /** @type {Marked} */ (marked.at(-1))];
  /** @param {string} sign */
  const growth = (sign) => (isOff ? -sign.length : sign.length);
  const grown = changed.reduce((sum, { open, close }) => sum + growth(open) + growth(close), 0);
  let [start, end] = [first.part.start, last.part.end + grown];
  if (first === last || isOff) {
    start += growth(first.open);
    end -= growth(last.close);
  } else {
    // Of several lines the selection has the marks, too: it must not begin or end within those of a line.
    if (!changed.includes(first)) start -= first.open.length;
    if (!changed.includes(last)) end += last.close.length;
  }
  return { from, to: next, insert, start, end };
}
