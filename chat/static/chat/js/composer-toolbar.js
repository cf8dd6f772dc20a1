// The composer's row of buttons: one stop for Tab, arrow keys within. A click leaves the focus and the selection where they are.

import { find } from "../../hubbub/js/dom.js";
import { pgettext } from "../../hubbub/js/texts.js";

/** @import { FormatKind } from "./types.js" */

const OPEN_CLASS = "has-formats";
export const IS_APPLE = /^(?:Mac|iP)/.test(navigator.platform);
/** @type {Record<string, string>} */
const NAMES = IS_APPLE
  ? { Control: "⌘", Shift: "⇧" }
  : { Control: `${pgettext("key", "Ctrl")}+`, Shift: `${pgettext("key", "Shift")}+` };

export class Toolbar {
  /**
   * @param {HTMLElement} form
   * @param {object} calls
   * @param {(kind: FormatKind) => void} calls.format
   * @param {(button: HTMLButtonElement) => void} calls.emoji
   */
  constructor(form, { format, emoji }) {
    const bar = find(form, "[role=toolbar]", HTMLElement);
    keepFocus(bar);
    roving(bar);
    for (const button of bar.querySelectorAll("button")) {
      const kind = /** @type {FormatKind | undefined} */ (button.dataset.format);
      if (kind === undefined) continue;
      button.addEventListener("click", () => format(kind));
      nameKeys(button);
    }
    const emojiButton = find(bar, "[data-role=emoji]", HTMLButtonElement);
    emojiButton.addEventListener("click", (event) => {
      if (emojiButton.popoverTargetElement !== null) return; // The browser closes the list.
      event.preventDefault();
      emoji(emojiButton);
    });
    // Where there is no room for all buttons, those of formats come and go by this one.
    const more = find(bar, "[data-role=formats]", HTMLButtonElement);
    more.addEventListener("click", () => {
      more.setAttribute("aria-expanded", String(form.classList.toggle(OPEN_CLASS)));
    });
  }
}

/**
 * Adds the keys of a button to its tooltip, as this keyboard names them.
 *
 * @param {HTMLButtonElement} button
 */
function nameKeys(button) {
  const keys = button.getAttribute("aria-keyshortcuts") ?? "";
  const named = keys.split("+").map((key) => NAMES[key] ?? key);
  button.title = `${button.getAttribute("aria-label")} (${named.join("")})`;
  if (IS_APPLE) button.setAttribute("aria-keyshortcuts", keys.replace("Control", "Meta"));
}

/**
 * Lets clicks leave the focus where it is: a selection stays visible, and so does the keyboard of a phone.
 *
 * @param {HTMLElement} element
 */
export function keepFocus(element) {
  element.addEventListener("mousedown", (event) => event.preventDefault());
}

/**
 * Makes the buttons of a toolbar one stop for Tab; arrow keys go from one to the next.
 *
 * @param {HTMLElement} bar
 */
export function roving(bar) {
  const buttons = () => [...bar.querySelectorAll("button")];
  const shown = () => buttons().filter((button) => button.getClientRects().length > 0);
  /** @param {HTMLButtonElement | undefined} stop */
  const stopAt = (stop) => {
    for (const button of buttons()) button.tabIndex = button === stop ? 0 : -1;
  };
  stopAt(buttons()[0]);
  // Which buttons are shown depends on the width.
  new ResizeObserver(() => {
    const all = shown();
    if (!all.some((button) => button.tabIndex === 0)) stopAt(all[0]);
  }).observe(bar);
  bar.addEventListener("focusin", ({ target }) => stopAt(buttons().find((button) => button === target)));
  bar.addEventListener("keydown", (event) => {
    const all = shown();
    const at = all.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    const next = nextOf(event.key, at, all.length, getComputedStyle(bar).direction === "rtl");
    if (at < 0 || next === null) return;
    event.preventDefault();
    all[next]?.focus();
  });
}

/**
 * @param {string} key
 * @param {number} at
 * @param {number} count
 * @param {boolean} isRightToLeft
 * @returns {number | null}
 */
function nextOf(key, at, count, isRightToLeft) {
  const [forward, back] = isRightToLeft ? ["ArrowLeft", "ArrowRight"] : ["ArrowRight", "ArrowLeft"];
  if (key === forward) return (at + 1) % count;
  if (key === back) return (at - 1 + count) % count;
  if (key === "Home") return 0;
  return key === "End" ? count - 1 : null;
}
