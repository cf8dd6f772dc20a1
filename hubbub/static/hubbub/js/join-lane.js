// The joins and the leaves of a hub: few of each at a time, in order. A page with many topics would else exceed its user's
// limit at each hello. No join waits for leaves: a page that changes rooms quickly has both.

/** @import { Timer, Timers } from "./types.js" */

const MAX_RUNNING = 8;
// As many joins may be refused after each pause, and the server closes a socket with 200 refusals in ten seconds.
const MIN_PAUSE_MS = 1_000;

/** @typedef {{ waiting: Set<() => Promise<void>>, running: number }} Queue */

export class JoinLane {
  /** @type {Timers} */
  #env;
  /** @type {Queue} */
  #joins = { waiting: new Set(), running: 0 };
  /** @type {Queue} */
  #leaves = { waiting: new Set(), running: 0 };
  /** @type {Timer | null} */
  #timer = null;

  /** @param {Timers} env */
  constructor(env) {
    this.#env = env;
  }

  /**
   * @param {() => Promise<void>} run  never rejects
   * @param {boolean} isJoin
   */
  add(run, isJoin) {
    const queue = isJoin ? this.#joins : this.#leaves;
    queue.waiting.add(run);
    this.#next(queue);
  }

  /** Drops what has not begun. */
  clear() {
    this.#joins.waiting.clear();
    this.#leaves.waiting.clear();
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
        this.#next(this.#joins);
        this.#next(this.#leaves);
      },
      Math.max(ms, MIN_PAUSE_MS),
    );
  }

  /** @param {Queue} queue */
  async #next(queue) {
    const [run] = queue.waiting;
    if (run === undefined || this.#timer !== null || queue.running >= MAX_RUNNING) return;
    queue.waiting.delete(run);
    queue.running += 1;
    this.#next(queue);
    await run();
    queue.running -= 1;
    this.#next(queue);
  }
}
