// Delays and randomness of the browser.

/** @import { Timers } from "./types.js" */

/** @returns {Timers} the real ones */
export function timers() {
  return {
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(/** @type {number} */ (timer)),
    random: Math.random,
  };
}
