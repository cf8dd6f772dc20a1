// A tab's side of a stream that the tabs of a browser share. Where that cannot be, the tab has a stream of its own.

import { newId } from "./new-id.js";
import { scriptAddress } from "./trusted.js";

/** @import { WebSocketLike } from "./types.js" */

const READY_MS = 5_000; // Of a worker that starts. A browser without modules in workers says nothing, or an error.
// A bundler may have put it into another script, which must not run in a worker.
const OWN_NAME = /\/stream-worker(\.[0-9a-f]{12})?\.js$/;
const NAME = "hubbub-1"; // With the version of the messages: a worker of an older release may still run.

let canShare = true;

/** Whether a worker is tried. */
export const isSharing = () => canShare && typeof SharedWorker === "function" && "document" in globalThis;

/** @implements {WebSocketLike} */
export class SharedSocket {
  /** @type {WebSocketLike["onmessage"]} */
  onmessage = null;
  /** @type {WebSocketLike["onclose"]} */
  onclose = null;
  #path;
  #openOwn;
  /** @type {WebSocketLike | null} */
  #own = null;
  /** @type {MessagePort | null} */
  #port = null;
  #end = new AbortController();

  /**
   * @param {string} path  of the addresses
   * @param {() => WebSocketLike} openOwn  a stream of this tab alone
   * @param {string | URL | undefined} worker  address of `stream-worker.js`; undefined: beside this script
   */
  constructor(path, openOwn, worker) {
    this.#path = path;
    this.#openOwn = openOwn;
    this.#start(worker).catch(() => this.#alone());
  }

  get bufferedAmount() {
    return this.#own?.bufferedAmount ?? 0;
  }

  /** @param {string} text */
  send(text) {
    if (this.#own !== null) this.#own.send(text);
    else this.#port?.postMessage({ text });
  }

  close() {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.#own?.close();
    this.#letGo();
  }

  /** @param {string | URL | undefined} given */
  async #start(given) {
    const found = given ?? (await import("./stream-worker.js")).address;
    const signal = this.#end.signal;
    if (signal.aborted) return;
    if (given === undefined && !OWN_NAME.test(new URL(found).pathname)) throw new Error("bundled");
    // An address that the page names is the page's own decision.
    const worker = new SharedWorker(given ?? scriptAddress(found), { type: "module", name: NAME });
    const port = worker.port;
    this.#port = port;
    const late = setTimeout(() => this.#alone(), READY_MS);
    signal.addEventListener("abort", () => clearTimeout(late));
    let isReady = false;
    worker.addEventListener("error", () => isReady || this.#alone(), { signal });
    port.onmessage = ({ data }) => {
      isReady = true;
      clearTimeout(late);
      this.#take(data);
    };
    globalThis.addEventListener("pagehide", ({ persisted }) => this.#hidden(persisted), { signal });
    const lock = await hold(signal);
    if (port === this.#port) port.postMessage({ open: this.#path, lock });
  }

  /** @param {any} message */
  #take({ text, end, look }) {
    if (look) this.#port?.postMessage({ here: true });
    else if (text !== undefined) this.onmessage?.(/** @type {any} */ ({ data: text }));
    else if (end !== undefined) {
      if (end.isAlone) canShare = false;
      this.#lost(end);
    }
  }

  /** @param {boolean} mayReturn */
  #hidden(mayReturn) {
    if (mayReturn) this.#lost({ code: 1006, reason: "Page hidden" });
    else this.close();
  }

  /** @param {{ code: number, reason: string }} close */
  #lost({ code, reason }) {
    this.close();
    this.onclose?.(/** @type {any} */ ({ code, reason }));
  }

  /** There is no worker. */
  #alone() {
    if (this.#end.signal.aborted || this.#own !== null) return;
    canShare = false;
    this.#letGo();
    this.#own = this.#openOwn();
    this.#own.onmessage = (event) => this.onmessage?.(event);
    this.#own.onclose = (event) => this.onclose?.(event);
  }

  #letGo() {
    this.#port?.postMessage({ close: true });
    this.#port?.close();
    this.#port = null;
  }
}

/**
 * Holds a lock until the signal is aborted or the page ends: the worker waits for it.
 *
 * @param {AbortSignal} signal
 * @returns {Promise<string | null>} its name; null: there are none, as on a page without TLS
 */
function hold(signal) {
  const { locks } = navigator;
  if (locks === undefined) return Promise.resolve(null);
  const name = `hubbub ${newId()}`;
  return new Promise((held, failed) => {
    const until = () =>
      new Promise((free) => {
        signal.addEventListener("abort", free);
        if (signal.aborted) free(undefined);
        held(name);
      });
    locks.request(name, until).catch(failed);
  });
}
