// All that the connection needs of the browser, in one place, so that a test can replace it.

import { isSharing, SharedSocket } from "./shared-socket.js";
import { StreamSocket } from "./stream-socket.js";
import { timers } from "./timers.js";

export { timers };

/** @import { BrowserLike } from "./types.js" */

/**
 * The real browser. In a worker, and in a program without a page, it has no `document` and addresses need a host.
 *
 * @param {object} options
 * @param {BrowserLike["root"]} [options.root]  shows the state of the connection in its `data-` attributes
 * @param {() => void} [options.signIn]  runs when no user is signed in; by default the page leaves for the sign-in page
 * @param {AbortSignal} [options.signal]  removes the listeners
 * @param {string | URL | null} [options.worker]  the address of `stream-worker.js`; null: each tab has a stream of its own
 * @returns {BrowserLike}
 */
export function browser({ root = document.documentElement, signIn = leaveToSignIn, signal, worker } = {}) {
  /** @type {Map<string, { id: string }>} by address */
  const memories = new Map();
  return {
    root,
    signIn,
    open(path) {
      const url = addressOf(path);
      url.protocol = url.protocol.replace("http", "ws"); // https: becomes wss:
      return new WebSocket(url);
    },
    openStream(path) {
      const address = addressOf(path).href;
      const env = {
        fetch: (/** @type {string} */ url, /** @type {RequestInit} */ options) => fetch(url, options),
        now: () => performance.now(),
        ...timers(),
      };
      const memory = memories.get(address) ?? { id: "" };
      memories.set(address, memory);
      const openOwn = () => new StreamSocket(address, env, memory);
      return worker !== null && isSharing() ? new SharedSocket(address, openOwn, worker) : openOwn();
    },
    onWake(wake) {
      const visible = () => document.visibilityState === "visible" && wake();
      globalThis.addEventListener?.("online", wake, { signal });
      globalThis.addEventListener?.("pageshow", wake, { signal });
      globalThis.document?.addEventListener("visibilitychange", visible, { signal });
    },
    onOffline: (offline) => globalThis.addEventListener?.("offline", offline, { signal }),
    // Spans must not jump when the wall clock is set.
    now: () => performance.now(),
    ...timers(),
  };
}

/**
 * @param {string} path  of this host, or an address of any host
 * @returns {URL}
 */
function addressOf(path) {
  return new URL(path, globalThis.location?.href);
}

function leaveToSignIn() {
  const here = location.pathname + location.search;
  location.assign(`${document.documentElement.dataset.signIn}?next=${encodeURIComponent(here)}`);
}
