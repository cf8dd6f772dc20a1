// Reports how far the user has read: only messages that were on screen with the window focused, at intervals.

const REPORT_MS = 2_000; // Between two reports while the user scrolls.

export class ReadReports {
  #send;
  #isLooking;
  #now;
  #later;
  #seq = 0; // The last message that was seen.
  #read = 0; // As the server has it.
  #version = 0;
  #sentAt = Number.NEGATIVE_INFINITY;
  #isWaiting = false;
  /** @type {Set<number>} messages on screen now */
  #onScreen = new Set();

  /**
   * @param {object} calls
   * @param {(seq: number, version: number) => Promise<{ seq: number, version: number }>} calls.send
   * @param {() => boolean} calls.isLooking  the page is visible and its window focused
   * @param {() => number} calls.now  milliseconds
   * @param {(run: () => void, ms: number) => void} calls.later
   */
  constructor({ send, isLooking, now, later }) {
    this.#send = send;
    this.#isLooking = isLooking;
    this.#now = now;
    this.#later = later;
  }

  /**
   * What a join or another page says.
   *
   * @param {number} seq
   * @param {number} version
   */
  stored(seq, version) {
    if (version < this.#version || (version === this.#version && seq < this.#read)) return;
    // Marked unread: what was seen before that counts no more.
    if (version > this.#version) this.#seq = seq;
    this.#read = seq;
    this.#version = version;
  }

  /**
   * A message has come on screen, or has left it.
   *
   * @param {number} seq
   * @param {boolean} isShown
   */
  shown(seq, isShown) {
    if (isShown) this.#onScreen.add(seq);
    else this.#onScreen.delete(seq);
    this.look();
  }

  /** The user may look at the page now: the window was focused, or something has come on screen. */
  look() {
    if (!this.#isLooking() || this.#onScreen.size === 0) return;
    this.#seq = Math.max(this.#seq, ...this.#onScreen);
    if (this.#seq <= this.#read || this.#isWaiting) return;
    const wait = this.#sentAt + REPORT_MS - this.#now();
    if (wait <= 0) {
      this.leave();
      return;
    }
    this.#isWaiting = true;
    this.#later(() => {
      this.#isWaiting = false;
      this.leave();
    }, wait);
  }

  /** Reports at once what was seen: the page is left. */
  leave() {
    if (this.#seq <= this.#read) return;
    this.#sentAt = this.#now();
    this.#send(this.#seq, this.#version).then(
      ({ seq, version }) => this.stored(seq, version),
      () => {}, // The connection was lost, or the room is closed. The next look reports again.
    );
  }
}
