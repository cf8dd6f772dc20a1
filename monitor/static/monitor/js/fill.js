// Helpers that fill the dashboard's elements.

import { find } from "../../hubbub/js/dom.js";
import { hours, locale } from "../../hubbub/js/locale.js";
import { gettext } from "../../hubbub/js/texts.js";

/** @import { Level, Reading, Subject } from "./types.js" */

const LEVELS = { high: gettext("high"), "very high": gettext("very high") };
const clock = new Intl.DateTimeFormat(locale, { ...hours, second: "2-digit" });

/**
 * The element of a part.
 *
 * @param {ParentNode} root
 * @param {string} name
 */
export function part(root, name) {
  return find(root, `[data-part="${name}"]`, HTMLElement);
}

/**
 * Sets a text only if it changed: screen readers announce, and selections end, with each change.
 *
 * @param {Element} element
 * @param {string} text
 */
export function fill(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {ParentNode} root
 * @param {string} name
 * @param {string} text
 */
export function fillPart(root, name, text) {
  fill(part(root, name), text);
}

/**
 * @param {HTMLElement} element
 * @param {Level} level
 */
export function fillLevel(element, level) {
  element.dataset.level = level.replace(" ", "-");
  fillPart(element, "level", level === "" ? "" : LEVELS[level]);
}

/**
 * Notes since when a reading is stale; the view's `tick` shows it.
 *
 * @param {HTMLElement} element
 * @param {Reading} reading
 */
export function noteStale(element, { stale_since }) {
  part(element, "state").dataset.since = stale_since ? timeOfDay(Date.parse(stale_since)) : "";
}

/**
 * Makes an element's button choose a subject.
 *
 * @param {HTMLElement} element
 * @param {Subject} subject
 */
export function setSubject(element, subject) {
  find(element, "button", HTMLButtonElement).dataset.subject = subject;
}

/** @param {number} ms  since 1970 */
export const timeOfDay = (ms) => clock.format(ms);
