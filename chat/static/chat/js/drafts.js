// Drafts: one for each room, the same in all tabs of the browser. Nothing that is typed overwrites another text unseen: a tab
// that types on an older text than the stored one stores a draft of its own beside it.

import { newId } from "../../hubbub/js/new-id.js";
import { hasText, RoomDraft } from "./drafts-room.js";

/** @import { DraftField } from "./drafts-room.js" */
/** @import { Store } from "./unsent-store.js" */

export class Drafts {
  #store;
  #userId;
  #tab;
  /** @type {Map<string, RoomDraft>} by slug */
  #rooms = new Map();
  /** @type {((slugs: Set<string>) => void)[]} */
  #listeners = [];
  /** @type {Set<string>} the slugs that the listeners know */
  #told = new Set();

  /**
   * @param {string} userId
   * @param {Store} store
   * @param {string} [tab]  an id of this page
   */
  constructor(userId, store, tab = newId()) {
    this.#userId = userId;
    this.#store = store;
    this.#tab = tab;
    store.onChange("draft", userId, ([slug]) => this.#changed(slug));
  }

  /**
   * The draft of a room; the same object for the same room.
   *
   * @param {string} slug
   * @param {DraftField} [field]  that shows it from now on
   */
  room(slug, field) {
    let room = this.#rooms.get(slug);
    if (room === undefined) {
      room = new RoomDraft([this.#userId, slug], this.#store, this.#tab, () => this.#tell());
      this.#rooms.set(slug, room);
    }
    if (field !== undefined) room.show(field);
    return room;
  }

  /** The slugs of the rooms with a draft. */
  slugs() {
    return slugsWithDraft(this.#store, this.#userId);
  }

  /**
   * Runs now and after each change of the rooms with a draft.
   *
   * @param {(slugs: Set<string>) => void} changed
   */
  onDrafts(changed) {
    this.#listeners.push(changed);
    this.#told = this.slugs();
    changed(this.#told);
  }

  /** Follows the other tabs: the page has come into sight, or its field has lost the focus. */
  sync() {
    for (const room of this.#rooms.values()) room.sync();
  }

  /** @param {string | undefined} slug */
  #changed(slug) {
    if (slug === undefined) this.sync();
    else this.#rooms.get(slug)?.sync();
    this.#tell();
  }

  #tell() {
    if (this.#listeners.length === 0) return;
    const slugs = this.slugs();
    if (slugs.size === this.#told.size && [...slugs].every((slug) => this.#told.has(slug))) return; // Another letter of the same drafts.
    this.#told = slugs;
    for (const changed of this.#listeners) changed(slugs);
  }
}

/**
 * The slugs of the rooms with a draft.
 *
 * @param {Store} store
 * @param {string} userId
 * @returns {Set<string>}
 */
export function slugsWithDraft(store, userId) {
  const entries = store.entries("draft", userId).filter(({ value }) => hasText(value));
  return new Set(entries.map(({ parts }) => parts[0] ?? ""));
}
