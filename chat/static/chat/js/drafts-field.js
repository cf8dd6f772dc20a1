// The field of a room's draft: it keeps its text while the user writes in it, and follows the other tabs otherwise.

/** @import { Composer } from "./composer.js" */
/** @import { Drafts } from "./drafts.js" */
/** @import { RoomDraft } from "./drafts-room.js" */

export class DraftField {
  #composer;
  #isFocused;
  #isTouched = false;
  /** @type {RoomDraft | null} */
  #draft = null;

  /**
   * @param {Composer} composer
   * @param {Drafts} drafts
   * @param {HTMLElement} form  of the composer
   */
  constructor(composer, drafts, form) {
    this.#composer = composer;
    this.#isFocused = () => document.hasFocus() && form.contains(document.activeElement);
    const leave = () => {
      this.#isTouched = false;
      drafts.sync();
    };
    // A key may send the text: what other tabs have must not come into the field then.
    form.addEventListener("keydown", () => {
      this.#isTouched = true;
    });
    form.addEventListener("focusout", ({ relatedTarget }) => {
      if (!(relatedTarget instanceof Node && form.contains(relatedTarget))) leave();
    });
    addEventListener("blur", leave);
    // A tab that has slept, or was kept whole by "Back", has heard of nothing.
    addEventListener("focus", () => drafts.sync());
    addEventListener("pageshow", () => drafts.sync());
    document.addEventListener("visibilitychange", () => drafts.sync());
  }

  /**
   * Shows the draft of another room.
   *
   * @param {RoomDraft} draft
   */
  show(draft) {
    this.#draft?.hide();
    this.#draft = draft;
    this.#isTouched = false;
    draft.show({
      show: (text) => {
        if (this.#composer.text !== text) this.#composer.text = text;
      },
      isHeld: () => this.#isTouched && this.#isFocused(),
    });
    this.#composer.text = draft.text;
  }

  /**
   * The user changed the text.
   *
   * @param {string} text
   */
  typed(text) {
    this.#isTouched = true;
    const shown = this.#draft?.typed(text) ?? text;
    if (shown !== text) this.#composer.text = shown;
  }
}
