// The question before a changed edit is discarded. It stands below the field; typing on answers it.

import { part } from "./parts.js";

export class DiscardQuestion {
  #place;
  #keep;
  #discarded;
  #kept;

  /**
   * @param {HTMLElement} form
   * @param {{ discarded: () => void, kept: () => void }} calls
   */
  constructor(form, { discarded, kept }) {
    this.#place = part(form, "question");
    this.#keep = part(form, "keep");
    this.#discarded = discarded;
    this.#kept = kept;
    part(form, "discard").addEventListener("click", () => this.#discarded());
    this.#keep.addEventListener("click", () => this.#answer());
    this.#place.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.#answer();
    });
  }

  ask() {
    this.#place.hidden = false;
    this.#keep.focus();
  }

  withdraw() {
    this.#place.hidden = true;
  }

  #answer() {
    this.withdraw();
    this.#kept();
  }
}
