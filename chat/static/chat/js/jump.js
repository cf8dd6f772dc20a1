// The field "Jump to…": a combobox over the rooms, with entries to browse rooms and to make one at its end.

import { gettext } from "../../hubbub/js/texts.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { draw } from "./draw.js";
import { findEntries } from "./jump-match.js";
import { placeBox } from "./menu-place.js";

/** @import { JumpEntry } from "./jump-match.js" */

const MAX_SHOWN = 50; // Further rooms are found by typing.
const TEXTS = {
  label: gettext("Jump to a room"),
  placeholder: gettext("Jump to…"),
  rooms: gettext("Rooms"),
  private: gettext("private"),
  archived: gettext("archived"),
  unread: gettext("unread"),
  none: gettext("No room matches."),
  browse: gettext("Browse rooms"),
  create: gettext("New room"),
};

/** @typedef {{ key: string, entry?: JumpEntry, icon: string, label: string, run: () => void }} Option */

/**
 * @typedef {object} JumpCalls
 * @property {() => readonly JumpEntry[]} entries  the rooms of the user
 * @property {(slug: string) => void} goTo
 * @property {() => void} browse
 * @property {(() => void) | null} create  null: the user may make no rooms
 */

export class Jump {
  #root;
  #calls;
  #query = "";
  #isOpen = false;
  #active = ""; // The key of an option; empty: the first one.
  /** @type {Element | null} the focus before `focus()` */
  #before = null;

  /**
   * @param {HTMLElement} root  an empty element
   * @param {JumpCalls} calls
   */
  constructor(root, calls) {
    this.#root = root;
    this.#calls = calls;
    this.update();
    addEventListener("resize", () => this.#place());
  }

  /** Focuses the field and opens the list; for Ctrl K. */
  focus() {
    const field = this.#field;
    if (document.activeElement !== field) this.#before = document.activeElement;
    field?.focus();
    field?.select();
    this.#open();
  }

  /** Shows the rooms as they are now. */
  update() {
    draw(() => this.#template(), this.#root);
    this.#list?.togglePopover(this.#isOpen);
    this.#place();
  }

  get #field() {
    return this.#root.querySelector("input");
  }

  /** @returns {HTMLElement | null} */
  get #list() {
    return this.#root.querySelector(".jump-list");
  }

  /** @returns {Option[]} */
  get #options() {
    const { entries, goTo, browse, create } = this.#calls;
    const rooms = findEntries(entries(), this.#query).slice(0, MAX_SHOWN);
    return [
      ...rooms.map((entry) => ({
        key: `room-${entry.slug}`,
        entry,
        icon: entry.archived ? "archive" : entry.private ? "lock" : "public",
        label: entry.title,
        run: () => goTo(entry.slug),
      })),
      { key: "browse", icon: "search", label: TEXTS.browse, run: browse },
      ...(create === null ? [] : [{ key: "create", icon: "plus", label: TEXTS.create, run: create }]),
    ];
  }

  #template() {
    const options = this.#isOpen ? this.#options : [];
    const active = options[this.#indexIn(options)];
    return html`<div class="jump-to">
      <svg class="icon" aria-hidden="true"><use href="#icon-search"/></svg>
      <input type="text" role="combobox" aria-label=${TEXTS.label} placeholder=${TEXTS.placeholder + keys()}
        aria-autocomplete="list" aria-expanded=${String(this.#isOpen)} aria-controls="jump-list"
        aria-activedescendant=${active === undefined ? nothing : `jump-${active.key}`} autocomplete="off" autocapitalize="none" spellcheck="false" dir="auto"
        @input=${this.#typed} @click=${() => this.#open()} @keydown=${this.#key} @blur=${() => this.#close()}>
      <div class="jump-list" popover="manual" @pointerdown=${stay}>
        <ul id="jump-list" role="listbox" aria-label=${TEXTS.rooms}>${repeat(
          options,
          ({ key }) => key,
          (option) => this.#option(option, option === active),
        )}</ul>
        <p class="soft" role="status">${this.#isOpen && options[0]?.entry === undefined ? TEXTS.none : nothing}</p>
      </div>
    </div>`;
  }

