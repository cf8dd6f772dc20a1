// A room that is closed to its user: the page asks at intervals whether it is open again, and at once when it is visible.

/** @import { BrowserLike, Timer } from "../../hubbub/js/types.js" */

/** @typedef {"banned" | "removed" | "not_found"} Reason  of a closed room that may open again */

// A ban concerns one user. A room that becomes private evicts all its readers at once, so they ask less and less often.
const FIRST_MS = { banned: 4_000, removed: 20_000, not_found: 20_000 };
const MAX_MS = { banned: 10_000, removed: 300_000, not_found: 300_000 };
const HIDDEN_MS = 60_000; // At least, while the page is hidden.

export class Reentry {
  #ask;
  #env;
  #isHidden;
  /** @type {Reason | null} null: the room is open or deleted */
  #reason = null;
  #waitMs = 0;
  /** @type {Timer | null} */
  #timer = null;
  #isAsking = false;

  /**
   * @param {() => void} ask  tries to join, perhaps not before there is a connection; `opened` or `refused` is the answer
   * @param {Pick<BrowserLike, "setTimeout" | "clearTimeout" | "random" | "onWake">} env
   * @param {() => boolean} isHidden
   */
  constructor(ask, env, isHidden) {
    this.#ask = ask;
    this.#env = env;
    this.#isHidden = isHidden;
    env.onWake(() => this.#try());
  }

  /**
   * The room closed.
   *
   * @param {string} code
   */
  closed(code) {
    this.opened();
    if (!mayReopen(code)) return; // A deleted room does not return.
    this.#reason = code;
    this.#waitMs = FIRST_MS[code];
    this.#schedule();
  }

  /** The server refused the join again. */
  refused() {
    this.#isAsking = false;
    if (this.#reason === null) return;
    this.#waitMs = Math.min(MAX_MS[this.#reason], 1.5 * this.#waitMs);
    this.#schedule();
  }

  /** The server accepted the join. */
  opened() {
    this.#isAsking = false;
    this.#reason = null;
    this.#env.clearTimeout(this.#timer);
  }

  get isClosed() {
    return this.#reason !== null;
  }

  #schedule() {
    this.#env.clearTimeout(this.#timer);
    const waitMs = Math.max(this.#waitMs, this.#isHidden() ? HIDDEN_MS : 0);
    // Readers who were evicted together must not ask together.
    this.#timer = this.#env.setTimeout(() => this.#try(), waitMs * (0.5 + this.#env.random() / 2));
  }

  #try() {
    if (this.#reason === null || this.#isAsking) return;
    this.#env.clearTimeout(this.#timer);
    this.#isAsking = true;
    this.#ask();
  }
}

/**
 * @param {string} code
 * @returns {code is Reason}
 */
function mayReopen(code) {
  return Object.hasOwn(MAX_MS, code);
}
