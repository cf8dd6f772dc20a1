// The joins of a hub: few at a time, in order. A page with many topics would else exceed its user's limit at each hello.

/** @import { Timer, Timers } from "./types.js" */

const MAX_RUNNING = 8;
// As many joins may be refused after each pause, and the server closes a socket with 200 refusals in ten seconds.
const MIN_PAUSE_MS = 1_000;

export class JoinLane {
  /** @type {Timers} */
  #env;
  /** @type {Set<() => Promise<void>>} */
  #waiting = new Set();
  #running = 0;
  /** @type {Timer | null} */
  #timer = null;

  /** @param {Timers} env */
  constructor(env) {
    this.#env = env;
  }

  /** @param {() => Promise<void>} run  never rejects */
  add(run) {
    this.#waiting.add(run);
    this.#next();
  }

  /** Drops what has not begun. */
  clear() {
    this.#waiting.clear();
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /**
   * Begins nothing for a while, at least a second: the server asked for it.
   *
   * @param {number} ms
   */
  pause(ms) {
    this.#env.clearTimeout(this.#timer);
    this.#timer = this.#env.setTimeout(
      () => {
        this.#timer = null;
        this.#next();
      },
      Math.max(ms, MIN_PAUSE_MS),
    );
  }

  async #next() {
    const [run] = this.#waiting;
    if (run === undefined || this.#timer !== null || this.#running >= MAX_RUNNING) return;
    this.#waiting.delete(run);
    this.#running += 1;
    this.#next();
    await run();
    this.#running -= 1;
    this.#next();
  }
}
