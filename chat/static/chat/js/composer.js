// A field for the text of a message: it grows with its text and counts near the limit. Enter sends, Shift+Enter breaks.

import { find } from "../../hubbub/js/dom.js";
import { interpolate, ngettext } from "../../hubbub/js/texts.js";
import { clean, countChars } from "./body.js";

const COUNT_FROM = 0.9; // Of the limit; a counter before that is noise.

export class Composer {
  #field;
  #counter;
  #button;
  #send;
  #cancel;
  #limit = Infinity;
  #disabled = false;

  /**
   * @param {HTMLElement} form
   * @param {object} calls
   * @param {(body: string) => unknown} calls.send  receives the cleaned text; returns false to keep it in the field
   * @param {() => void} [calls.cancel]  Escape was pressed
   * @param {(text: string) => void} [calls.changed]  the user changed the text
   */
  constructor(form, { send, cancel = () => {}, changed = () => {} }) {
    this.#field = find(form, "textarea", HTMLTextAreaElement);
    this.#counter = find(form, "[data-role=counter]", HTMLElement);
    this.#button = find(form, "[type=submit]", HTMLButtonElement);
    this.#send = send;
    this.#cancel = cancel;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener("keydown", (event) => this.#onKey(event));
    this.#field.addEventListener("input", () => {
      this.#fit();
      changed(this.#field.value);
    });
  }

  get text() {
    return this.#field.value;
  }

  set text(text) {
    this.#field.value = text;
    this.#fit();
  }

  /** @param {number} chars */
  set limit(chars) {
    this.#limit = chars;
    this.#fit();
  }

  /** @param {boolean} disabled */
  set disabled(disabled) {
    this.#disabled = disabled;
    this.#field.disabled = disabled;
    this.#fit();
  }

  focus() {
    this.#field.focus();
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length);
    this.#fit();
  }

  #submit() {
    const body = clean(this.#field.value);
    if (this.#disabled || body === "" || countChars(body) > this.#limit) return;
    if (this.#send(body) === false) return;
    this.text = "";
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    // An input method is open (Japanese, for example): Enter selects its candidate.
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Escape") {
      this.#cancel();
    }
  }

  #fit() {
    const field = this.#field;
    field.style.blockSize = "auto";
    if (field.scrollHeight > 0) {
      field.style.blockSize = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
    }
    const body = clean(field.value);
    const left = this.#limit - countChars(body);
    this.#counter.hidden = this.#limit === Infinity || left > this.#limit * (1 - COUNT_FROM);
    this.#counter.textContent = String(left);
    this.#counter.title = countText(left);
    this.#counter.classList.toggle("is-over", left < 0);
    this.#button.disabled = this.#disabled || body === "" || left < 0;
  }
}

/** @param {number} left  negative: there are too many characters */
function countText(left) {
  const n = Math.abs(left);
  const text =
    left >= 0
      ? ngettext("%(n)s character left", "%(n)s characters left", n)
      : ngettext("%(n)s character too many", "%(n)s characters too many", n);
  return interpolate(text, { n });
}
