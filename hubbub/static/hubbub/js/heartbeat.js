// Notices a dead connection. Compares times instead of counting timer runs, since browsers slow the timers of hidden tabs.

/** @import { BrowserLike, Timer } from "./types.js" */

const GRACE_MS = 8_000; // From the ping to giving up the connection.
const LATE_MS = 4_000; // A check this late ran in a suspended tab: frames may wait that are not handled yet.

export class Heartbeat {
  /** @type {BrowserLike} */
  #env;
  #ping;
  #dead;
  #moved;
  #intervalMs = Infinity;
  #aliveAt = 0;
  /** @type {number | null} */
  #pingedAt = null;
  #dueAt = 0;
  /** @type {Timer | null} */
  #timer = null;

  /**
   * @param {object} options
   * @param {BrowserLike} options.env
   * @param {() => unknown} options.ping  sends one ping
   * @param {() => void} options.dead  runs when no sign of life followed a ping
   * @param {() => boolean} [options.moved]  whether bytes left the send buffer since the last call: the link is slow, not dead
   */
  constructor({ env, ping, dead, moved = () => false }) {
    this.#env = env;
    this.#ping = ping;
    this.#dead = dead;
    this.#moved = moved;
  }

  /** @param {number} intervalMs  of silence before a ping */
  start(intervalMs) {
    this.stop();
    this.#intervalMs = intervalMs;
    this.markAlive();
    this.#schedule();
  }

  stop() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    this.#pingedAt = null;
  }

  /** A frame arrived: any of them is a sign of life. */
  markAlive() {
    this.#aliveAt = this.#env.now();
    this.#pingedAt = null;
  }

  /** Runs by timer, and as soon as the page becomes visible. */
  check() {
    if (this.#timer === null) return;
    const now = this.#env.now();
    const overslept = now - this.#dueAt > LATE_MS;
    if (this.#pingedAt !== null && !overslept && now - this.#pingedAt >= GRACE_MS) {
      if (!this.#moved()) {
        this.stop();
        this.#dead();
        return;
      }
      this.#pingedAt = now; // The ping is queued behind bytes that are still being sent.
    }
    if (now - this.#aliveAt >= this.#intervalMs && (this.#pingedAt === null || overslept)) {
      this.#pingedAt = now;
      this.#ping();
      this.#moved();
    }
    this.#schedule();
  }

  #schedule() {
    const now = this.#env.now();
    const dueAt = this.#pingedAt === null ? this.#aliveAt + this.#intervalMs : this.#pingedAt + GRACE_MS;
    // At least 50 ms: a check right at the limit must not spin.
    const waitMs = Math.min(Math.max(dueAt - now, 50), this.#intervalMs + GRACE_MS);
    this.#dueAt = now + waitMs;
    this.#env.clearTimeout(this.#timer);
    this.#timer = this.#env.setTimeout(() => this.check(), waitMs);
  }
}
