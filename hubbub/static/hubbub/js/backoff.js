// How long to wait before the next try: full jitter, so that those who lost one server do not come back as one.

const FIRST_MS = 500;
const MAX_MS = 20_000;

/** Milliseconds to wait before try number `tries` (0, 1, 2 …); `random` gives 0..1. */
export function backoffMs(tries, random = Math.random) {
  return Math.round(random() * Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(tries, 16)));
}