  /**
   * @param {Option} option
   * @param {boolean} isActive
   */
  #option(option, isActive) {
    const { key, entry, icon, label } = option;
    const unread = entry?.unread ?? 0;
    return html`<li class="jump-option" id=${`jump-${key}`} role="option" aria-selected=${String(isActive)} data-option=${key}
      @click=${() => this.#choose(option)}>
      <svg class="icon" aria-hidden="true"><use href=${`#icon-${icon}`}/></svg>
      <bdi class="jump-title">${label}</bdi>
      ${entry?.private ? html`<span class="visually-hidden">${TEXTS.private}</span>` : nothing}
      ${entry?.archived ? html`<span class="visually-hidden">${TEXTS.archived}</span>` : nothing}
      ${unread > 0 ? html`<span class="jump-unread">${unread}<span class="visually-hidden"> ${TEXTS.unread}</span></span>` : nothing}
    </li>`;
  }

  /** @param {InputEvent} event */
  #typed = ({ target }) => {
    this.#query = /** @type {HTMLInputElement} */ (target).value;
    this.#active = "";
    this.#isOpen = true;
    this.update();
  };

  /** @param {KeyboardEvent} event */
  #key = (event) => {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return; // Of the page, or of the browser.
    event.stopPropagation();
    const options = this.#isOpen ? this.#options : [];
    const index = this.#indexIn(options);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (options.length === 0) this.#open();
      else this.#move(options[(index + step + options.length) % options.length]?.key ?? "");
    } else if (event.key === "Enter") {
      if (options.length > 0) this.#choose(options[index]);
    } else if (event.key === "Escape") this.#leave();
    else return;
    event.preventDefault();
  };

  /**
   * The active option: rooms come and go while the list is open.
   *
   * @param {Option[]} options
   */
  #indexIn(options) {
    return Math.max(
      0,
      options.findIndex(({ key }) => key === this.#active),
    );
  }

  /** @param {string} key */
  #move(key) {
    this.#active = key;
    this.update();
    this.#root.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  #open() {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#active = "";
    this.update();
  }

  /** Closes the list and empties the field. */
  #close() {
    const field = this.#field;
    if (field !== null) field.value = "";
    this.#query = "";
    this.#isOpen = false;
    this.update();
  }

  /** Escape: back to where the focus was. */
  #leave() {
    const before = this.#before;
    this.#before = null;
    this.#close();
    if (before instanceof HTMLElement && before !== document.body) before.focus();
    else this.#field?.blur();
  }

  /** @param {Option | undefined} option */
  #choose(option) {
    this.#close();
    this.#field?.blur();
    option?.run();
  }

  #place() {
    const [list, field] = [this.#list, this.#field];
    if (!this.#isOpen || list === null || field === null) return;
    const { width, height } = list.getBoundingClientRect();
    const view = { width: document.documentElement.clientWidth, height: document.documentElement.clientHeight };
    const isRightToLeft = getComputedStyle(field).direction === "rtl";
    const { left, top } = placeBox(field.getBoundingClientRect(), { width, height }, view, isRightToLeft);
    list.style.setProperty("--left", `${left}px`);
    list.style.setProperty("--top", `${top}px`);
  }
}

/** The keys that lead to the field; none on a touch screen. */
function keys() {
  if (matchMedia("(pointer: coarse)").matches) return "";
  return /mac/i.test(navigator.platform) ? " (⌘ K)" : ` (${gettext("Ctrl K")})`;
}

/**
 * A click in the list leaves the focus in the field.
 *
 * @param {Event} event
 */
function stay(event) {
  event.preventDefault();
}
