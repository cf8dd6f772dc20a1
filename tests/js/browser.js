// A browser that a test controls: its clock, its network and its randomness.

/** @import { BrowserLike, Timer, WebSocketLike } from "../../hubbub/static/hubbub/js/types.js" */

/** @implements {BrowserLike} */
export class FakeBrowser {
  /** @type {{ dataset: DOMStringMap }} */
  root = { dataset: {} };
  /** @type {FakeSocket[]} */
  sockets = [];
  signIns = 0;
  #now = 1_000_000;
  /** @type {Map<Timer | null, { run: () => void, dueAt: number }>} */
  #timers = new Map();
  #lastTimer = 0;
  /** @type {(() => void)[]} */
  #wakes = [];
  /** @type {(() => void)[]} */
  #offlines = [];

  random = () => 1; // The longest wait that the back-off allows.
  now = () => this.#now;

  /** @param {string} path */
  open = (path) => {
    const socket = new FakeSocket(path);
    this.sockets.push(socket);
    return socket;
  };

  /** @param {string} path */
  openStream = (path) => {
    const socket = new FakeSocket(path);
    socket.isStream = true;
    this.sockets.push(socket);
    return socket;
  };

  signIn = () => {
    this.signIns += 1;
  };

  /** @param {() => void} wake */
  onWake = (wake) => {
    this.#wakes.push(wake);
  };

  /** @param {() => void} offline */
  onOffline = (offline) => {
    this.#offlines.push(offline);
  };

  /** @param {Timer | null} timer */
  clearTimeout = (timer) => {
    this.#timers.delete(timer);
  };

  /**
   * @param {() => void} run
   * @param {number} ms
   */
  setTimeout = (run, ms) => {
    this.#lastTimer += 1;
    this.#timers.set(this.#lastTimer, { run, dueAt: this.#now + ms });
    return this.#lastTimer;
  };

  /** How many timers run. */
  get timers() {
    return this.#timers.size;
  }

  /** The newest socket. */
  get socket() {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("no socket was opened");
    return socket;
  }

  wake() {
    for (const wake of this.#wakes) wake();
  }

  goOffline() {
    for (const offline of this.#offlines) offline();
  }

  /**
   * Time passes, and due timers run in order.
   *
   * @param {number} ms
   */
  async pass(ms) {
    const until = this.#now + ms;
    for (;;) {
      await settle();
      const due = [...this.#timers].filter(([, { dueAt }]) => dueAt <= until);
      const [first] = due.sort(([, a], [, b]) => a.dueAt - b.dueAt);
      if (first === undefined) break;
      const [timer, { run, dueAt }] = first;
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, dueAt);
      run();
    }
    this.#now = until;
    await settle();
  }

  /**
   * Time passes while the computer sleeps: no timer runs until it is over.
   *
   * @param {number} ms
   */
  sleep(ms) {
    this.#now += ms;
  }
}

/** @implements {WebSocketLike} */
export class FakeSocket {
  /** @type {any[]} the frames that the page sent */
  sent = [];
  closed = false;
  isStream = false;
  bufferedAmount = 0;
  /** @type {WebSocketLike["onmessage"]} */
  onmessage = null;
  /** @type {WebSocketLike["onclose"]} */
  onclose = null;

  /** @param {string} path */
  constructor(path) {
    this.path = path;
  }

  /** @param {string} text */
  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
  }

  // What the server does:

  /** @param {object} frame */
  says(frame) {
    this.receives(JSON.stringify(frame));
  }

  /** @param {string} text */
  receives(text) {
    this.onmessage?.(new MessageEvent("message", { data: text }));
  }

  /** @param {object} more */
  greets(more = {}) {
    this.says({
      type: "hello",
      user: { id: "1", name: "alice" },
      state: "ok",
      heartbeat_ms: 20_000,
      limits: { frame_bytes: 65_536 },
      ...more,
    });
  }

  /**
   * @param {{ ref: number }} command
   * @param {object} fields
   */
  answers(command, fields = {}) {
    this.says({ type: "ok", ref: command.ref, ...fields });
  }

  /**
   * @param {{ ref: number }} command
   * @param {string} code
   * @param {object} more
   */
  refuses(command, code, more = {}) {
    this.says({ type: "error", ref: command.ref, code, detail: code, ...more });
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  ends(code, reason = "") {
    this.onclose?.(/** @type {CloseEvent} */ ({ code, reason }));
  }
}

/** Lets every promise that is ready continue. */
export const settle = () => new Promise((done) => setImmediate(done));
