// All that the connection needs of the browser, in one place, so that a test can replace it.

/** @import { BrowserLike, Timers } from "./types.js" */

/** @returns {BrowserLike} the real browser */
export function browser() {
  return {
    root: document.documentElement,
    open(path) {
      const url = new URL(path, location.href);
      url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
      return new WebSocket(url);
    },
    signIn() {
      const here = location.pathname + location.search;
      location.assign(`${document.documentElement.dataset.signIn}?next=${encodeURIComponent(here)}`);
    },
    onWake(wake) {
      addEventListener("online", wake);
      addEventListener("pageshow", wake);
      document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && wake());
    },
    onOffline: (offline) => addEventListener("offline", offline),
    // Spans must not jump when the wall clock is set.
    now: () => performance.now(),
    ...timers(),
  };
}

/** @returns {Timers} the real ones */
export function timers() {
  return {
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(/** @type {number} */ (timer)),
    random: Math.random,
  };
}
