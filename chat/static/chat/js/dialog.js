// A modal dialog: made when it is opened, removed when it is closed. Below 640 px it is a sheet at the bottom.
//
//   new Dialog({
//     name: "leave",
//     heading: "Leave this room?",
//     content: () => html`<p>…</p>`,                                  // rendered again by `update()`
//     submit: { label: "Leave", run: async (fields) => {} },          // the dialog closes when it resolves
//   });
//
// A command that fails leaves the dialog as it is, with one sentence that says why.

import { failureOf } from "../../hubbub/js/errors.js";
import { gettext } from "../../hubbub/js/texts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { fieldsOf, fill, isTyped } from "./dialog-fields.js";
import { draw } from "./draw.js";
import { failureText } from "./failure-texts.js";

/** @import { Hubbub } from "../../hubbub/js/hub.js" */
/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { Fields } from "./dialog-fields.js" */

const SLOW_MS = 1_500; // After this time without an answer the dialog says so.
const TEXTS = {
  close: gettext("Close"),
  cancel: gettext("Cancel"),
  question: gettext("Discard what you typed?"),
  discard: gettext("Discard"),
  keep: gettext("Keep writing"),
  slow: gettext("Waiting for the server…"),
};

/**
 * The room that a dialog is about, as it is now.
 * @typedef {object} RoomOfPage
 * @property {string} slug
 * @property {string} title
 * @property {string} description
 * @property {boolean} archived
 * @property {boolean} private
 * @property {string} role
 * @property {boolean} manages  whether the user may change the room and its members
 */

/**
 * What dialogs need of the page.
 * @typedef {object} Page
 * @property {Hubbub} hub
 * @property {(command: string, fields?: Record<string, unknown>) => Promise<any>} send  to the room that is shown
 * @property {() => RoomOfPage} room  the room that is shown
 * @property {() => Person[]} people  that the page knows, of all rooms
 * @property {(slug: string | null) => void} goTo  shows a room; null: the lobby
 */

/**
 * @typedef {object} DialogOptions
 * @property {string} name  `data-role` is this with `-dialog`
 * @property {string} heading
 * @property {(dialog: Dialog) => unknown} content
 * @property {{ label: string, isDanger?: boolean, run: (fields: Fields) => Promise<unknown> }} [submit]
 * @property {boolean} [isText]  nothing in it takes the focus: the content itself does, so that keys scroll it
 * @property {string} [cancel]  the label of the button beside it
 * @property {() => boolean} [back]  Escape: true where the content had something of its own to close
 * @property {() => void} [closed]
 */

export class Dialog {
  /** @type {Dialog | null} the open one */
  static #current = null;
  #options;
  #element;
  #opener;
  #problem = "";
  /** @type {unknown} */
  #note = null;
  #isBusy = false;
  #isSlow = false;
  #asks = false;
  /** @type {Element | null} the element that had the focus before the question */
  #asked = null;

