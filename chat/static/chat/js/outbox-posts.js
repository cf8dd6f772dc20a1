// Posts that wait for their answer, as the tabs of a browser share them: each has an entry of its own, under the user's id.

import { newId } from "../../hubbub/js/new-id.js";
import { keyOf } from "./unsent-store.js";

/** @import { Timers } from "../../hubbub/js/types.js" */
/** @import { PendingPost, Posted, PostError } from "./types.js" */
/** @import { Store } from "./unsent-store.js" */

/**
 * A post in the storage.
 * @typedef {object} StoredPost
 * @property {string} body
 * @property {string} at  when it was written, by the clock of this browser
 * @property {number} order  of the user's posts, as they were written
 * @property {string} tab  that wrote it, or sends it again
 * @property {PostError} [error]  it was refused: it waits for the user
 * @property {Posted} [answer]  it is about to be deleted
 */

/** @typedef {{ id: string, value: StoredPost }} PostEntry */

/**
 * The tab's calls to a room that it shows.
 * @typedef {object} RoomPosts
 * @property {(posts: PendingPost[]) => void} changed  the posts that wait or were refused, after a change by any tab
 * @property {(id: string, answer: Posted) => void} answered  before it is gone from the posts
 */

/**
 * All that the outbox needs of its tab, which tests replace.
 * @typedef {object} TabServices
 * @property {Timers & { now(): number }} timers
 * @property {Pick<LockManager, "request"> | undefined} locks
 * @property {string} tab  the id of this tab, the same after a reload
 */

const MIN_RETRY_MS = 500; // A server that names no wait must not be flooded.
const MAX_RETRY_MS = 20_000;

/**
 * Waits until a refused post may be sent again.
 *
 * @param {number | null} askedMs  by the server
 * @param {number} tries  before
 * @param {Timers} timers
 */
export function waitToRetry(askedMs, tries, { setTimeout, random }) {
  const waitMs = Math.max(askedMs ?? 0, Math.min(MAX_RETRY_MS, MIN_RETRY_MS * 2 ** tries)) * (1 + random());
  return new Promise((resolve) => setTimeout(() => resolve(null), waitMs));
}

export class StoredPosts {
  #store;
  #userId;

  /**
   * @param {Store} store
   * @param {string} userId
   */
  constructor(store, userId) {
    this.#store = store;
    this.#userId = userId;
  }

  /**
   * The posts of a room that wait or were refused, in the order in which they were written.
   *
   * @param {string} slug
   * @returns {PostEntry[]}
   */
  of(slug) {
    return this.#store
      .entries("post", this.#userId, slug)
      .filter(({ value }) => isPost(value) && value.answer === undefined)
      .map(({ parts, value }) => ({ id: parts[0] ?? "", value }))
      .sort((a, b) => a.value.order - b.value.order || (a.id < b.id ? -1 : 1));
  }

  /** The posts that wait to be sent, in all rooms. */
  waiting() {
    return waitingIn(this.#store, this.#userId);
  }

  /**
   * @param {string} slug
   * @param {string} body
   * @param {string} tab
   * @returns {PendingPost}
   */
  add(slug, body, tab) {
    const id = newId();
    const at = new Date().toISOString();
    const orders = this.#store.entries("post", this.#userId).map(({ value }) => Number(value.order) || 0);
    this.write(slug, id, { body, at, order: Math.max(0, ...orders) + 1, tab });
    return { id, body, at, error: null };
  }

  /**
   * @param {string} slug
   * @param {string} id
   * @returns {StoredPost | null}
   */
  read(slug, id) {
    const post = this.#store.read(this.#key(slug, id));
    return isPost(post) ? post : null;
  }

  /**
   * @param {string} slug
   * @param {string} id
   * @param {StoredPost | null} post  null deletes
   */
  write(slug, id, post) {
    this.#store.write(this.#key(slug, id), post);
  }

  /** Deletes posts that were answered: the tab that sent them was closed at this moment. */
  clean() {
    for (const { key, value } of this.#store.entries("post", this.#userId)) {
      if (value.answer !== undefined) this.#store.write(key, null);
    }
  }

  /**
   * Runs after another tab has changed a post; without a slug, anything may have changed.
   *
   * @param {(slug: string | undefined, id: string, value: any) => void} changed
   */
  onChange(changed) {
    this.#store.onChange("post", this.#userId, ([slug, id = ""], value) => changed(slug, id, value));
  }

  /**
   * @param {string} slug
   * @param {string} id
   */
  #key(slug, id) {
    return keyOf("post", this.#userId, slug, id);
  }
}

/**
 * The posts of a user that wait to be sent, in all rooms.
 *
 * @param {Store} store
 * @param {string} userId
 */
export function waitingIn(store, userId) {
  return store
    .entries("post", userId)
    .filter(({ value }) => isWaiting(value))
    .map(({ parts }) => ({ slug: parts[0] ?? "", id: parts[1] ?? "" }));
}

/**
 * @param {any} value
 * @returns {value is StoredPost}
 */
export function isPost(value) {
  return typeof value?.body === "string" && typeof value.at === "string";
}

/**
 * Whether a post is to be sent.
 *
 * @param {any} value
 */
export const isWaiting = (value) => isPost(value) && value.error === undefined && value.answer === undefined;
