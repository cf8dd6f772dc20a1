// The forms in which messages are edited: made once for each edit, and kept while it is open.

import { Composer } from "./composer.js";
import { whyLocked } from "./composer-lock.js";
import { part, stamp } from "./parts.js";

/** @import { EditCalls, Message, RoomState } from "./types.js" */

export class Editors {
  /** @type {EditCalls} */
  #calls;
  #limit = Infinity;
  /** @type {{ seq: number, id: string, form: HTMLElement, composer: Composer, isNew: boolean } | null} */
  #open = null;

  /** @param {EditCalls} calls */
  constructor(calls) {
    this.#calls = calls;
  }

  get isOpen() {
    return this.#open?.form.isConnected === true;
  }

  /** @param {number} chars  of one message */
  set limit(chars) {
    this.#limit = chars;
    if (this.#open !== null) this.#open.composer.limit = chars;
  }

  /**
   * @param {Message} message
   * @returns {HTMLElement}
   */
  of(message) {
    // Another room may have a message of the same seq.
    if (this.#open?.seq === message.seq && this.#open.id === message.id) return this.#open.form;
    const form = /** @type {HTMLFormElement} */ (stamp("editor"));
    const composer = new Composer(form, {
      send: (body) => {
        this.#calls.save(message.seq, body, part(form, "problem"));
        return false;
      },
      cancel: () => this.#calls.cancel(),
      changed: (text) => this.#calls.edited(message, text),
    });
    composer.original = message.body;
    composer.text = this.#calls.editOf(message.seq) ?? message.body;
    this.#open = { seq: message.seq, id: message.id, form, composer, isNew: true };
    return form;
  }

  /**
   * The rows were rendered: a new editor is in the document now, so that it can measure itself and take the focus.
   *
   * @param {RoomState} state
   */
  rendered({ editing, room, closed }) {
    if (this.#open === null) return;
    this.#open.composer.locked = whyLocked({ room, closed });
    if (this.#open.seq !== editing) this.#open = null;
    else if (this.#open.isNew && this.#open.form.isConnected) {
      this.#open.isNew = false;
      this.#open.composer.limit = this.#limit;
      this.#open.composer.focus();
    }
  }
}
