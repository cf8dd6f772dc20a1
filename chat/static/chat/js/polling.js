// Asking again and again, while the page is in sight: not all pages at once, and less often while it fails.

const EVERY_MS = 5_000;
const MAX_MS = 160_000;

/** How long to wait after so many failures in a row; `random` gives 0..1. */
export function pauseMs(failures, random = Math.random) {
  return Math.round(Math.min(MAX_MS, EVERY_MS * 2 ** Math.min(failures, 16)) * (0.8 + 0.4 * random()));
}

/** `ask` returns whether it has worked. It is also asked as soon as the page comes into sight. */
export function poll(ask, { isInSight, onTurned, setTimeout, clearTimeout, random = Math.random }) {
  let failures = 0;
  let isAsking = false;
  let timer = setTimeout(turn, pauseMs(failures, random));
  onTurned(() => isInSight() && turn());

  async function turn() {
    if (isAsking) return;
    isAsking = true;
    clearTimeout(timer);
    try {
      if (isInSight()) failures = (await ask()) ? 0 : failures + 1;
    } finally {
      isAsking = false;
      timer = setTimeout(turn, pauseMs(failures, random));
    }
  }
}
