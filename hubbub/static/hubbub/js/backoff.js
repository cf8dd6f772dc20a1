// Delays before reconnecting: full jitter, so that clients that lost one server do not return at the same moment.

const FIRST_MS = 500;
const MAX_MS = 20_000;

/**
 * The delay before a try.
 *
 * @param {number} tries  failed tries so far: 0, 1, 2 …
 * @param {() => number} random  returns a number from 0 up to 1
 * @returns {number} milliseconds
 */
export function backoffMs(tries, random = Math.random) {
  return Math.round(random() * Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(tries, 16)));
}
