// Sends the posts that wait, of all rooms. One tab at a time sends those of a room, in the order in which they were written; the
// others watch, and take over when that tab has no connection or is closed. A post that is sent twice is one message.
//
// Without locks (a page without TLS) the tab that wrote a post sends it, and another tab only after a while.

import { failureOf } from "../../hubbub/js/errors.js";
import { failureText } from "./failure-texts.js";
import { isWaiting, StoredPosts, waitToRetry } from "./outbox-posts.js";

/** @import { PostEntry, RoomPosts, StoredPost, TabServices } from "./outbox-posts.js" */
/** @import { PendingPost, Posted, PostError } from "./types.js" */
/** @import { Store } from "./unsent-store.js" */

export const TAKE_OVER_MS = 2_000; // The tab that wrote a post sends it at once; others try later, mostly in vain.
export const TAKE_OVER_UNLOCKED_MS = 60_000;
const RETRIED = new Set(["unavailable", "rate_limited"]); // The server did nothing: the same post may be sent again.
const LEFT = new Set(["disconnected", "unauthorized"]); // It waits for the next connection, or the next sign-in.

export class Outbox {
  #posts;
  #userId;
  #send;
  #services;
  #isOpen = false;
  #isEnded = false;
  /** Whether the server has refused a post several times, and is asked again. */
  isRefused = false;
  /** @type {Map<string, RoomPosts>} shown by this tab, by slug */
  #rooms = new Map();
  /** @type {Set<string>} slugs of the rooms whose posts this tab sends, or waits to send */
  #busy = new Set();
  /** @type {Set<string>} slugs of the rooms that this tab looks at later */
  #later = new Set();
  /** @type {(() => void)[]} */
  #watchers = [];
  /** @type {Map<string, number>} when this tab saw another tab's post first, by id */
  #seenAt = new Map();

  /**
   * @param {string} userId
   * @param {object} options
   * @param {(slug: string, post: { id: string, body: string }) => Promise<Posted>} options.send  once; rejects with Refused, or
   *   with Lost where no answer came
   * @param {Store} options.store
   * @param {TabServices} options.services
   */
  constructor(userId, { send, store, services }) {
    this.#userId = userId;
    this.#send = send;
    this.#services = services;
    this.#posts = new StoredPosts(store, userId);
    this.#posts.clean();
    this.#posts.onChange((slug, id, value) => this.#changed(slug, id, value));
  }

  /**
   * Shows the posts of a room from now on.
   *
   * @param {string} slug
   * @param {RoomPosts} room
   * @returns {PendingPost[]} in the order in which they were written
   */
  show(slug, room) {
    this.#rooms.set(slug, room);
    return this.posts(slug);
  }

  /** @param {string} slug */
  hide(slug) {
    this.#rooms.delete(slug);
  }

  /**
   * The posts of a room that wait or were refused, in the order in which they were written.
   *
   * @param {string} slug
   * @returns {PendingPost[]}
   */
  posts(slug) {
    return this.#posts.of(slug).map(({ id, value: { body, at, error } }) => ({ id, body, at, error: error ?? null }));
  }

  /** Whether this tab has a connection. */
  get isOpen() {
    return this.#isOpen;
  }

  /** The number of posts that wait to be sent, in all rooms. */
  get waiting() {
    return this.#posts.waiting().length;
  }

  /**
   * Runs after each change of a post, by any tab.
   *
   * @param {() => void} changed
   */
  watch(changed) {
    this.#watchers.push(changed);
  }

  /**
   * Takes over a post: it is stored before this returns.
   *
   * @param {string} slug
   * @param {string} body
   * @returns {PendingPost}
   */
  add(slug, body) {
    const post = this.#posts.add(slug, body, this.#services.tab);
    this.#show(slug);
    this.#begin(slug);
    return post;
  }

  /**
   * Sends a refused post again.
   *
   * @param {string} slug
   * @param {string} id
   */
  retry(slug, id) {
    const post = this.#posts.read(slug, id);
    if (post === null) return;
    const { error: _, ...rest } = post;
    this.#write(slug, id, { ...rest, tab: this.#services.tab });
    this.#begin(slug);
  }

  /**
   * Gives a post up.
   *
   * @param {string} slug
   * @param {string} id
   */
  discard(slug, id) {
    this.#write(slug, id, null);
  }

