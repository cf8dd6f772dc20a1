// Repeated requests while the page is visible: pages spread out, and slow down while requests fail.

/** @import { Timer, Timers } from "../../hubbub/js/types.js" */

const EVERY_MS = 5_000;
const MAX_MS = 160_000;

/**
 * The pause before the next request.
 *
 * @param {number} failures  in a row
 * @param {() => number} random  returns a number from 0 up to 1
 * @returns {number} milliseconds
 */
export function pauseMs(failures, random = Math.random) {
  return Math.round(Math.min(MAX_MS, EVERY_MS * 2 ** Math.min(failures, 16)) * (0.8 + 0.4 * random()));
}

/**
 * Asks at intervals, and as soon as the page becomes visible.
 *
 * @param {() => Promise<boolean>} ask  resolves with whether the request succeeded
 * @param {Timers & { isVisible: () => boolean, onVisibility: (changed: () => void) => void }} env
 */
export function poll(ask, { isVisible, onVisibility, setTimeout, clearTimeout, random }) {
  let failures = 0;
  let isAsking = false;
  /** @type {Timer} */
  let timer = setTimeout(turn, pauseMs(failures, random));
  onVisibility(() => isVisible() && turn());

  async function turn() {
    if (isAsking) return;
    isAsking = true;
    clearTimeout(timer);
    try {
      if (isVisible()) failures = (await ask()) ? 0 : failures + 1;
    } finally {
      isAsking = false;
      timer = setTimeout(turn, pauseMs(failures, random));
    }
  }
}
