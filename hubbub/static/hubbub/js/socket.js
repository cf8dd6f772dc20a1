// A connection to the server that comes back by itself. Knows frames, not chat and not the monitor.
//
//   const socket = new Socket("/ws/chat/", {
//     hello(frame) {},             // admitted, also after each reconnect: join again here; false: not for this page, so close
//     event(frame) {},             // what the server tells by itself; unknown types are to be ignored
//     state(state, why) {},        // "connecting" | "open" | "offline"; also on <html data-state="…">
//                                  // why: { code, reason, final, error? }; error: what the server said before it closed
//   });
//   socket.open();
//   await socket.request({ type: "room.join", room: "general" });   // once; rejects with Refused or Lost
//   await socket.keep({ type: "message.post", id, … });             // sent again until it is answered; needs an id

import { backoffMs } from "./backoff.js";
import { browser } from "./browser.js";
import { Heartbeat } from "./heartbeat.js";
import { Queue } from "./queue.js";
import { Lost, Refused } from "./errors.js";

const HELLO_MS = 12_000; // From opening to `hello`; a server that is silent for longer is tried anew.
const STEADY_MS = 5_000; // A connection that lasted this long lets the back-off begin anew.
const TOO_BIG = 1009;
const RESTART = 1012;
const SESSION_ENDED = 4003;
const RATE_LIMITED = 4102;
const RENEWED_MS = 1_000; // After 4003: a new password gives this browser a new session, by an answer that may still be under way.
const CALM_MS = 5_000; // After 4102, before the back-off: the server has asked us in vain to be slower.
const MAX_CALM_MS = 600_000; // Of what the server asks for.

export { Lost, Refused };

export class Socket {
  #path;
  #handlers;
  #env;
  #queue;
  #heartbeat;
  #ws = null;
  #waiting = new Map(); // ref -> {resolve, reject}
  #lastRef = 0;
  #tries = 0;
  #timer = null; // Until the next try, or until `hello` is overdue.
  #helloAt = null;
  #triedAfterEnd = false;
  #refusal = null; // The last error that answers no command: why the socket is about to be closed.
  #calmUntil = 0; // Not even somebody who looks makes us connect before.
  #limits = { frame_bytes: Infinity };
  #unsent = 0; // Bytes, when the heartbeat last looked.
  #wanted = false;
  #stopped = false;

