// Saved edits that replaced a text which this page had not seen: two pages of a user saved at the same moment. The later one
// wins at the server, and its page keeps the other text.

/** @import { RoomEvent } from "./types.js" */

/**
 * @typedef {object} Save
 * @property {string} before  the text of the message as the page knew it
 * @property {string} body
 * @property {number | null} position  of the change; null: not answered
 * @property {string | null} replaced
 */

export class Saves {
  /** @type {Map<number, Save>} by the seq of the message */
  #open = new Map();

  /**
   * @param {number} seq
   * @param {string} before
   * @param {string} body
   */
  begin(seq, before, body) {
    this.#open.set(seq, { before, body, position: null, replaced: null });
  }

  /** @param {number} seq */
  failed(seq) {
    this.#open.delete(seq);
  }

  /**
   * @param {number} seq
   * @param {number} position
   */
  answered(seq, position) {
    const save = this.#open.get(seq);
    if (save !== undefined) save.position = position;
  }

  /** @param {RoomEvent[]} events  in order */
  take(events) {
    for (const event of events) {
      if (event.type !== "message.edited") continue;
      const { seq, body } = event.message;
      const save = this.#open.get(seq);
      const isBefore = save !== undefined && (save.position === null || event.position < save.position);
      if (isBefore && body !== save.before && body !== save.body) save.replaced = body;
    }
  }

  /**
   * Saves that are over: no earlier change of their messages can come any more.
   *
   * @param {(position: number) => boolean} isKnown  whether all events up to a position have come
   * @returns {{ seq: number, before: string, text: string }[]} with the texts that they replaced
   */
  settle(isKnown) {
    const found = [];
    for (const [seq, { before, position, replaced }] of this.#open) {
      if (position === null || !isKnown(position)) continue;
      this.#open.delete(seq);
      if (replaced !== null) found.push({ seq, before, text: replaced });
    }
    return found;
  }
}
