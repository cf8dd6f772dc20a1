// A menu of commands behind a button: a box beside it, below 640 px a sheet at the bottom. It is made when it is opened.
//
//   html`… ${menuButton({ label: "This room", items: () => [{ label: "Leave", icon: "leave", isDanger: true, run }] })} …`
//   wireMenu(button, { label, items });                               // for a button that is there already

import { gettext } from "../../hubbub/js/texts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { draw } from "./draw.js";
import { placeBox } from "./menu-place.js";

const TEXTS = { close: gettext("Close the menu") };

/**
 * @typedef {object} MenuItem
 * @property {string} label
 * @property {(() => void) | string} run  a string: the address of a page
 * @property {string} [icon]  such as `link`, for #icon-link
 * @property {boolean} [isDanger]
 */

/**
 * @typedef {object} MenuOptions
 * @property {string} label  of the menu, and of the button where `menuButton` makes it
 * @property {() => MenuItem[]} items  called when it is opened
 */

/** @type {Menu | null} the open menu; there is one at most */
let opened = null;

/**
 * The button of a menu.
 *
 * @param {MenuOptions & { icon?: string, kind?: string }} options  `kind`: classes of the button
 */
export function menuButton({ label, items, icon = "more", kind = "icon-button" }) {
  const { click, keydown } = handlers({ label, items });
  return html`<button class=${kind} type="button" aria-haspopup="menu" aria-expanded="false" aria-label=${label} title=${label}
    @click=${click} @keydown=${keydown}><svg class="icon" aria-hidden="true"><use href=${`#icon-${icon}`}/></svg></button>`;
}

/**
 * @param {HTMLElement} button
 * @param {MenuOptions} options
 */
export function wireMenu(button, options) {
  const { click, keydown } = handlers(options);
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", click);
  button.addEventListener("keydown", keydown);
}

/**
 * Opens the menu of a button; closes it if it is open.
 *
 * @param {HTMLElement} button
 * @param {MenuOptions} options
 * @param {boolean} fromEnd  whether the last item gets the focus
 */
export function toggleMenu(button, options, fromEnd = false) {
  const wasOpen = opened?.button === button;
  opened?.close(wasOpen);
  if (!wasOpen) opened = new Menu(button, options, fromEnd);
}

/** Closes the open menu, if there is one. */
export function closeMenu() {
  opened?.close(true);
}

