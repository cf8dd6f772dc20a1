// The body of a message as an element: formatted, folded where it is long, marked where it was edited.

import { gettext, interpolate, ngettext } from "../../hubbub/js/texts.js";
import { formatted } from "./formatted-text.js";
import { fullTime } from "./times.js";

/** @import { Message } from "./types.js" */

const MAX_LINES = 16;
const MAX_CODE_LINES = 20;
const MANY_MARKS = /\p{M}{4}/u; // On one letter: they would reach into other rows.
const LINE_CHARS = 80; // About as many fit into a line of the log.

/**
 * @param {Pick<Message, "body" | "edited_at" | "deleted">} message
 * @returns {HTMLElement}
 */
export function bodyElement({ body, edited_at, deleted }) {
  const element = document.createElement("div");
  element.className = "message-body";
  if (deleted) {
    element.textContent = gettext("message deleted");
    return element;
  }
  element.append(formatted(body));
  if (MANY_MARKS.test(body)) element.classList.add("has-marks");
  for (const pre of element.querySelectorAll("pre")) dressCode(pre);
  if (edited_at !== null) markEdited(element, edited_at);
  const lines = linesIn(body);
  if (lines > MAX_LINES && element.querySelector(".is-folded") === null) fold(element, lines);
  return element;
}

/**
 * How many lines a text takes, about.
 *
 * @param {string} text
 */
export function linesIn(text) {
  let lines = 0;
  for (const line of text.split("\n")) lines += Math.max(1, Math.ceil(line.length / LINE_CHARS));
  return lines;
}

/**
 * Adds "Copy" to a block of code, and folds a long one.
 *
 * @param {HTMLPreElement} pre
 */
function dressCode(pre) {
  const text = pre.textContent ?? "";
  const copy = button(gettext("Copy"), "code-copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = gettext("Copied");
    } catch {
      getSelection()?.selectAllChildren(pre); // Forbidden: one key is left to press.
      copy.textContent = gettext("Selected");
    }
    setTimeout(() => (copy.textContent = gettext("Copy")), 2_000);
  });
  const frame = document.createElement("div");
  frame.className = "code-frame";
  pre.replaceWith(frame);
  frame.append(pre, copy);
  const lines = text.split("\n").length;
  if (lines > MAX_CODE_LINES) fold(pre, lines);
}

/**
 * @param {HTMLElement} element
 * @param {number} lines
 */
function fold(element, lines) {
  element.classList.add("is-folded");
  const all = interpolate(ngettext("Show all %(n)s line", "Show all %(n)s lines", lines), { n: lines });
  const more = button(all, "unfold");
  more.setAttribute("aria-expanded", "false");
  more.addEventListener("click", () => {
    const isFolded = element.classList.toggle("is-folded");
    more.textContent = isFolded ? all : gettext("Show less");
    more.setAttribute("aria-expanded", String(!isFolded));
  });
  if (element.parentNode !== null) element.after(more);
  else element.append(more);
}

/**
 * @param {string} text
 * @param {string} name
 */
function button(text, name) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = `text-button ${name}`;
  element.textContent = text;
  return element;
}

/**
 * Adds the page's own word to the end of a body. Direction marks in the body end before it.
 *
 * @param {HTMLElement} body
 * @param {string} at
 */
function markEdited(body, at) {
  const mark = document.createElement("span");
  mark.className = "edited";
  mark.dir = "ltr";
  mark.title = fullTime(at);
  mark.textContent = gettext("(edited)");
  const last = body.lastElementChild;
  if (last?.tagName !== "P") {
    body.append(mark);
    return;
  }
  const text = document.createElement("span");
  text.className = "message-text";
  text.append(...last.childNodes);
  last.append(text, " ", mark);
}
