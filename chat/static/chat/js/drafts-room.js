// The draft of one room in one tab.
//
// A draft has an id from its first letter until it is sent. Its entry counts the changes of each tab, so that a tab can see
// whether its own last change is part of a text. The entry of a sent draft stays without its text: a tab that wakes up with that
// text knows that it was sent.

import { newId } from "../../hubbub/js/new-id.js";
import { clean } from "./body.js";
import { keyOf } from "./unsent-store.js";

/** @import { Store } from "./unsent-store.js" */

/** @typedef {Record<string, number>} Changes  their number, by tab */

/**
 * @typedef {object} Entry
 * @property {string} text  empty when the draft was sent or cleared
 * @property {Changes} changes
 * @property {number} at  of the last change, in milliseconds
 * @property {boolean} [isSent]
 */

const MAX_ENDED = 20; // Entries of a room that are kept without a text, for tabs that sleep.

/**
 * The field of a draft on the page.
 * @typedef {object} DraftField
 * @property {(text: string) => void} show  the text is another one now
 * @property {() => boolean} isHeld  the field has the focus, and the user has typed or sent since: it keeps its text
 */

/** @type {DraftField} */
const NO_FIELD = { show: () => {}, isHeld: () => false };

export class RoomDraft {
  #parts;
  #store;
  #tab;
  #changed;
  #field = NO_FIELD;
  #text = "";
  /** @type {string | null} */
  #id = null;
  /** @type {Changes} that are part of the text */
  #changes = {};

  /**
   * @param {[userId: string, slug: string]} parts
   * @param {Store} store
   * @param {string} tab
   * @param {() => void} changed  the stored drafts changed
   */
  constructor(parts, store, tab, changed) {
    this.#parts = parts;
    this.#store = store;
    this.#tab = tab;
    this.#changed = changed;
    this.#takeNewest();
  }

  /** The text of the field. */
  get text() {
    return this.#text;
  }

  /** @param {DraftField} field */
  show(field) {
    this.#field = field;
    this.sync();
  }

  /** No field shows it. */
  hide() {
    this.#field = NO_FIELD;
  }

  /**
   * The user changed the text of the field.
   *
   * @param {string} text
   * @returns {string} the text that the field has to show: without what was sent by another tab meanwhile
   */
  typed(text) {
    const entry = this.#entry();
    const isSent = this.#isSent(entry);
    if (entry !== null && !includes(this.#changes, entry.changes)) this.#begin();
    this.#keep(isSent ? added(this.#text, text) : text);
    return this.#text;
  }

  /** The text was handed over as a post: the draft ends, in all tabs. */
  sent() {
    this.#end(true);
  }

  /** Takes over what other tabs did. Another text of the field is shown. */
  sync() {
    const before = this.#text;
    const isHeld = this.#field.isHeld();
    const entry = this.#entry();
    if (this.#isSent(entry)) {
      this.#begin();
      this.#text = "";
    } else if (entry !== null && !includes(this.#changes, entry.changes)) {
      // Another tab has written on: on this text, or on an older one at the same moment.
      if (!includes(entry.changes, this.#changes)) this.#fork();
      else if (!isHeld) this.#take(entry);
    } else if (this.#id !== null && this.#text !== "" && !includes(entry?.changes ?? {}, this.#changes)) {
      this.#write({ text: this.#text, changes: this.#changes }); // Lost: the storage was cleared, or another tab won.
    }
    if (this.#text === "" && !isHeld) this.#takeNewest();
    if (this.#text !== before) this.#field.show(this.#text);
  }

  /** @returns {Entry | null} */
  #entry() {
    const entry = this.#id === null ? null : this.#store.read(this.#key(this.#id));
    return isEntry(entry) ? entry : null;
  }

  /**
   * Whether the text of this tab was sent by another one, to its last letter.
   *
   * @param {Entry | null} entry
   */
  #isSent(entry) {
    return entry?.isSent === true && includes(entry.changes, this.#changes);
  }

  /** The next text is a draft of its own. */
  #begin() {
    this.#id = null;
    this.#changes = {};
  }

  #fork() {
    const text = this.#text;
    this.#begin();
    if (text !== "") this.#keep(text);
  }

  /** @param {string} text */
  #keep(text) {
    this.#text = text;
    if (text === "") {
      this.#end(false);
      return;
    }
    this.#id ??= newId();
    this.#changes = { ...this.#changes, [this.#tab]: (this.#changes[this.#tab] ?? 0) + 1 };
    this.#write({ text, changes: this.#changes });
  }

  /** @param {boolean} isSent */
  #end(isSent) {
    this.#text = "";
    const entry = this.#entry();
    // Another tab has written on: its text stays.
    const isOlder = entry !== null && !includes(this.#changes, entry.changes);
    if (this.#id === null || isOlder) {
      this.#begin();
      return;
    }
    const changes = { ...this.#changes, [this.#tab]: (this.#changes[this.#tab] ?? 0) + 1 };
    this.#write({ text: "", changes, ...(isSent ? { isSent } : {}) });
    this.#begin();
    this.#prune();
  }

  /** @param {Omit<Entry, "at">} entry */
  #write(entry) {
    this.#store.write(this.#key(this.#id ?? ""), { ...entry, at: Date.now() });
    this.#changed();
  }

  /** @param {Entry} entry */
  #take(entry) {
    this.#text = entry.text;
    this.#changes = entry.changes;
    if (entry.text === "") this.#begin();
  }

  /** Shows the draft that was changed last, if there is one. */
  #takeNewest() {
    const [newest] = this.#entries()
      .filter(({ value }) => hasText(value))
      .sort((a, b) => b.value.at - a.value.at);
    if (newest === undefined) return;
    this.#id = newest.id;
    this.#take(newest.value);
  }

  #prune() {
    const ended = this.#entries()
      .filter(({ value }) => value.text === "")
      .sort((a, b) => b.value.at - a.value.at);
    for (const { id } of ended.slice(MAX_ENDED)) this.#store.write(this.#key(id), null);
  }

  /** @returns {{ id: string, value: Entry }[]} */
  #entries() {
    return this.#store
      .entries("draft", ...this.#parts)
      .filter(({ value }) => isEntry(value))
      .map(({ parts, value }) => ({ id: parts[0] ?? "", value }));
  }

  /** @param {string} id */
  #key(id) {
    return keyOf("draft", ...this.#parts, id);
  }
}

/**
 * Whether `changes` has all of `others`.
 *
 * @param {Changes} changes
 * @param {Changes} others
 */
function includes(changes, others) {
  return Object.entries(others).every(([tab, count]) => (changes[tab] ?? 0) >= count);
}

/**
 * What the user added to a text: all that is not of the text before, at one place.
 *
 * @param {string} before
 * @param {string} after
 */
export function added(before, after) {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end))
    end += 1;
  return after.slice(start, after.length - end);
}

/**
 * Whether an entry has something to send.
 *
 * @param {any} value
 */
export const hasText = (value) => isEntry(value) && clean(value.text) !== "";

/**
 * @param {any} value
 * @returns {value is Entry}
 */
function isEntry(value) {
  return typeof value?.text === "string" && typeof value.changes === "object" && value.changes !== null;
}