  /**
   * The server has admitted a connection: what waits is sent, if it is this user's.
   *
   * @param {string | null} userId  of the connection
   */
  open(userId) {
    if (this.#isEnded || userId !== this.#userId) return;
    this.#isOpen = true;
    for (const slug of new Set(this.#posts.waiting().map((post) => post.slug))) this.#begin(slug);
  }

  /** There is no connection. Other tabs may send. */
  close() {
    this.#isOpen = this.isRefused = false;
  }

  /** Sends nothing any more: the user signs out, or the page is left. */
  end() {
    this.close();
    this.#isEnded = true;
  }

  /**
   * Another tab has changed a post.
   *
   * @param {string | undefined} slug
   * @param {string} id
   * @param {any} value
   */
  #changed(slug, id, value) {
    if (slug === undefined) {
      for (const room of this.#rooms.keys()) this.#show(room);
      return;
    }
    if (value?.answer !== undefined) this.#rooms.get(slug)?.answered(id, value.answer);
    this.#show(slug);
    if (isWaiting(value)) this.#beginLater(slug);
  }

  /** @param {string} slug */
  #show(slug) {
    this.#rooms.get(slug)?.changed(this.posts(slug));
    this.#tell();
  }

  #tell() {
    for (const changed of this.#watchers) changed();
  }

  /** @param {string} slug */
  #beginLater(slug) {
    if (!this.#isOpen || this.#later.has(slug)) return;
    this.#later.add(slug);
    const { timers } = this.#services;
    timers.setTimeout(
      () => {
        this.#later.delete(slug);
        this.#begin(slug);
      },
      TAKE_OVER_MS * (1 + timers.random()),
    );
  }

  /**
   * Sends what waits of a room, once it is this tab's turn.
   *
   * @param {string} slug
   */
  async #begin(slug) {
    if (!this.#isOpen || this.#busy.has(slug) || this.#first(slug) === null) return;
    this.#busy.add(slug);
    try {
      const { locks } = this.#services;
      if (locks === undefined) await this.#sendAll(slug);
      else await locks.request(`hubbub posts ${this.#userId} ${slug}`, () => this.#sendAll(slug));
    } finally {
      this.#busy.delete(slug);
    }
    if (this.#first(slug) !== null) this.#beginLater(slug);
  }

  /** @param {string} slug */
  async #sendAll(slug) {
    for (let tries = 0; ; ) {
      const post = this.#isOpen ? this.#first(slug) : null;
      if (post === null) return;
      const failure = await this.#sendOne(slug, post);
      const isRefused = failure?.code === "unavailable" && tries > 0;
      if (isRefused !== this.isRefused) {
        this.isRefused = isRefused;
        this.#tell();
      }
      if (failure === null) tries = 0;
      else if (LEFT.has(failure.code)) return;
      else if (RETRIED.has(failure.code)) await waitToRetry(failure.retryAfterMs, tries++, this.#services.timers);
      else this.#refused(slug, post.id, { code: failure.code, text: failureText(failure) });
    }
  }

  /**
   * @param {string} slug
   * @param {PostEntry} post
   */
  async #sendOne(slug, { id, value }) {
    try {
      const answer = await this.#send(slug, { id, body: value.body });
      this.#rooms.get(slug)?.answered(id, answer);
      // Other tabs get both changes, in order: the answer, and that the post is gone.
      this.#posts.write(slug, id, { ...value, answer });
      this.#write(slug, id, null);
      return null;
    } catch (error) {
      return failureOf(error);
    }
  }

  /**
   * @param {string} slug
   * @param {string} id
   * @param {PostError} error
   */
  #refused(slug, id, error) {
    const post = this.#posts.read(slug, id);
    if (post !== null) this.#write(slug, id, { ...post, error });
  }

  /**
   * The next post of a room, if this tab may send it.
   *
   * @param {string} slug
   */
  #first(slug) {
    const first = this.#posts.of(slug).find(({ value }) => isWaiting(value));
    if (first === undefined) return null;
    const { locks, tab, timers } = this.#services;
    if (locks !== undefined || first.value.tab === tab) return first;
    const now = timers.now();
    const seenAt = this.#seenAt.get(first.id) ?? now;
    this.#seenAt.set(first.id, seenAt);
    if (now - seenAt >= TAKE_OVER_UNLOCKED_MS) return first;
    this.#beginLater(slug);
    return null;
  }

  /**
   * @param {string} slug
   * @param {string} id
   * @param {StoredPost | null} post
   */
  #write(slug, id, post) {
    this.#posts.write(slug, id, post);
    this.#show(slug);
  }
}
