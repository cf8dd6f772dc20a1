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
  #onScreen = 0; // The seq of the last message on screen.
  #isPaused = false; // The user has marked messages on screen as unread.

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

  /** How far the server has it. */
  get read() {
    return this.#read;
  }

  /** How far the user has read: the server may not have it yet. */
  get seen() {
    return Math.max(this.#seq, this.#read);
  }

  /** @param {number} seq  of the last message on screen; 0: there is none */
  saw(seq) {
    this.#onScreen = seq;
    this.look();
  }

  /** Reports nothing: messages on screen are to stay unread. */
  pause() {
    this.#isPaused = true;
    this.#seq = 0;
  }

  /** Reports again. */
  resume() {
    this.#isPaused = false;
  }

  /** The user may look at the page now: the window was focused, or something has come on screen. */
  look() {
    if (this.#isPaused || this.#onScreen === 0 || !this.#isLooking()) return;
    this.#seq = Math.max(this.#seq, this.#onScreen);
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
    if (this.#isPaused || this.#seq <= this.#read) return;
    this.#sentAt = this.#now();
    this.#send(this.#seq, this.#version).then(
      ({ seq, version }) => this.stored(seq, version),
      () => {}, // The connection was lost, or the room is closed. The next look reports again.
    );
  }
}
