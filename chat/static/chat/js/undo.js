// The offer to undo a deletion, for some seconds. The text is in this page's memory alone.

import { part } from "./parts.js";

export const UNDO_MS = 6_000;

export class Undo {
  #place;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {(() => void) | null} */
  #restore = null;

  /** @param {ParentNode} root */
  constructor(root) {
    this.#place = part(root, "undo");
    part(this.#place, "undo-button").addEventListener("click", () => {
      const restore = this.#restore;
      this.withdraw();
      restore?.();
    });
  }

  /** @param {() => void} restore */
  offer(restore) {
    clearTimeout(this.#timer);
    this.#restore = restore;
    this.#place.classList.add("is-shown");
    this.#timer = setTimeout(() => this.withdraw(), UNDO_MS);
  }

  withdraw() {
    clearTimeout(this.#timer);
    this.#restore = null;
    this.#place.classList.remove("is-shown");
  }
}
