// A connection to the server that reconnects by itself. Knows frames, but no topics: pages use the `Hubbub` of `hub.js`.
//
//   const socket = new Socket("/ws/", {
//     hello(frame) {},             // admitted, first or again; return false to close: the page is another user's
//     event(frame) {},             // an event; unknown types must be ignored
//     state(state, why) {},        // "connecting" | "open" | "offline"; also on <html data-state="…">
//                                  // why: { code, reason, final, error? }; error: the server's last one before it closed
//                                  // of "open": { via }, "socket" or "http"
//   }, browser());
//   socket.open();
//   await socket.request({ type: "join", topic: "poll/7" });        // sent once; rejects with Refused or Lost

import { backoffMs } from "./backoff.js";
import { Lost, Refused } from "./errors.js";
import { Heartbeat } from "./heartbeat.js";
import { Ways } from "./ways.js";

/**
 * @import {
 *   BrowserLike, ConnectionState, ErrorFrame, Frame, Hello, SocketHandlers, StateDetails, Timer, WebSocketLike
 * } from "./types.js"
 */

/**
 * A request without an answer yet; `size` in bytes.
 * @typedef {{ resolve: (answer: any) => void, reject: (error: unknown) => void, size: number }} Waiting
 */

const HELLO_MS = 12_000; // From connecting to `hello`; a server that is silent for longer is tried again.
const STEADY_MS = 5_000; // A connection that lasted this long resets the back-off.
const ABNORMAL = 1006;
const TOO_BIG = 1009;
const RESTART = 1012;
const SESSION_ENDED = 4003;
const RATE_LIMITED = 4102;
const RENEWED_MS = 1_000; // After 4003: the response that brings a new session may still be under way.
const CALM_MS = 5_000; // After 4102, before the back-off: the client did not slow down when the server asked for it.
const MAX_CALM_MS = 600_000; // Bound of the wait that the server asks for.

export class Socket {
  #ways;
  #handlers;
  #env;
  #heartbeat;
  /** @type {WebSocketLike | null} */
  #ws = null;
  /** @type {Map<number, Waiting>} by ref */
  #waiting = new Map();
  #lastRef = 0;
  #tries = 0;
  /** @type {Timer | null} until the next try, or until `hello` is overdue */
  #timer = null;
  /** @type {number | null} */
  #helloAt = null;
  #triedAfterEnd = false;
  /** @type {ErrorFrame | null} the last error that answers no command: the reason of the close that follows */
  #refusal = null;
  #calmUntil = 0; // Before this time not even a visible page reconnects.
  #limits = { frame_bytes: Infinity };
  #unsent = 0; // Bytes, at the last call of `#hasMoved`.
  #wanted = false;
  #stopped = false;