  /** @param {DialogOptions} options */
  constructor(options) {
    this.#options = options;
    this.#opener = document.activeElement;
    this.#element = document.createElement("dialog");
    this.#element.className = "dialog sheet is-made";
    this.#element.dataset.role = `${options.name}-dialog`;
    this.#element.setAttribute("aria-labelledby", `${options.name}-heading`);
    this.#listen();
    Dialog.#current = this;
    document.body.append(this.#element);
    this.update();
    this.#element.showModal();
    this.#focusFirst();
  }

  /** The open dialog, if something was typed in it. */
  static get typedIn() {
    const dialog = Dialog.#current;
    return dialog !== null && isTyped(dialog.element) ? dialog : null;
  }

  get element() {
    return this.#element;
  }

  get isOpen() {
    return this.#element.open;
  }

  /** Whether a command is in flight. */
  get isBusy() {
    return this.#isBusy;
  }

  close() {
    if (this.isOpen) this.#element.close();
  }

  /** Renders the content again. */
  update() {
    if (!this.#element.isConnected) return;
    const fields = fieldsOf(this.#element);
    if (draw(() => this.#template(), this.#element)) fill(this.#element, fields);
  }

  /** @param {unknown} text  a template or a text, shown in the place of problems; null: no longer */
  note(text) {
    this.#note = text;
    this.update();
  }

  /**
   * Shows why something failed.
   *
   * @param {unknown} error  null: nothing has
   */
  show(error) {
    this.#problem = error === null ? "" : failureText(failureOf(error));
    this.update();
  }

  /**
   * Runs a command, one at a time. The dialog is busy meanwhile, and shows the reason of a failure.
   *
   * @param {() => Promise<unknown>} work
   * @returns {Promise<boolean>} whether it was done
   */
  async run(work) {
    if (this.#isBusy) return false;
    this.#isBusy = true;
    this.#asks = false;
    this.show(null);
    const slow = setTimeout(() => {
      this.#isSlow = true;
      this.update();
    }, SLOW_MS);
    try {
      await work();
      return true;
    } catch (error) {
      this.show(error);
      return false;
    } finally {
      clearTimeout(slow);
      this.#isBusy = this.#isSlow = false;
      this.update();
    }
  }

  /** Closes, but asks first when something was typed. */
  tryToClose() {
    if (this.#options.back?.()) return;
    if (this.#asks) this.#answer(false);
    else if (!isTyped(this.#element)) this.close();
    else {
      this.#asks = true;
      this.#asked = document.activeElement;
      this.update();
      focusIn(this.#element, "[data-role=keep]");
    }
  }

  #template() {
    const { name, heading, content, submit, isText = false } = this.#options;
    const parts = html`
      <div class="dialog-head">
        <h2 id=${`${name}-heading`}>${heading}</h2>
        <button class="icon-button" type="button" data-role="close" aria-label=${TEXTS.close} @click=${() => this.tryToClose()}>
          <svg class="icon" aria-hidden="true"><use href="#icon-close"/></svg></button>
      </div>
      <div class="dialog-content" tabindex=${isText ? 0 : nothing} role=${isText ? "group" : nothing}
        aria-labelledby=${isText ? `${name}-heading` : nothing}>${content(this)}</div>
      <div class="dialog-foot">
        <p class="dialog-problem" data-role="problem" role="alert">${this.#note ?? this.#problem}</p>
        <p class="soft" role="status">${this.#isSlow ? TEXTS.slow : nothing}</p>
        ${this.#asks ? this.#question() : submit === undefined ? nothing : this.#actions(submit)}
      </div>`;
    // Enter in a field sends a form. Without anything to send there is none.
    return submit === undefined
      ? html`<div class="dialog-box">${parts}</div>`
      : html`<form class="dialog-box" aria-busy=${String(this.#isBusy)} @submit=${this.#submit}>${parts}</form>`;
  }

  /** @param {NonNullable<DialogOptions["submit"]>} submit */
  #actions({ label, isDanger }) {
    return html`<div class="dialog-actions">
      <button class="button" type="button" data-role="cancel" @click=${() => this.close()}>${this.#options.cancel ?? TEXTS.cancel}</button>
      <button class=${isDanger ? "button is-bad" : "button is-main"} aria-disabled=${String(this.#isBusy)}>${label}</button>
    </div>`;
  }

  #question() {
    return html`<div class="dialog-actions" role="group" aria-labelledby="dialog-question">
      <span id="dialog-question">${TEXTS.question}</span>
      <button class="button" type="button" data-role="keep" @click=${() => this.#answer(false)}>${TEXTS.keep}</button>
      <button class="button is-bad" type="button" data-role="discard" @click=${() => this.#answer(true)}>${TEXTS.discard}</button>
    </div>`;
  }

  /** @param {boolean} isDiscarded */
  #answer(isDiscarded) {
    this.#asks = false;
    this.update();
    if (isDiscarded) this.close();
    else if (this.#asked instanceof HTMLElement) this.#asked.focus();
  }

  /** @param {SubmitEvent} event */
  #submit = async (event) => {
    event.preventDefault();
    const { submit } = this.#options;
    const fields = fieldsOf(this.#element);
    if (submit !== undefined && (await this.run(() => submit.run(fields)))) this.close();
  };

  #listen() {
    const element = this.#element;
    let isPressed = false;
    element.addEventListener("keydown", (event) => {
      event.stopPropagation(); // The keys of the page behind rest.
      if (event.key !== "Escape" || event.isComposing) return;
      event.preventDefault();
      this.tryToClose();
    });
    element.addEventListener("cancel", (event) => {
      if (event.target !== element) return; // Of a file field, it bubbles.
      event.preventDefault();
      this.tryToClose();
    });
    // A selection that begins inside and ends on the backdrop is no click on it.
    element.addEventListener("pointerdown", ({ target }) => {
      isPressed = target === element;
    });
    element.addEventListener("mousedown", (event) => {
      if (event.target === element) event.preventDefault(); // The focus stays in its field.
    });
    element.addEventListener("click", ({ target }) => {
      if (target === element && isPressed) this.tryToClose();
    });
    element.addEventListener("close", () => {
      element.remove();
      Dialog.#current = null;
      this.#options.closed?.();
      const opener = this.#opener === document.body ? null : this.#opener;
      if (opener instanceof HTMLElement) opener.focus();
      if (document.activeElement !== opener) focusIn(document, "#body"); // It is gone, or hidden.
    });
  }

  #focusFirst() {
    // On a touch screen the field of a list would open the keyboard over the list.
    const isList = this.#options.submit === undefined && matchMedia("(pointer: coarse)").matches;
    focusIn(this.#element, ...(isList ? [] : ["input:enabled"]), "[data-role=cancel]", "[data-role=close]");
    const focused = document.activeElement;
    if (focused instanceof HTMLInputElement && focused.type !== "checkbox") {
      focused.setSelectionRange(focused.value.length, focused.value.length);
    }
  }
}

/**
 * Focuses the first element that is there.
 *
 * @param {ParentNode} root
 * @param {string[]} selectors
 */
export function focusIn(root, ...selectors) {
  for (const selector of selectors) {
    const element = root.querySelector(selector);
    if (!(element instanceof HTMLElement)) continue;
    element.focus();
    return;
  }
}
