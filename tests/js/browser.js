// A browser that a test holds in its hands: its clock, its network and its randomness.

export class FakeBrowser {
  root = { dataset: {} };
  sockets = [];
  signIns = 0;
  random = () => 1; // The longest wait that the back-off allows.
  #now = 1_000_000;
  #timers = new Map();
  #lastTimer = 0;
  #wakes = [];
  #offlines = [];

  now = () => this.#now;

  open = (path) => {
    const socket = new FakeSocket(path);
    this.sockets.push(socket);
    return socket;
  };

  signIn = () => void this.signIns++;
  onWake = (wake) => void this.#wakes.push(wake);
  onOffline = (offline) => void this.#offlines.push(offline);
  clearTimeout = (timer) => void this.#timers.delete(timer);

  setTimeout = (run, ms) => {
    this.#timers.set(++this.#lastTimer, { run, dueAt: this.#now + ms });
    return this.#lastTimer;
  };

  get socket() {
    return this.sockets.at(-1);
  }

  wake() {
    for (const wake of this.#wakes) wake();
  }

  goOffline() {
    for (const offline of this.#offlines) offline();
  }

  /** Time passes, and what is due runs in its turn. */
  async pass(ms) {
    const until = this.#now + ms;
    for (;;) {
      await settle();
      const due = [...this.#timers]
        .filter(([, { dueAt }]) => dueAt <= until)
        .sort(([, one], [, other]) => one.dueAt - other.dueAt)[0];
      if (due === undefined) break;
      const [timer, { run, dueAt }] = due;
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, dueAt);
      run();
    }
    this.#now = until;
    await settle();
  }

  /** Time passes while the computer sleeps: no timer runs until it is over. */
  sleep(ms) {
    this.#now += ms;
  }
}

export class FakeSocket {
  sent = [];
  closed = false;
  bufferedAmount = 0;

  constructor(path) {
    this.path = path;
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
  }

  // What the server does:

  says(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

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

  answers(command, fields = {}) {
    this.says({ type: "ok", ref: command.ref, ...fields });
  }

  refuses(command, code, more = {}) {
    this.says({ type: "error", ref: command.ref, code, detail: code, ...more });
  }

  ends(code, reason = "") {
    this.onclose({ code, reason });
  }
}

/** Lets every promise that is ready go on. */
export const settle = () => new Promise((done) => setImmediate(done));