  /**
   * @param {string} path  of the WebSocket on this host
   * @param {SocketHandlers} handlers
   * @param {BrowserLike} env
   * @param {string | null} [http]  of the addresses for HTTP, where WebSockets do not get through; null: there are none
   */
  constructor(path, handlers, env, http = null) {
    this.#ways = new Ways(path, http, env);
    this.#handlers = handlers;
    this.#env = env;
    this.#heartbeat = new Heartbeat({
      env,
      ping: () => this.request({ type: "ping" }).catch(() => {}),
      dead: () => this.#lost({ code: ABNORMAL, reason: "Heartbeat timed out" }),
      moved: () => this.#hasMoved(),
    });
    env.onWake(() => this.#wake());
    env.onOffline(() => this.#ws !== null && this.#lost({ code: ABNORMAL, reason: "Offline" }));
  }

  /** Connects, and stays connected until `close`. */
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

  /**
   * Sends a command once.
   *
   * @template {Frame} Command
   * @param {Command} command
   * @returns {Promise<any>} the answer; rejects with Refused, or with Lost: the command may or may not have happened
   */
  request(command) {
    if (this.#ws === null || !this.isOpen) return Promise.reject(new Lost());
    const ws = this.#ws;
    const ref = ++this.#lastRef;
    const text = JSON.stringify({ ...command, ref });
    const size = new TextEncoder().encode(text).length;
    if (size > this.#limits.frame_bytes) return Promise.reject(tooLong());
    return new Promise((resolve, reject) => {
      this.#waiting.set(ref, { resolve, reject, size });
      ws.send(text);
    });
  }

  #connect() {
    this.#env.clearTimeout(this.#timer);
    this.#report("connecting");
    this.#refusal = null;
    const ws = this.#ways.open();
    this.#ws = ws;
    // A connection that was given up may still send events.
    ws.onmessage = ({ data }) => ws === this.#ws && this.#receive(data);
    ws.onclose = ({ code, reason }) => ws === this.#ws && this.#lost({ code, reason });
    this.#timer = this.#env.setTimeout(() => this.#lost({ code: ABNORMAL, reason: "No hello" }), HELLO_MS);
  }

  /** @param {string} text */
  #receive(text) {
    this.#heartbeat.markAlive();
    this.#ways.works();
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    switch (frame.type) {
      case "hello":
        this.#admit(frame);
        break;
      case "auth.required":
        if (this.#handlers.token) this.#ws?.send(JSON.stringify({ type: "auth", token: this.#handlers.token }));
        else {
          this.close();
          this.#env.signIn();
        }
        break;
      case "ok":
      case "pong":
        this.#takeWaiting(frame.ref)?.resolve(frame);
        break;
      case "error":
        if (frame.ref === undefined) this.#refusal = frame;
        this.#takeWaiting(frame.ref)?.reject(new Refused(frame));
        break;
      default:
        this.#handlers.event?.(frame);
    }
  }

  /** @param {Hello} hello */
  #admit(hello) {
    this.#env.clearTimeout(this.#timer);
    this.#helloAt = this.#env.now();
    this.#triedAfterEnd = false;
    this.#limits = hello.limits;
    this.#env.root.dataset.connection = hello.connection; // The id in the server's log.
    this.#heartbeat.start(hello.heartbeat_ms);
    this.#report("open", { via: this.#ways.via });
    this.#ways.watch(() => this.#lost({ code: RESTART, reason: "WebSockets get through" }));
    if (this.#handlers.hello?.(hello) === false) this.close();
  }

  /** @param {number} ref */
  #takeWaiting(ref) {
    const waiting = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    return waiting;
  }

  /** @param {{ code: number, reason: string }} close */
  #lost({ code, reason }) {
    // A restart is no failure: several restarts within seconds must not make the wait longer.
    const steady = this.#helloAt !== null && (code === RESTART || this.#env.now() - this.#helloAt >= STEADY_MS);
    if (code === TOO_BIG) this.#refuseLargest();
    this.#drop();
    if (steady) this.#tries = 0;
    this.#stopped = !this.#wanted || this.#isFinal(code);
    const error = this.#refusal;
    const askedMs = Math.min(Number(error?.retry_after_ms) || 0, MAX_CALM_MS);
    const calmMs = Math.max(code === RATE_LIMITED ? CALM_MS : code === SESSION_ENDED ? RENEWED_MS : 0, askedMs);
    this.#calmUntil = this.#env.now() + calmMs;
    const retryMs = calmMs + (this.#stopped ? 0 : backoffMs(this.#tries++, this.#env.random));
    this.#report("offline", {
      code,
      reason,
      final: this.#stopped,
      ...(error && { error }),
      ...(!this.#stopped && { retryMs }),
    });
    if (this.#stopped || !this.#wanted || this.#ws !== null) return; // The handler may have opened or closed it.
    this.#timer = this.#env.setTimeout(() => this.#connect(), retryMs);
  }

  /** Gives up the largest request: the server or a proxy refused its size, and a repeat would end the next connection. */
  #refuseLargest() {
    let largest = null;
    for (const [ref, { size }] of this.#waiting) {
      if (largest === null || size > largest.size) largest = { ref, size };
    }
    if (largest !== null) this.#takeWaiting(largest.ref)?.reject(tooLong());
  }

  /** Whether bytes left the send buffer since the last call. */
  #hasMoved() {
    const unsent = this.#ws?.bufferedAmount ?? 0;
    const moved = unsent < this.#unsent;
    this.#unsent = unsent;
    return moved;
  }

  /**
   * 40xx: do not reconnect. After 4003 there is one more try: another tab may have renewed the session.
   *
   * @param {number} code
   */
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
    this.#helloAt = null;
    const ws = this.#ws;
    this.#ws = null;
    if (ws !== null) this.#ways.ended();
    ws?.close();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new Lost());
  }

  /** The network returned or the page became visible: the user must not wait for a timer. */
  #wake() {
    if (this.isOpen) this.#heartbeat.check();
    else if (this.#wanted && !this.#stopped && this.#ws === null && this.#env.now() >= this.#calmUntil) this.#connect();
  }

  /**
   * @param {ConnectionState} state
   * @param {StateDetails} why
   */
  #report(state, why = {}) {
    this.#env.root.dataset.state = state;
    this.#handlers.state?.(state, why);
  }
}

function tooLong() {
  return new Refused({ code: "too_long", detail: "This is too long to be sent." });
}
