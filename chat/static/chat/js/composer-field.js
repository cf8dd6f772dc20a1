// The field of the composer. It is as high as its text: the style sheet limits it, and an invisible copy of the text measures it,
// so that nothing on the page moves while a line is added.

import { find } from "../../hubbub/js/dom.js";

/** @import { TextEdit } from "./types.js" */

export class Field {
  #area;
  #copy;

  /** @param {HTMLElement} form */
  constructor(form) {
    this.#area = find(form, "textarea", HTMLTextAreaElement);
    this.#copy = find(form, "[data-role=field-copy]", HTMLElement);
    this.#area.addEventListener("input", () => this.#fit());
    this.#fit(); // The browser may have restored a text.
  }

  get element() {
    return this.#area;
  }

  get text() {
    return this.#area.value;
  }

  set text(text) {
    this.#area.value = text;
    this.#fit();
  }

  get selection() {
    return { start: this.#area.selectionStart, end: this.#area.selectionEnd };
  }

  focus() {
    this.#area.focus();
    this.#area.setSelectionRange(this.#area.value.length, this.#area.value.length);
    this.#area.scrollTop = this.#area.scrollHeight;
  }

  /**
   * Changes the text as the user does: the browser can undo it, and an `input` event tells of it.
   *
   * @param {TextEdit} edit
   */
  apply({ from, to, insert, start, end }) {
    const area = this.#area;
    area.focus();
    area.setSelectionRange(from, to);
    // The only way into the browser's list of changes; deprecated without a successor.
    const isDone = insert === "" ? from === to || command("delete") : command("insertText", insert);
    if (!isDone) {
      area.setRangeText(insert, from, to, "end");
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }
    area.setSelectionRange(start, end);
  }

  /** @param {string} text  replaces the selection */
  insert(text) {
    const { start, end } = this.selection;
    const caret = start + text.length;
    this.apply({ from: start, to: end, insert: text, start: caret, end: caret });
  }

  #fit() {
    this.#copy.textContent = `${this.#area.value}\u200b`; // A last line without text has a height, too.
  }
}

/**
 * @param {string} name
 * @param {string} [text]
 */
const command = (name, text) => document.execCommand?.(name, false, text) ?? false;
