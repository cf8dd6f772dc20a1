// Notices a connection that has died without a word. Compares times, since timers of hidden tabs are slowed. A
// connection on which bytes still move is not dead: see `moved`.

const GRACE_MS = 8_000; // From the ping to giving the connection up.
const LATE_MS = 4_000; // A check this late ran in a tab that slept: what came meanwhile has not been handled yet.

export class Heartbeat {
  #env;
  #ping;
  #dead;
  #moved;
  #intervalMs;
  #heardAt = 0;
  #pingedAt = null;
  #dueAt = 0;
  #timer = null;

  /** `ping()` sends one, `dead()` is told that nothing came back. `moved()`: whether bytes were sent since it was last asked. */
  constructor({ env, ping, dead, moved = () => false }) {
    this.#env = env;
    this.#ping = ping;
    this.#dead = dead;
    this.#moved = moved;
  }

  start(intervalMs) {
    this.stop();
    this.#intervalMs = intervalMs;
    this.heard();
    this.#schedule();
  }

  stop() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    this.#pingedAt = null;
  }

  /** Anything that comes from the server is a sign of life. */
  heard() {
    this.#heardAt = this.#env.now();
    this.#pingedAt = null;
  }

  /** By timer, and at once when the page becomes visible. */
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
      this.#pingedAt = now; // It stands behind what is still being sent.
    }
    if (now - this.#heardAt >= this.#intervalMs && (this.#pingedAt === null || overslept)) {
      this.#pingedAt = now;
      this.#ping();
      this.#moved();
    }
    this.#schedule();
  }

  #schedule() {
    const now = this.#env.now();
    const dueAt = this.#pingedAt === null ? this.#heardAt + this.#intervalMs : this.#pingedAt + GRACE_MS;
    // Never at once: a clock that was set back, or a check right at the limit, must not spin.
    const waitMs = Math.min(Math.max(dueAt - now, 50), this.#intervalMs + GRACE_MS);
    this.#dueAt = now + waitMs;
    this.#env.clearTimeout(this.#timer);
    this.#timer = this.#env.setTimeout(() => this.check(), waitMs);
  }
}
