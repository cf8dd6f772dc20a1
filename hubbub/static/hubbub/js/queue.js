// Commands that must get through: each is sent again until it is answered, one after another, so that their order holds.

import { backoffMs } from "./backoff.js";
import { Lost } from "./errors.js";

const LATER = new Set(["unavailable", "rate_limited"]); // Nothing has happened: the same command may be tried again.

export class Queue {
  #env;
  #send;
  #kept = []; // {command, resolve, reject}
  #running = false;
  #sending = false;
  #tries = 0;
  #timer = null;

  /** `send(command)` gives a promise of its answer. */
  constructor({ env, send }) {
    this.#env = env;
    this.#send = send;
  }

  add(command) {
    return new Promise((resolve, reject) => {
      this.#kept.push({ command, resolve, reject });
      this.#next();
    });
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
    if (!this.#running || this.#sending || this.#timer !== null || this.#kept.length === 0) return;
    const first = this.#kept[0];
    this.#sending = true;
    try {
      const answer = await this.#send(first.command);
      this.#settle(first);
      first.resolve(answer);
    } catch (error) {
      if (LATER.has(error.code)) this.#wait(error.retryAfterMs);
      else if (!(error instanceof Lost)) {
        this.#settle(first);
        first.reject(error);
      }
    } finally {
      this.#sending = false;
    }
    this.#next();
  }

  #settle(entry) {
    this.#tries = 0;
    if (this.#kept[0] === entry) this.#kept.shift();
  }

  #wait(retryAfterMs) {
    if (!this.#running) return;
    // At least half a second: an answer that asks for no wait must not become a storm.
    const waitMs = Math.max(retryAfterMs ?? 0, 500) + backoffMs(this.#tries++, this.#env.random);
    this.#timer = this.#env.setTimeout(() => {
      this.#timer = null;
      this.#next();
    }, waitMs);
  }
}
