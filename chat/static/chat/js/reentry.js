// A room that is closed to its user: the page asks at intervals whether it is open again, and at once when it is visible.

/** @import { BrowserLike, Timer } from "../../hubbub/js/types.js" */

/** @import { ClosedCode } from "./types.js" */

/** @typedef {Exclude<ClosedCode, "deleted">} Reason  of a closed room that may open again */

// A ban concerns one user. A room that becomes private evicts all its readers at once, so they ask less and less often.
const FIRST_MS = { banned: 4_000, removed: 20_000, not_found: 20_000 };
const MAX_MS = { banned: 10_000, removed: 300_000, not_found: 300_000 };
const HIDDEN_MS = 60_000; // At least, while the page is hidden.

export class Reentry {
  #ask;
  #env;
  #isHidden;
  /** @type {ClosedCode | null} the first code since the room was open */
  #code = null;
  #waitMs = 0;
  /** @type {Timer | null} */
  #timer = null;
  #isAsking = false;

  /**
   * @param {() => void} ask  tries to join, perhaps not before there is a connection; `opened` or `closed` is the answer
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
   * The room closed, or the server refused to open it again.
   *
   * @param {ClosedCode} code
   * @returns {boolean} whether it was open before; the code of a refusal does not say why the room closed
   */
  closed(code) {
    this.#isAsking = false;
    const wasOpen = this.#code === null;
    this.#code ??= code;
    if (!mayReopen(this.#code)) return wasOpen; // A deleted room does not return.
    this.#waitMs = wasOpen ? FIRST_MS[this.#code] : Math.min(MAX_MS[this.#code], 1.5 * this.#waitMs);
    this.#schedule();
    return wasOpen;
  }

  /** The server accepted the join. */
  opened() {
    this.#isAsking = false;
    this.#code = null;
    this.#env.clearTimeout(this.#timer);
  }

  /** Whether the room is closed, and may open again. */
  get isClosed() {
    return mayReopen(this.#code);
  }

  #schedule() {
    this.#env.clearTimeout(this.#timer);
    const waitMs = Math.max(this.#waitMs, this.#isHidden() ? HIDDEN_MS : 0);
    // Readers who were evicted together must not ask together.
    this.#timer = this.#env.setTimeout(() => this.#try(), waitMs * (0.5 + this.#env.random() / 2));
  }

  #try() {
    if (!this.isClosed || this.#isAsking) return;
    this.#env.clearTimeout(this.#timer);
    this.#isAsking = true;
    this.#ask();
  }
}

/**
 * @param {ClosedCode | null} code
 * @returns {code is Reason}
 */
function mayReopen(code) {
  return code !== null && code !== "deleted";
}
