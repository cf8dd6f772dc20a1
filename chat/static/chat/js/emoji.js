// The list of emoji: search, groups and the last used ones. It is loaded when it is opened for the first time.

import { find } from "../../hubbub/js/dom.js";
import { gettext } from "../../hubbub/js/texts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { keepFocus, roving } from "./composer-toolbar.js";
import { draw } from "./draw.js";
import { emojiIn } from "./emoji-names.js";
import { recentEmoji, rememberEmoji } from "./emoji-recent.js";
import { search, step } from "./emoji-search.js";

/** @import { Emoji } from "../vendor/emoji/emoji.js" */
/** @import { Groups } from "./emoji-search.js" */

const TEXTS = {
  title: gettext("Emoji"),
  search: gettext("Search emoji"),
  none: gettext("Nothing found."),
  recent: gettext("Last used"),
  found: gettext("Found"),
  groups: gettext("Groups"),
  close: gettext("Close"),
};
/** @type {Record<string, string>} */
const GROUP_NAMES = {
  "Smileys & Emotion": gettext("Smileys and feelings"),
  "People & Body": gettext("People and bodies"),
  "Animals & Nature": gettext("Animals and nature"),
  "Food & Drink": gettext("Food and drink"),
  "Travel & Places": gettext("Travel and places"),
  Activities: gettext("Activities"),
  Objects: gettext("Objects"),
  Symbols: gettext("Symbols"),
  Flags: gettext("Flags"),
};
const MARGIN_PX = 8;
const MAX_HEIGHT_PX = 416;
const SHEET = "(max-width: 39.9rem)"; // On phones it comes from below: composer.css.
/** @type {Record<string, "left" | "right" | "up" | "down">} */
const ARROWS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

/**
 * Opens the list beside a button. A second click of the button closes it.
 *
 * @param {HTMLButtonElement} button
 * @param {(emoji: string) => void} pick  an emoji was chosen
 */
export async function openEmoji(button, pick) {
  const groups = await emojiIn(document.documentElement.lang);
  if (button.popoverTargetElement === null) new EmojiList(groups, button, pick);
}

class EmojiList {
  #groups;
  #button;
  #pick;
  #root = document.createElement("div");
  /** @type {Groups} */
  #shown = [];
  #query = "";
  #active = -1;

  /**
   * @param {Groups} groups
   * @param {HTMLButtonElement} button
   * @param {(emoji: string) => void} pick
   */
  constructor(groups, button, pick) {
    this.#groups = groups;
    this.#button = button;
    this.#pick = pick;
    const root = this.#root;
    root.className = "emoji";
    root.popover = "auto";
    root.setAttribute("role", "dialog");
    root.setAttribute("aria-label", TEXTS.title);
    document.body.append(root);
    this.#render();
    roving(find(root, ".emoji-groups", HTMLElement));
    keepFocus(find(root, ".emoji-list", HTMLElement));
    root.addEventListener("toggle", (event) => {
      if (/** @type {ToggleEvent} */ (event).newState === "closed") this.#remove();
    });
    button.popoverTargetElement = root; // The browser closes it by this button.
    button.setAttribute("aria-expanded", "true");
    root.showPopover();
    this.#place();
    this.#measure();
    // A keyboard on the screen would leave no room for the list.
    if (!matchMedia("(pointer: coarse)").matches) find(root, "input", HTMLInputElement).focus();
  }

