// A shared worker: the tabs of a browser that are connected over HTTP share one stream. A page imports it for its address.
//
// A tab sends { open, lock } first, then { text }, and { close }. It is sent { ready }, { text }, { end }, and { look },
// which it answers with { here }.

import { SharedStream } from "./shared-stream.js";
import { StreamSocket } from "./stream-socket.js";
import { timers } from "./timers.js";

/** @import { Tab } from "./types.js" */

export const address = import.meta.url;

const LOOK_MS = 30_000; // Between two looks after a tab that holds no lock; one that answers none of them is gone.

/** @type {Map<string, SharedStream>} by path and token */
const streams = new Map();
/** @type {Map<string, { id: string }>} by path and token */
const memories = new Map();

/**
 * @param {string} path
 * @param {string} [token]
 */
function streamOf(path, token = "") {
  const key = `${path} ${token}`;
  let stream = streams.get(key);
  if (stream === undefined) {
    const memory = memories.get(key) ?? { id: "" };
    memories.set(key, memory);
    const env = { fetch: fetch.bind(globalThis), now: () => performance.now(), ...timers() };
    const opened = new SharedStream(new StreamSocket(path, env, memory), {
      timers: env,
      token,
      ended(isLost) {
        if (!isLost) memory.id = "";
        if (streams.get(key) === opened) streams.delete(key);
      },
    });
    streams.set(key, opened);
    stream = opened;
  }
  return stream;
}

/** @implements {Tab} */
class PortTab {
  #port;
  #path = "";
  /** @type {SharedStream | null} */
  #stream = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #looking;
  #isHere = true;

  /** @param {MessagePort} port */
  constructor(port) {
    this.#port = port;
    port.onmessage = ({ data }) => this.#take(data);
    port.addEventListener("close", () => this.#gone()); // Not in all browsers.
    port.postMessage({ ready: true });
  }

  /** @param {string} text */
  deliver(text) {
    this.#port.postMessage({ text });
  }

  /**
   * @param {number} code
   * @param {string} reason
   * @param {boolean} isAlone
   */
  end(code, reason, isAlone) {
    this.#port.postMessage({ end: { code, reason, isAlone } });
    this.#gone();
  }

  /** @param {any} message */
  #take({ open, lock, text, close, here }) {
    if (here) this.#isHere = true;
    else if (close) this.#gone();
    else if (open !== undefined) {
      this.#path = open;
      this.#watch(lock);
      this.#enter("");
    } else if (text !== undefined) {
      const command = JSON.parse(text);
      if (command.type === "auth") {
        this.#stream?.leave(this);
        this.#enter(command.token);
      } else this.#stream?.take(this, text);
    }
  }

  /** @param {string} token */
  #enter(token) {
    this.#stream = streamOf(this.#path, token);
    this.#stream.enter(this);
  }

  /**
   * Notices the end of a tab that cannot say so any more.
   *
   * @param {string | null} lock  which the tab holds until its end; null: the browser has no locks here
   */
  #watch(lock) {
    if (lock !== null) navigator.locks.request(lock, () => this.#gone());
    else {
      this.#looking = setInterval(() => {
        if (!this.#isHere) this.end(1006, "No sign of life", false);
        this.#isHere = false;
        this.#port.postMessage({ look: true });
      }, LOOK_MS);
    }
  }

  #gone() {
    clearInterval(this.#looking);
    const stream = this.#stream;
    this.#stream = null;
    stream?.leave(this);
    this.#port.close();
  }
}

if ("onconnect" in globalThis && !("document" in globalThis)) {
  globalThis.addEventListener("connect", (event) => {
    for (const port of /** @type {MessageEvent} */ (event).ports) new PortTab(port);
  });
}
