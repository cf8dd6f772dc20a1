// How many characters are left near the limit, in words: shown at once, and spoken once the user pauses.

import { interpolate, ngettext } from "../../hubbub/js/texts.js";

export const PAUSE_MS = 1_000;
const COUNT_FROM = 0.9; // Of the limit; a counter before that is noise.

export class Counter {
  #shown;
  #spoken;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {HTMLElement} shown
   * @param {HTMLElement} spoken  a polite live region
   */
  constructor(shown, spoken) {
    this.#shown = shown;
    this.#spoken = spoken;
  }

  /**
   * @param {number} left  characters; negative: too many
   * @param {number} limit
   */
  show(left, limit) {
    const text = isNear(left, limit) ? countText(left) : "";
    if (text === this.#shown.textContent) return;
    this.#shown.hidden = text === "";
    this.#shown.textContent = text;
    this.#shown.classList.toggle("is-over", left < 0);
    clearTimeout(this.#timer);
    if (text === "") this.#spoken.textContent = "";
    else this.#timer = setTimeout(() => this.speak(), PAUSE_MS);
  }

  /** Speaks the count now. */
  speak() {
    clearTimeout(this.#timer);
    this.#spoken.textContent = this.#shown.textContent;
  }
}

/**
 * @param {number} left
 * @param {number} limit
 */
const isNear = (left, limit) => limit !== Infinity && left <= limit * (1 - COUNT_FROM);

/** @param {number} left  negative: there are too many characters */
function countText(left) {
  const n = Math.abs(left);
  const text =
    left >= 0
      ? ngettext("%(n)s character left", "%(n)s characters left", n)
      : ngettext("%(n)s character too many", "%(n)s characters too many", n);
  return interpolate(text, { n });
}