  constructor(path, handlers, env = browser()) {
    this.#path = path;
    this.#handlers = handlers;
    this.#env = env;
    this.#queue = new Queue({ env, send: (command) => this.request(command) });
    this.#heartbeat = new Heartbeat({
      env,
      ping: () => this.request({ type: "ping" }).catch(() => {}),
      dead: () => this.#lost({ code: 1006, reason: "Nothing heard" }),
      moved: () => this.#hasMoved(),
    });
    env.onWake(() => this.#wake());
    env.onOffline(() => this.#ws !== null && this.#lost({ code: 1006, reason: "Offline" }));
  }

  /** Connect, and stay connected until `close`. */
  open() {
    this.#wanted = true;
    this.#stopped = false;
    this.#triedAfterEnd = false;
    if (this.#ws === null) this.#connect();
  }

  close() {
    this.#wanted = false;
    this.#drop();
    this.#report("offline", { code: 1000, reason: "", final: true });
  }

  /** True between `hello` and the loss of the connection. */
  get isOpen() {
    return this.#helloAt !== null;
  }

  /** Send a command once. Resolves with its `ok`; rejects with Refused, or with Lost when it may or may not have happened. */
  request(command) {
    if (!this.isOpen) return Promise.reject(new Lost());
    const ref = ++this.#lastRef;
    const text = JSON.stringify({ ...command, ref });
    const size = new TextEncoder().encode(text).length;
    if (size > this.#limits.frame_bytes) return Promise.reject(tooLong());
    return new Promise((resolve, reject) => {
      this.#waiting.set(ref, { resolve, reject, size });
      this.#ws.send(text);
    });
  }

  /** Send a command that may be repeated (it carries an id) until it is answered, in the order given. */
  keep(command) {
    return this.#queue.add(command);
  }

  #connect() {
    this.#env.clearTimeout(this.#timer);
    this.#report("connecting");
    this.#refusal = null;
    const ws = this.#env.open(this.#path);
    this.#ws = ws;
    // A connection that was given up may still call: it is not ours any more.
    ws.onmessage = ({ data }) => ws === this.#ws && this.#receive(data);
    ws.onclose = ({ code, reason }) => ws === this.#ws && this.#lost({ code, reason });
    this.#timer = this.#env.setTimeout(() => this.#lost({ code: 1006, reason: "No answer" }), HELLO_MS);
  }

  #receive(text) {
    this.#heartbeat.heard();
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    switch (frame.type) {
      case "hello":
        return this.#admitted(frame);
      case "auth.required":
        this.close();
        return this.#env.signIn();
      case "ok":
      case "pong":
        return this.#answer(frame.ref)?.resolve(frame);
      case "error":
        if (frame.ref === undefined) this.#refusal = frame;
        return this.#answer(frame.ref)?.reject(new Refused(frame));
      default:
        this.#handlers.event?.(frame);
    }
  }

  #admitted(hello) {
    this.#env.clearTimeout(this.#timer);
    this.#helloAt = this.#env.now();
    this.#triedAfterEnd = false;
    this.#limits = hello.limits;
    this.#env.root.dataset.connection = hello.connection; // What the server's log calls it.
    this.#heartbeat.start(hello.heartbeat_ms);
    this.#report("open");
    if (this.#handlers.hello?.(hello) === false) this.close();
    // Not after a close: what is kept may be another user's, and a queue without a connection would try for ever.
    if (this.isOpen) this.#queue.resume();
  }

  #answer(ref) {
    const waiting = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    return waiting;
  }

  #lost({ code, reason }) {
    // A restart is no failure: whom it moves several times within seconds must not wait longer each time.
    const steady = this.#helloAt !== null && (code === RESTART || this.#env.now() - this.#helloAt >= STEADY_MS);
    if (code === TOO_BIG) this.#refuseLargest();
    this.#drop();
    if (steady) this.#tries = 0;
    this.#stopped = !this.#wanted || this.#isFinal(code);
    const error = this.#refusal;
    this.#report("offline", { code, reason, final: this.#stopped, ...(error && { error }) });
    if (this.#stopped) return;
    const askedMs = Math.min(Number(error?.retry_after_ms) || 0, MAX_CALM_MS);
    const calmMs = Math.max(code === RATE_LIMITED ? CALM_MS : code === SESSION_ENDED ? RENEWED_MS : 0, askedMs);
    this.#calmUntil = this.#env.now() + calmMs;
    this.#timer = this.#env.setTimeout(() => this.#connect(), calmMs + backoffMs(this.#tries++, this.#env.random));
  }

  /** One of those without an answer was too big, or a proxy's limit is lower than ours: sent again it would end the next connection. */
  #refuseLargest() {
    const [ref] = [...this.#waiting].reduce(
      (one, other) => (other[1].size > one[1].size ? other : one),
      [null, { size: 0 }],
    );
    this.#answer(ref)?.reject(tooLong());
  }

  /** Whether something of what was to be sent has gone since this was last asked. */
  #hasMoved() {
    const unsent = this.#ws?.bufferedAmount ?? 0;
    const moved = unsent < this.#unsent;
    this.#unsent = unsent;
    return moved;
  }

  /** 40xx: the server does not want us back. After 4003 one more try: the session may have been renewed in another tab. */
  #isFinal(code) {
    if (code === SESSION_ENDED && !this.#triedAfterEnd) {
      this.#triedAfterEnd = true;
      return false;
    }
    return code >= 4000 && code < 4100;
  }

  #drop() {
    this.#env.clearTimeout(this.#timer);
    this.#heartbeat.stop();
    this.#queue.pause();
    this.#helloAt = null;
    const ws = this.#ws;
    this.#ws = null;
    ws?.close();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new Lost());
  }

  /** The network is back, or somebody looks: do not let them wait for a timer. */
  #wake() {
    if (this.isOpen) this.#heartbeat.check();
    else if (this.#wanted && !this.#stopped && this.#ws === null && this.#env.now() >= this.#calmUntil) this.#connect();
  }

  #report(state, why = {}) {
    this.#env.root.dataset.state = state;
    this.#handlers.state?.(state, why);
  }
}

function tooLong() {
  return new Refused({ code: "too_long", detail: "This is too long to be sent." });
}
