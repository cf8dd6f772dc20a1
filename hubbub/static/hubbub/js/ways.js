// The ways to the server: a WebSocket, or a stream over HTTP where a proxy or a firewall lets no WebSocket through.

/** @import { BrowserLike, Timer, Via, WebSocketLike } from "./types.js" */

const BLOCKED_TRIES = 2; // WebSockets in a row that ended without a frame, before a stream is tried.
// Streams in a row that ended without a frame, where one has worked, before a WebSocket is tried: the server restarts, and the
// network is the same. Firefox delays each WebSocket after a failed one, up to a minute, for all tabs together.
const STREAM_TRIES = 6;
const PROBE_MS = 300_000; // A connection over HTTP looks this often whether WebSockets get through now.
const FIRST_PROBE_MS = 1_000; // Where one got through before: the network was away for a while, and does not block them.

export class Ways {
  #path;
  #http;
  #env;
  #blocked = 0;
  #hasStreamed = false; // Since the last WebSocket that worked.
  #silent = 0;
  #hadSocket = false; // A WebSocket has worked, and no later one was found to be blocked.
  /** @type {Via} of the present connection, or of the present try */
  #via = "socket";
  #hasFrame = false;
  /** @type {WebSocketLike | null} */
  #probe = null;
  /** @type {Timer | null} */
  #timer = null;

  /**
   * @param {string} path  of the WebSocket
   * @param {string | null} http  of the addresses for HTTP; null: there are none
   * @param {BrowserLike} env
   */
  constructor(path, http, env) {
    this.#path = path;
    this.#http = http;
    this.#env = env;
  }

  get via() {
    return this.#via;
  }

  /** @returns {WebSocketLike} the next try */
  open() {
    this.#hasFrame = false;
    if (this.#http !== null && this.#blocked >= BLOCKED_TRIES) {
      this.#via = "http";
      return this.#env.openStream(this.#http);
    }
    this.#via = "socket";
    return this.#env.open(this.#path);
  }

  /** A frame arrived. */
  works() {
    this.#hasFrame = true;
    if (this.#via === "socket") {
      this.#blocked = 0;
      this.#hadSocket = true;
    }
    this.#hasStreamed = this.#via === "http";
    this.#silent = 0;
  }

  /** The connection, or the try, has ended. */
  ended() {
    this.#stopProbing();
    if (this.#hasFrame) return;
    if (this.#via === "socket") {
      this.#blocked += 1;
      return;
    }
    // Neither way works: the server is away. WebSockets come next, one of them where a stream has worked.
    this.#silent += 1;
    if (!this.#hasStreamed) this.#blocked = 0;
    else if (this.#silent % STREAM_TRIES === 0) this.#blocked = BLOCKED_TRIES - 1;
  }

  /**
   * Watches, over HTTP, whether WebSockets get through.
   *
   * @param {() => void} found  runs when they do; the next try is a WebSocket
   */
  watch(found) {
    this.#stopProbing();
    if (this.#via !== "http") return;
    this.#timer = this.#env.setTimeout(() => this.#look(found), this.#hadSocket ? FIRST_PROBE_MS : PROBE_MS);
  }

  /** @param {() => void} found */
  #look(found) {
    const probe = this.#env.open(this.#path);
    this.#probe = probe;
    probe.onmessage = () => {
      this.#blocked = 0;
      this.#stopProbing();
      found();
    };
    probe.onclose = () => {
      if (probe !== this.#probe) return;
      this.#hadSocket = false;
      this.watch(found);
    };
  }

  #stopProbing() {
    this.#env.clearTimeout(this.#timer);
    const probe = this.#probe;
    this.#probe = null;
    probe?.close();
  }
}
