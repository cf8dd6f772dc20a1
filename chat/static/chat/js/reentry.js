// A room that is closed to its user: the page asks now and then whether it is open again, and at once when somebody looks.

// A ban is one user's. Out of a room that was made private are all its readers at once, so they ask less and less often.
const FIRST_MS = { banned: 4_000, removed: 20_000, not_found: 20_000 };
const LONGEST_MS = { banned: 10_000, removed: 300_000, not_found: 300_000 };
const HIDDEN_MS = 60_000; // At least, while nobody looks.

export class Reentry {
  #ask;
  #env;
  #isHidden;
  #code = null; // Why the room is closed; null: it is open, or gone.
  #waitMs = 0;
  #timer = null;
  #isAsking = false;

  /** `ask()` tries to enter; it calls `entered` or `refused`, or neither when there is no connection. */
  constructor(ask, env, isHidden) {
    this.#ask = ask;
    this.#env = env;
    this.#isHidden = isHidden;
    env.onWake(() => this.#try());
  }

  /** The room is closed, for one of the reasons that `room.closed` gives. */
  closed(code) {
    this.entered();
    if (!Object.hasOwn(LONGEST_MS, code)) return; // A deleted room does not come back.
    this.#code = code;
    this.#waitMs = FIRST_MS[code];
    this.#later();
  }

  /** It was asked for in vain. */
  refused() {
    if (this.#code === null) return;
    this.#waitMs = Math.min(LONGEST_MS[this.#code], 1.5 * this.#waitMs);
    this.#later();
  }

  entered() {
    this.#code = null;
    this.#env.clearTimeout(this.#timer);
  }

  get isClosed() {
    return this.#code !== null;
  }

  #later() {
    this.#env.clearTimeout(this.#timer);
    const waitMs = Math.max(this.#waitMs, this.#isHidden() ? HIDDEN_MS : 0);
    // Those who were put out together do not come together.
    this.#timer = this.#env.setTimeout(() => this.#try(), waitMs * (0.5 + this.#env.random() / 2));
  }

  async #try() {
    if (this.#code === null || this.#isAsking) return;
    this.#env.clearTimeout(this.#timer);
    this.#isAsking = true;
    try {
      await this.#ask();
    } finally {
      this.#isAsking = false;
    }
  }
}