  #remove() {
    this.#button.popoverTargetElement = null;
    this.#button.setAttribute("aria-expanded", "false");
    this.#root.remove();
  }

  /** Above the button, or below it where that has more room. */
  #place() {
    if (matchMedia(SHEET).matches) return;
    const { style, offsetWidth } = this.#root;
    const button = this.#button.getBoundingClientRect();
    const [above, below] = [button.top, innerHeight - button.bottom].map((room) => room - 2 * MARGIN_PX);
    const isAbove = (above ?? 0) >= Math.min(MAX_HEIGHT_PX, below ?? 0);
    const isRightToLeft = getComputedStyle(this.#button).direction === "rtl";
    const left = isRightToLeft ? button.right - offsetWidth : button.left;
    style.left = `${Math.max(MARGIN_PX, Math.min(left, innerWidth - offsetWidth - MARGIN_PX))}px`;
    if (isAbove) style.bottom = `${innerHeight - button.top + MARGIN_PX}px`;
    else style.top = `${button.bottom + MARGIN_PX}px`;
    style.maxHeight = `${Math.min(MAX_HEIGHT_PX, (isAbove ? above : below) ?? 0)}px`;
  }

  /** Tells the browser the heights of groups that it does not draw yet: a jump to one of them then finds it. */
  #measure() {
    const [head, option] = [".emoji-title", ".emoji-option"].map((name) => find(this.#root, name, HTMLElement));
    const columns = this.#columns();
    for (const group of /** @type {NodeListOf<HTMLElement>} */ (this.#root.querySelectorAll(".emoji-group"))) {
      const rows = Math.ceil(group.querySelectorAll(".emoji-option").length / columns);
      const height = (head?.offsetHeight ?? 0) + rows * (option?.offsetHeight ?? 0);
      group.style.containIntrinsicBlockSize = `${height}px`;
    }
  }

  #render() {
    this.#shown =
      this.#query.trim() === "" ? withRecent(this.#groups) : [[TEXTS.found, search(this.#groups, this.#query)]];
    const isEmpty = this.#shown.every(([, emoji]) => emoji.length === 0);
    let count = 0;
    const sections = this.#shown.map(([name, emoji], index) => {
      const first = count;
      count += emoji.length;
      return html`<div class="emoji-group" role="group" aria-labelledby=${`emoji-group-${index}`}>
        <div class="emoji-title" id=${`emoji-group-${index}`} role="presentation">${name}</div>
        <div class="emoji-grid">${emoji.map(
          ([sign, label], place) =>
            html`<span class="emoji-option" role="option" aria-selected="false" id=${`emoji-${first + place}`}
              title=${label} aria-label=${label}>${sign}</span>`,
        )}</div>
      </div>`;
    });
    const body = html`
      <div class="emoji-head">
        <input type="search" class="emoji-search" placeholder=${TEXTS.search} aria-label=${TEXTS.search} role="combobox"
          aria-expanded="true" aria-controls="emoji-list" aria-autocomplete="list" autocomplete="off" spellcheck="false"
          @input=${this.#onInput} @keydown=${this.#onKey}>
        <button class="icon-button emoji-close" type="button" aria-label=${TEXTS.close} @click=${() => this.#root.hidePopover()}>
          <svg class="icon" aria-hidden="true"><use href="#icon-close"/></svg></button>
      </div>
      <div class="emoji-groups" role="toolbar" aria-label=${TEXTS.groups} ?hidden=${this.#query.trim() !== ""}>
        ${this.#shown.map(
          ([name, emoji], index) =>
            html`<button class="icon-button" type="button" aria-label=${name} title=${name}
              @click=${() => this.#goTo(index)}>${
                name === TEXTS.recent
                  ? html`<svg class="icon" aria-hidden="true"><use href="#icon-clock"/></svg>`
                  : emoji[0]?.[0]
              }</button>`,
        )}
      </div>
      <div class="emoji-list" id="emoji-list" role="listbox" aria-label=${TEXTS.title}
        @click=${this.#onClick} @mouseover=${this.#onHover}>${sections}</div>
      <p class="emoji-none" role="status">${isEmpty ? TEXTS.none : nothing}</p>
      <p class="emoji-name" aria-hidden="true"></p>`;
    draw(() => body, this.#root);
    this.#setActive(this.#query.trim() === "" || isEmpty ? -1 : 0);
  }

  /** @param {number} index  of a group */
  #goTo(index) {
    this.#root.querySelectorAll(".emoji-group")[index]?.scrollIntoView({ block: "start" });
  }

  #onInput = (/** @type {Event} */ { target }) => {
    this.#query = /** @type {HTMLInputElement} */ (target).value;
    this.#render();
    if (this.#query.trim() === "") this.#measure();
    find(this.#root, ".emoji-list", HTMLElement).scrollTop = 0;
  };

  #onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault(); // The browser would empty the field first.
      this.#root.hidePopover();
      return;
    }
    const direction = ARROWS[event.key];
    if (direction !== undefined) {
      const isSideways = direction === "left" || direction === "right";
      // In a query they move the caret, until an emoji is chosen by the others.
      if (isSideways && this.#active < 0) return;
      event.preventDefault();
      const isMirrored = isSideways && getComputedStyle(this.#root).direction === "rtl";
      const opposite = direction === "left" ? "right" : "left";
      const sizes = this.#shown.map(([, emoji]) => emoji.length);
      this.#setActive(step(this.#active, isMirrored ? opposite : direction, sizes, this.#columns()), true);
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.#choose(this.#active, event.shiftKey);
    }
  };

  #onClick = (/** @type {MouseEvent} */ event) => this.#choose(indexOf(event), event.shiftKey);

  #onHover = (/** @type {MouseEvent} */ event) => {
    const index = indexOf(event);
    if (index >= 0) this.#setActive(index);
  };

  #columns() {
    const grid = find(this.#root, ".emoji-grid", HTMLElement);
    return getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  }

  /**
   * @param {number} index  -1: none
   * @param {boolean} [isByKey]  it must come into sight
   */
  #setActive(index, isByKey = false) {
    this.#root.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
    this.#active = index;
    const option = index < 0 ? null : this.#root.querySelector(`#emoji-${index}`);
    option?.setAttribute("aria-selected", "true");
    if (isByKey) option?.scrollIntoView({ block: "nearest" });
    const input = find(this.#root, "input", HTMLInputElement);
    if (option === null) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", option.id);
    find(this.#root, ".emoji-name", HTMLElement).textContent = option?.getAttribute("aria-label") ?? "";
  }

  /**
   * @param {number} index
   * @param {boolean} isMore  the list stays open for another one
   */
  #choose(index, isMore) {
    const sign = this.#root.querySelector(`#emoji-${index}`)?.textContent;
    if (!sign) return;
    rememberEmoji(sign);
    if (!isMore) this.#root.hidePopover();
    this.#pick(sign);
    if (isMore) find(this.#root, "input", HTMLInputElement).focus();
  }
}

/**
 * @param {Groups} groups
 * @returns {Groups}
 */
function withRecent(groups) {
  /** @type {Map<string, Emoji>} */
  const known = new Map(groups.flatMap(([, emoji]) => emoji.map((entry) => [entry[0], entry])));
  /** @type {Groups} */
  const named = groups.map(([name, emoji]) => [GROUP_NAMES[name] ?? name, emoji]);
  const recent = recentEmoji()
    .map((sign) => known.get(sign))
    .filter((emoji) => emoji !== undefined);
  return recent.length === 0 ? named : [[TEXTS.recent, recent], ...named];
}

/** @param {Event} event  of an emoji in the list; -1: of none */
function indexOf({ target }) {
  const option = target instanceof Element ? target.closest(".emoji-option") : null;
  return option === null ? -1 : Number(option.id.slice("emoji-".length));
}