/** @param {MenuOptions} options */
function handlers(options) {
  return {
    /** @param {Event} event */
    click: ({ currentTarget }) => toggleMenu(/** @type {HTMLElement} */ (currentTarget), options),
    /** @param {KeyboardEvent} event */
    keydown: (event) => {
      if ((event.key !== "ArrowDown" && event.key !== "ArrowUp") || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      toggleMenu(/** @type {HTMLElement} */ (event.currentTarget), options, event.key === "ArrowUp");
    },
  };
}

class Menu {
  button;
  #element;
  #items;
  #end = new AbortController();

  /**
   * @param {HTMLElement} button
   * @param {MenuOptions} options
   * @param {boolean} fromEnd
   */
  constructor(button, { label, items }, fromEnd) {
    this.button = button;
    this.#items = items();
    this.#element = document.createElement("div");
    this.#element.className = "popup";
    this.#element.id = "popup";
    this.#element.popover = "manual"; // It survives a change of the list in which its button is.
    // In the part of the page where its button is: a screen reader finds it there.
    (button.closest("dialog, nav, main") ?? document.body).append(this.#element);
    draw(() => this.#template(label), this.#element);
    this.#element.showPopover();
    this.#place();
    button.setAttribute("aria-expanded", "true");
    button.setAttribute("aria-controls", "popup");
    this.#listen();
    this.#buttons.at(fromEnd ? -1 : 0)?.focus();
  }

  /** @param {boolean} isBack  whether the button gets the focus again */
  close(isBack) {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    if (opened === this) opened = null;
    this.button.setAttribute("aria-expanded", "false");
    this.button.removeAttribute("aria-controls");
    if (isBack && this.button.isConnected) this.button.focus();
    this.#element.remove();
  }

  get #buttons() {
    return [.../** @type {NodeListOf<HTMLElement>} */ (this.#element.querySelectorAll("[role=menuitem]"))];
  }

  /** @param {string} label */
  #template(label) {
    return html`<div class="popup-box">
      <div class="popup-head"><h2>${label}</h2>
        <button class="icon-button" type="button" aria-label=${TEXTS.close} @click=${() => this.close(true)}>
          <svg class="icon" aria-hidden="true"><use href="#icon-close"/></svg></button></div>
      <div role="menu" aria-label=${label}>${this.#items.map((item) => this.#item(item))}</div>
    </div>`;
  }

  /** @param {MenuItem} item */
  #item({ label, icon, isDanger, run }) {
    const chosen = () => {
      this.close(true);
      if (typeof run !== "string") run();
    };
    const content = html`${icon === undefined ? nothing : html`<svg class="icon" aria-hidden="true"><use href=${`#icon-${icon}`}/></svg>`}<span>${label}</span>`;
    return typeof run === "string"
      ? html`<a class="popup-item" role="menuitem" tabindex="-1" href=${run} @click=${chosen}>${content}</a>`
      : html`<button class=${isDanger ? "popup-item is-bad" : "popup-item"} type="button" role="menuitem" tabindex="-1" @click=${chosen}>${content}</button>`;
  }

  #place() {
    if (!this.button.isConnected) return;
    const { width, height } = this.#element.getBoundingClientRect();
    const isRightToLeft = getComputedStyle(this.button).direction === "rtl";
    const view = { width: document.documentElement.clientWidth, height: document.documentElement.clientHeight };
    const { left, top } = placeBox(this.button.getBoundingClientRect(), { width, height }, view, !isRightToLeft);
    // Style sheets use them above 640 px only.
    this.#element.style.setProperty("--left", `${left}px`);
    this.#element.style.setProperty("--top", `${top}px`);
  }

  #listen() {
    const { signal } = this.#end;
    const element = this.#element;
    /** @param {EventTarget | null} target */
    const isInside = (target) => target instanceof Node && element.contains(target);
    element.addEventListener("keydown", (event) => this.#key(event), { signal });
    // The backdrop of the sheet is the element itself.
    element.addEventListener("click", ({ target }) => target === element && this.close(true), { signal });
    /** @param {Event} event */
    const outside = ({ target }) => {
      const isButton = target instanceof Node && this.button.contains(target); // Its click closes the menu.
      if (!isInside(target) && !isButton) this.close(false);
    };
    document.addEventListener("pointerdown", outside, { signal, capture: true });
    // It goes with its button. Other lists scroll by themselves, such as the messages when one comes.
    const follow = (/** @type {Event} */ { target }) => {
      if (target instanceof Node && target.contains(this.button)) this.#place();
    };
    document.addEventListener("scroll", follow, { signal, capture: true });
    window.addEventListener("resize", () => this.#place(), { signal });
    element.addEventListener(
      "focusout",
      ({ relatedTarget }) => relatedTarget !== null && !isInside(relatedTarget) && this.close(false),
      { signal },
    );
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    event.stopPropagation(); // The keys of the page behind rest.
    const buttons = this.#buttons;
    const at = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const next = keyTarget(
      event.key,
      at,
      buttons.map(({ textContent }) => textContent),
    );
    if (next !== null) buttons[next]?.focus();
    else if (event.key === "Escape") this.close(true);
    else if (event.key === "Tab") {
      // The menu is one stop: Tab goes on from its button.
      this.close(true);
      return;
    } else return;
    event.preventDefault();
  }
}

/**
 * The item that a key goes to.
 *
 * @param {string} key
 * @param {number} at  the item with the focus; -1: none
 * @param {string[]} labels
 * @returns {number | null} null: the key goes nowhere
 */
export function keyTarget(key, at, labels) {
  const count = labels.length;
  if (key === "ArrowDown") return (at + 1) % count;
  if (key === "ArrowUp") return at <= 0 ? count - 1 : at - 1;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (key.length !== 1 || key === " ") return null;
  const order = [...labels.keys()].map((step) => (at + 1 + step) % count);
  return order.find((index) => labels[index]?.trim().toLowerCase().startsWith(key.toLowerCase())) ?? null;
}
