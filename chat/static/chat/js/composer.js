// The composer: a field for a new message or for an edit, with its formats, emoji, counter and keys.

import { find } from "../../hubbub/js/dom.js";
import { gettext } from "../../hubbub/js/texts.js";
import { clean, countChars } from "./body.js";
import { isInFence } from "./composer-blocks.js";
import { Counter } from "./composer-counter.js";
import { DiscardQuestion } from "./composer-discard.js";
import { Field } from "./composer-field.js";
import { formatEdit, formatOfKey } from "./composer-format.js";
import { enterMeans, isComposing } from "./composer-keys.js";
import { linkEdit, unlinkEdit } from "./composer-link.js";
import { Lock } from "./composer-lock.js";
import { PasteOffer } from "./composer-paste.js";
import { IS_APPLE, Toolbar } from "./composer-toolbar.js";
import { openLink } from "./dialog-link.js";
import { part } from "./parts.js";

/** @import { FormatKind } from "./types.js" */

const TOUCH = "(pointer: coarse)";
const LOCKED = gettext("You cannot write here.");
let lastId = 0;

export class Composer {
  #field;
  #counter;
  #button;
  #note;
  #lock;
  #offer;
  /** @type {DiscardQuestion | null} null: this is no edit */
  #question = null;
  #send;
  #cancel;
  #touch = matchMedia(TOUCH);
  #limit = Infinity;
  /** @type {string | null} the text before the edit */
  #original = null;

  /**
   * @param {HTMLElement} form
   * @param {object} calls
   * @param {(body: string) => unknown} calls.send  receives the cleaned text; returns false to keep it in the field
   * @param {() => void} [calls.cancel]  an edit ends without a change: asked for by Escape or its button, and confirmed
   * @param {(text: string) => void} [calls.changed]  the user changed the text
   */
  constructor(form, { send, cancel, changed = () => {} }) {
    this.#field = new Field(form);
    this.#button = find(form, "[type=submit]", HTMLButtonElement);
    this.#counter = new Counter(part(form, "counter"), part(form, "spoken"));
    this.#note = part(form, "note");
    this.#lock = new Lock(form, this.#field);
    this.#offer = new PasteOffer(form, this.#field);
    this.#send = send;
    this.#cancel = cancel;
    if (cancel !== undefined) this.#wireCancel(form, cancel);
    new Toolbar(form, { format: (kind) => this.#format(kind), emoji: (button) => this.#openEmoji(button) });
    this.#describe(form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#field.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.#field.element.addEventListener("input", () => {
      this.#offer.withdraw();
      this.#question?.withdraw();
      this.#note.hidden = true;
      this.#show();
      changed(this.#field.text);
    });
    this.#show();
  }

  get text() {
    return this.#field.text;
  }

  set text(text) {
    if (text !== this.#field.text) this.#field.text = text;
    this.#offer.withdraw();
    this.#question?.withdraw();
    this.#show();
    this.#lock.why = this.#lock.why; // What can be copied is another text.
  }

  /** @param {string} text  of the message that is edited: Escape asks when the field has another one */
  set original(text) {
    this.#original = text;
  }

  /** @param {number} chars */
  set limit(chars) {
    if (chars === this.#limit) return;
    this.#limit = chars;
    this.#show();
  }

  /** @param {string} why  the user may not write: shown in the place of the field; "": they may */
  set locked(why) {
    if (why === this.#lock.why) return;
    this.#lock.why = why;
    this.#show();
  }

  /** @param {boolean} disabled  without a reason */
  set disabled(disabled) {
    this.locked = disabled ? this.#lock.why || LOCKED : "";
  }

  focus() {
    this.#field.focus();
  }

  /**
   * @param {HTMLElement} form
   * @param {() => void} cancel
   */
  #wireCancel(form, cancel) {
    this.#question = new DiscardQuestion(form, { discarded: cancel, kept: () => this.#field.element.focus() });
    part(form, "cancel").addEventListener("click", () => this.#stop());
  }

  /**
   * Tells screen readers of the counter, and the keyboard of a touch screen what Enter does.
   *
   * @param {HTMLElement} form
   */
  #describe(form) {
    lastId += 1;
    part(form, "counter").id = `counter-${lastId}`;
    this.#field.element.setAttribute("aria-describedby", `counter-${lastId}`);
    const { enterKeyHint } = this.#field.element;
    const hint = () => {
      this.#field.element.enterKeyHint = this.#touch.matches ? "enter" : enterKeyHint;
    };
    hint();
    this.#touch.addEventListener("change", hint);
  }

  #submit() {
    const body = clean(this.#field.text);
    if (this.#lock.why !== "" || body === "") return;
    if (countChars(body) > this.#limit) {
      this.#counter.speak();
      return;
    }
    if (this.#send(body) === false) return;
    this.text = "";
  }

  /** Ends an edit; asks first where that would lose a text. */
  #stop() {
    if (this.#original !== null && clean(this.#field.text) !== this.#original) this.#question?.ask();
    else this.#cancel?.();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const meaning = enterMeans(event, { isTouch: this.#touch.matches, isInFence: () => this.#isInFence() });
    if (meaning === "send") {
      event.preventDefault();
      this.#submit();
    }
    if (meaning !== "none" || isComposing(event)) return;
    if (event.key === "Escape") {
      if (this.#offer.isOpen) {
        event.preventDefault();
        this.#offer.withdraw();
      } else if (this.#question !== null) this.#stop();
      return;
    }
    const kind = formatOfKey(event, IS_APPLE);
    if (kind === null) return;
    event.preventDefault();
    this.#format(kind);
  }

  #isInFence() {
    return isInFence(this.#field.text, this.#field.selection.start);
  }

  /** @param {FormatKind} kind */
  #format(kind) {
    if (this.#lock.why !== "") return;
    const { start, end } = this.#field.selection;
    if (kind === "link") this.#askForLink(start, end);
    else this.#field.apply(formatEdit(kind, this.#field.text, start, end));
  }

  /**
   * @param {number} start
   * @param {number} end
   */
  #askForLink(start, end) {
    const text = this.#field.text;
    const unlinked = unlinkEdit(text, start, end);
    if (unlinked !== null) {
      this.#field.apply(unlinked);
      return;
    }
    this.#field.element.focus(); // It has the focus again when the dialog is closed.
    openLink(text.slice(start, end), (link) => {
      if (this.#lock.why !== "") return;
      const isSame = this.#field.text === text; // Another tab may have changed it.
      const place = isSame ? start : this.#field.selection.end;
      this.#field.apply(linkEdit(place, isSame ? end : place, link));
    });
  }

  /** @param {HTMLButtonElement} button */
  async #openEmoji(button) {
    this.#note.hidden = true;
    try {
      const { openEmoji } = await import("./emoji.js");
      await openEmoji(button, (emoji) => this.#lock.why === "" && this.#field.insert(emoji));
    } catch {
      this.#note.hidden = false; // Offline, and it was never opened before.
    }
  }

  #show() {
    const body = clean(this.#field.text);
    const left = this.#limit - countChars(body);
    this.#counter.show(left, this.#limit);
    this.#button.disabled = this.#lock.why !== "" || body === "" || left < 0;
  }
}
