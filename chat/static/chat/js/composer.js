// A field in which a message is written: grows with it, counts near the limit, Enter sends, Shift+Enter breaks.

import { clean, countChars } from "./room-state.js";

const COUNT_FROM = 0.9; // Of the limit: before that a counter is noise.

export class Composer {
  #form;
  #field;
  #counter;
  #button;
  #send;
  #cancel;
  #limit = Infinity;
  #disabled = false;

  /** `send(body)` returns false to keep the text; `cancel()` is Escape. */
  constructor(form, { send, cancel = () => {}, changed = () => {} }) {
    this.#form = form;
    this.#field = form.querySelector("textarea");
    this.#counter = form.querySelector("[data-role=counter]");
    this.#button = form.querySelector("[type=submit]");
    this.#send = send;
    this.#cancel = cancel;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener("keydown", (event) => this.#key(event));
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

  set limit(chars) {
    this.#limit = chars;
    this.#fit();
  }

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

  #key(event) {
    // While a composed character is being chosen (Japanese, for one), Enter chooses it.
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
    if (field.scrollHeight > 0)
      field.style.blockSize = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
    const body = clean(field.value);
    const left = this.#limit - countChars(body);
    this.#counter.hidden = this.#limit === Infinity || left > this.#limit * (1 - COUNT_FROM);
    this.#counter.textContent = left;
    this.#counter.title = left >= 0 ? `${left} characters left` : `${-left} characters too many`;
    this.#counter.classList.toggle("is-over", left < 0);
    this.#button.disabled = this.#disabled || body === "" || left < 0;
  }
}
