// What can be done with a message: one toolbar in the row in question, on a touch screen the same in a sheet; and the keys.

import { gettext } from "../../hubbub/js/texts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { draw } from "./draw.js";

/** @import { MessageRow, ToolCalls } from "./types.js" */

/** @typedef {{ name: string, label: string, icon: string, run: () => void, isBad?: boolean }} Tool */

const PRESS_MS = 450;

export class MessageToolbar {
  #list;
  /** @type {ToolCalls} */
  #calls;
  #bar = document.createElement("div");
  /** @type {HTMLElement | null} */
  #row = null;
  /** @type {HTMLElement | null} a post that waits, under the pointer: once it is saved it is a message, the same element */
  #waiting = null;

  /**
   * @param {HTMLElement} list  of the rows
   * @param {ToolCalls} calls
   */
  constructor(list, calls) {
    this.#list = list;
    this.#calls = calls;
    this.#bar.className = "message-actions";
    this.#bar.setAttribute("role", "toolbar");
    this.#bar.setAttribute("aria-label", gettext("Message"));
    this.#bar.addEventListener("keydown", (event) => this.#onBarKey(event));
    list.addEventListener("pointerover", (event) => event.pointerType !== "touch" && this.#at(event.target));
    list.addEventListener("pointerleave", () => this.#show(rowAt(document.activeElement)));
    list.addEventListener("focusin", ({ target }) => {
      // Not where a finger has touched a message or something in it: a long press shows the same in a sheet.
      if (target instanceof Element && target.matches(":focus-visible")) this.#at(target);
    });
    list.addEventListener("keydown", (event) => this.#onKey(event));
    this.#listenForPress();
  }

  /** The rows were rendered: what the user may do with a message can have changed. */
  renew() {
    const waited = this.#waiting;
    if (waited !== null && waited.dataset.seq !== undefined) {
      this.#waiting = null;
      if (waited.matches(":hover, :focus-within")) this.#show(waited);
    }
    if (this.#row !== null && this.#bar.isConnected) this.#show(this.#row);
  }

  /**
   * The pointer or the focus is there now.
   *
   * @param {EventTarget | null} target
   */
  #at(target) {
    this.#waiting = target instanceof Element ? target.closest("article:not([data-seq])") : null;
    this.#show(rowAt(target));
  }

  /** @param {HTMLElement | null} row */
  #show(row) {
    const tools = row === null ? [] : this.#toolsOf(row);
    this.#row = tools.length > 0 ? row : null;
    if (this.#row === null) {
      if (!this.#bar.contains(document.activeElement)) this.#bar.remove();
      return;
    }
    draw(() => tools.map(buttonOf), this.#bar);
    if (this.#bar.parentNode !== row) row?.append(this.#bar);
    const buttons = this.#buttons();
    const stop = buttons.find((button) => button === document.activeElement) ?? buttons[0];
    for (const button of buttons) button.tabIndex = button === stop ? 0 : -1;
  }

  /**
   * @param {HTMLElement} row
   * @returns {Tool[]}
   */
  #toolsOf({ dataset, classList }) {
    const message =
      dataset.seq === undefined || classList.contains("is-edited-now") ? null : this.#calls.row(Number(dataset.seq));
    return message === null ? [] : toolsFor(message, this.#calls);
  }

  /** @returns {HTMLElement[]} */
  #buttons() {
    return [...this.#bar.querySelectorAll("button")];
  }

  /** @param {KeyboardEvent} event */
  #onBarKey(event) {
    const buttons = this.#buttons();
    const here = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const isRtl = getComputedStyle(this.#bar).direction === "rtl";
    const step = { ArrowRight: isRtl ? -1 : 1, ArrowLeft: isRtl ? 1 : -1 }[event.key];
    if (step === undefined || here < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = buttons[(here + step + buttons.length) % buttons.length];
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
    next?.focus();
  }

  /** @param {KeyboardEvent} event  on a message itself */
  #onKey(event) {
    const { target, key } = event;
    if (!(target instanceof HTMLElement) || !target.matches("article.message")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === "ArrowUp" || key === "ArrowDown") {
      event.preventDefault();
      this.#step(target, key === "ArrowUp" ? -1 : 1);
    } else if (key === "Escape") {
      event.preventDefault();
      this.#calls.back();
    } else {
      const tool = this.#toolsOf(target).find(({ name }) => KEYS[key.toLowerCase()] === name);
      if (tool === undefined) return;
      event.preventDefault();
      tool.run();
    }
  }

  /**
   * @param {HTMLElement} row
   * @param {number} step
   */
  #step(row, step) {
    const all = /** @type {HTMLElement[]} */ ([...this.#list.querySelectorAll("article.message")]);
    const next = all[all.indexOf(row) + step];
    if (next !== undefined) next.focus();
    else if (step > 0) this.#calls.back();
  }

  /** A touch screen has no hovering: a tap shows the time of a message, a long press what can be done with it. */
  #listenForPress() {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const stop = () => clearTimeout(timer);
    this.#list.addEventListener("pointerdown", (event) => {
      const row = rowAt(event.target);
      for (const picked of this.#list.querySelectorAll(".is-picked")) {
        if (picked !== row) picked.classList.remove("is-picked");
      }
      if (event.pointerType !== "touch" || row === null) return;
      stop();
      row.classList.add("is-picked");
      timer = setTimeout(() => this.#sheet(row), PRESS_MS);
    });
    // Scrolling cancels the pointer; a trembling finger does not.
    for (const end of ["pointerup", "pointercancel"]) this.#list.addEventListener(end, stop);
  }

  /** @param {HTMLElement} row */
  #sheet(row) {
    const tools = this.#toolsOf(row);
    if (tools.length === 0) return;
    const sheet = document.createElement("dialog");
    sheet.className = "dialog sheet is-made";
    sheet.setAttribute("aria-label", gettext("Message"));
    draw(
      () => html`<div class="dialog-box">
        <div class="dialog-head"><h2>${row.ariaLabel}</h2>
          <button class="icon-button" type="button" aria-label=${gettext("Close")} @click=${() => sheet.close()}
            ><svg class="icon" aria-hidden="true"><use href="#icon-close"/></svg></button></div>
        <div class="sheet-actions">${tools.map(
          (
            tool,
          ) => html`<button class=${tool.isBad ? "popup-item is-bad" : "popup-item"} type="button" data-role=${tool.name}
            @click=${() => {
              sheet.close();
              tool.run();
            }}><svg class="icon" aria-hidden="true"><use href=${`#icon-${tool.icon}`}/></svg><span>${tool.label}</span></button>`,
        )}</div></div>`,
      sheet,
    );
    // The finger that opened it is still down: where it is lifted is no click in the sheet.
    let isTouched = false;
    sheet.addEventListener("pointerdown", () => (isTouched = true), true);
    sheet.addEventListener(
      "click",
      (event) => {
        if (event.detail > 0 && !isTouched) event.stopPropagation();
        else if (event.target === sheet) sheet.close();
      },
      true,
    );
    sheet.addEventListener("close", () => sheet.remove());
    document.body.append(sheet);
    sheet.showModal();
  }
}

/** @type {Record<string, string>} by key, on a message */
const KEYS = { e: "edit", l: "link", u: "unread", delete: "delete" };

/**
 * @param {MessageRow} row
 * @param {ToolCalls} calls
 * @returns {Tool[]}
 */
function toolsFor({ message, mayEdit, mayDelete }, calls) {
  const { seq } = message;
  /** @type {Tool[]} */
  const tools = [];
  if (mayEdit) tools.push({ name: "edit", label: gettext("Edit"), icon: "edit", run: () => calls.edit(seq) });
  tools.push({ name: "link", label: gettext("Copy link"), icon: "link", run: () => calls.link(seq) });
  tools.push({ name: "unread", label: gettext("Mark unread from here"), icon: "unread", run: () => calls.unread(seq) });
  if (mayDelete)
    tools.push({ name: "delete", label: gettext("Delete"), icon: "delete", run: () => calls.remove(seq), isBad: true });
  return tools;
}

/** @param {Tool} tool */
const buttonOf = ({ name, label, icon, run }) =>
  html`<button class="icon-button" type="button" data-role=${name || nothing} aria-label=${label} title=${label} @click=${run}
    ><svg class="icon" aria-hidden="true"><use href=${`#icon-${icon}`}/></svg></button>`;

/**
 * @param {EventTarget | null} target
 * @returns {HTMLElement | null}
 */
function rowAt(target) {
  return target instanceof Element ? target.closest("article[data-seq]") : null;
}
