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
    this.#show(true);
    this.#wait();
  }

  /** Not while the button has the focus: who reaches it by keyboard would lose it on the way. */
  #wait() {
    this.#timer = setTimeout(() => {
      if (this.#place.contains(document.activeElement)) this.#wait();
      else this.withdraw();
    }, UNDO_MS);
  }

  withdraw() {
    clearTimeout(this.#timer);
    this.#restore = null;
    this.#show(false);
  }

  /**
   * The words come and go: a screen reader reads out what changes in a region that is there already.
   *
   * @param {boolean} isShown
   */
  #show(isShown) {
    const words = part(this.#place, "undo-text");
    words.textContent = isShown ? (words.dataset.text ?? "") : "";
    part(this.#place, "undo-button").hidden = !isShown;
    this.#place.classList.toggle("is-shown", isShown);
  }
}
