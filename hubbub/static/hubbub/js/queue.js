// Commands that must arrive: each is sent again until it is answered, one at a time, so that their order stays.

import { backoffMs } from "./backoff.js";
import { Lost, Refused } from "./errors.js";

/** @import { Frame, Timer, Timers } from "./types.js" */

/**
 * A command without an answer yet. The type of its answer follows from the command, which the queue does not read.
 * @typedef {{ command: Frame, resolve: (answer: any) => void, reject: (error: unknown) => void }} Entry
 */

const RETRIED = new Set(["unavailable", "rate_limited"]); // The server did nothing: the same command may be sent again.

export class Queue {
  /** @type {Timers} */
  #env;
  #send;
  /** @type {Entry[]} */
  #entries = [];
  #running = false;
  #sending = false;
  #tries = 0;
  /** @type {Timer | null} */
  #timer = null;

  /**
   * @param {object} options
   * @param {Timers} options.env
   * @param {(command: Frame) => Promise<unknown>} options.send  resolves with the answer
   */
  constructor({ env, send }) {
    this.#env = env;
    this.#send = send;
  }

  /**
   * @param {Frame} command
   * @returns {Promise<any>} the answer; rejects with Refused when the server refuses the command for good
   */
  add(command) {
    return new Promise((resolve, reject) => {
      this.#entries.push({ command, resolve, reject });
      this.#next();
    });
  }

  get isEmpty() {
    return this.#entries.length === 0;
  }

  /**
   * Gives a command up; it may have been sent. Its promise is never settled.
   *
   * @param {Frame} command
   */
  drop(command) {
    this.#entries = this.#entries.filter((entry) => entry.command !== command);
  }

  /**
   * Gives all commands up.
   *
   * @param {unknown} reason  that they are rejected with
   */
  clear(reason) {
    for (const { reject } of this.#entries.splice(0)) reject(reason);
  }

  resume() {
    this.#running = true;
    this.#tries = 0;
    this.#next();
  }

  pause() {
    this.#running = false;
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #next() {
    const first = this.#entries[0];
    if (!this.#running || this.#sending || this.#timer !== null || first === undefined) return;
    this.#sending = true;
    try {
      const answer = await this.#send(first.command);
      this.#settle(first);
      first.resolve(answer);
    } catch (error) {
      if (error instanceof Refused && RETRIED.has(error.code)) this.#wait(error.retryAfterMs);
      else if (!(error instanceof Lost)) {
        this.#settle(first);
        first.reject(error);
      }
    } finally {
      this.#sending = false;
    }
    this.#next();
  }

  /** @param {Entry} entry */
  #settle(entry) {
    this.#tries = 0;
    if (this.#entries[0] === entry) this.#entries.shift();
  }

  /** @param {number | null} retryAfterMs */
  #wait(retryAfterMs) {
    if (!this.#running) return;
    // At least half a second: a server that names no wait must not be flooded.
    const waitMs = Math.max(retryAfterMs ?? 0, 500) + backoffMs(this.#tries++, this.#env.random);
    this.#timer = this.#env.setTimeout(() => {
      this.#timer = null;
      this.#next();
    }, waitMs);
  }
}
