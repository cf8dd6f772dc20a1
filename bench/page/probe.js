// Runs in each page before the page's own scripts. Times are in ms on the wall clock, so that they compare across
// loads and pages. "Painted" is the first task after the frame in which something is there.

(() => {
  if (!location.protocol.startsWith("http")) return;
  const KEY = "bench-probe";
  const FRAME_MS = 1000 / 60;
  const STEP_MS = 10;
  const MAX_STEPS = 200;
  const LAST_ROWS = 50;
  const WAIT_MS = 60_000;

  /** @param {number} at  of performance.now() */
  const wall = (at) => Date.now() - performance.now() + at;
  const now = () => wall(performance.now());
  const log = () => document.querySelector("[data-role=log]");
  const messages = () => document.querySelectorAll("[data-role=rows] article.message");
  const last = () => [...messages()].at(-1) ?? null;
  const pause = (/** @type {number} */ ms) => new Promise((done) => setTimeout(done, ms));

  /** Resolves in the task after the next frame. */
  const painted = () =>
    new Promise((done) => {
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = done;
        port2.postMessage(null);
      });
    });

  /** Whether a part of the element is within the log. */
  function isInSight(/** @type {Element} */ element) {
    const box = element.getBoundingClientRect();
    const view = log()?.getBoundingClientRect();
    return view !== undefined && box.height > 0 && box.bottom > view.top && box.top < view.bottom;
  }

  /** The seq of the first message in sight. */
  const firstInSight = () => [...messages()].find((message) => isInSight(message))?.dataset.seq ?? "";

  // The room that is wanted: by the address, or by a click on its link.

  const stored = () => JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  const store = () => sessionStorage.setItem(KEY, JSON.stringify(wanted));
  const slugHere = decodeURIComponent(location.pathname.split("/rooms/")[1]?.split("/")[0] ?? "");
  let wanted = stored();
  if (wanted === null || wanted.painted !== null || wanted.slug !== slugHere) {
    wanted = { slug: slugHere, from: wall(0), painted: null };
    store();
  }
  let isLooking = false;

  // Each message of a room of this measurement has the room's slug in its text.
  const ofWanted = (/** @type {Element | null} */ message) =>
    message?.textContent?.includes(`${wanted.slug} line`) ?? false;
  const isThere = () => ofWanted(last());

  async function look() {
    if (wanted.painted !== null || isLooking || wanted.slug === "" || !isThere()) return;
    isLooking = true;
    await painted();
    isLooking = false;
    if ([...messages()].reverse().some((message) => isInSight(message) && ofWanted(message))) {
      wanted.painted = now();
      store();
    }
  }

  addEventListener(
    "click",
    (event) => {
      const row = event.target instanceof Element ? event.target.closest("nav#rooms [data-slug]") : null;
      if (row === null) return;
      wanted = { slug: row.dataset.slug, from: wall(event.timeStamp), painted: null };
      store();
    },
    { capture: true },
  );
  const what = { childList: true, subtree: true, characterData: true, attributes: true };
  new MutationObserver(look).observe(document, { ...what, attributeFilter: ["hidden", "class", "data-slug"] });

  let entered = 0;
  addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Enter") entered = wall(event.timeStamp);
    },
    { capture: true },
  );

  // Tasks over 50 ms, and shifts of the layout: the sum of all, and of those within half a second of no input.

  /** @type {number[]} */
  let longTasks = [];
  const shifts = { all: 0, unasked: 0 };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longTasks.push(duration);
  }).observe({ type: "longtask", buffered: true });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      shifts.all += entry.value;
      if (!entry.hadRecentInput) shifts.unasked += entry.value;
    }
  }).observe({ type: "layout-shift", buffered: true });

  /** @type {number[]} */
  let frames = [];
  let isCounting = false;
  const count = (/** @type {number} */ at) => {
    frames.push(at);
    if (isCounting) requestAnimationFrame(count);
  };

  /** @type {Map<string, Promise<unknown>>} */
  const begun = new Map();

  const actions = {
    /** A message with this text among the last rows: those of several authors may change places. */
    async arrives(/** @type {string} */ text) {
      const isHere = () => [...messages()].slice(-LAST_ROWS).some((message) => message.textContent.includes(text));
      while (!isHere()) await mutation();
      await painted();
      return now();
    },

    /** The strip of the connection: the first moment with a text, and when that is painted. */
    async strip() {
      const isShown = () => {
        const strip = document.querySelector("[data-role=strip]");
        return strip?.textContent?.trim() && strip.checkVisibility({ visibilityProperty: true });
      };
      while (!isShown()) await mutation();
      const changed = now();
      await painted();
      return { changed, painted: now() };
    },

    /** The distance in px of the message `seq` from its place, for so long: the greatest. NaN: it went. */
    async moves(/** @type {{ seq: string, ms: number, from?: number }} */ { seq, ms, from = topOf(seq) }) {
      const until = performance.now() + ms;
      let most = 0;
      while (performance.now() < until) {
        await painted();
        most = Math.max(most, Math.abs(topOf(seq) - from));
      }
      return most;
    },
  };

  const topOf = (/** @type {string} */ seq) =>
    document.querySelector(`article[data-seq="${seq}"]`)?.getBoundingClientRect().top ?? Number.NaN;

  const mutation = () =>
    new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error("nothing changed for a minute")), WAIT_MS);
      const observer = new MutationObserver(() => {
        observer.disconnect();
        clearTimeout(timer);
        done(undefined);
      });
      observer.observe(document, { ...what, attributeFilter: ["hidden", "class", "data-seq", "data-state"] });
    });

  globalThis.benchProbe = {
    result: () => wanted,
    entered: () => entered,
    shifts: () => shifts,
    rows: () => messages().length,
    loaded: () => ({ now: now(), origin: wall(0) }),

    /** Begins to wait for something; `ended` gives its result. */
    begin(/** @type {keyof typeof actions} */ name, /** @type {any} */ argument) {
      begun.set(name, actions[name](argument));
    },
    ended: (/** @type {string} */ name) => begun.get(name),

    startFrames() {
      longTasks = [];
      frames = [];
      isCounting = true;
      requestAnimationFrame(count);
    },
    stopFrames() {
      isCounting = false;
      const gaps = frames.slice(1).map((at, index) => at - frames[index]);
      const dropped = gaps.reduce((sum, gap) => sum + Math.max(0, Math.round(gap / FRAME_MS) - 1), 0);
      return { longest: Math.max(0, ...longTasks), dropped, frames: gaps.length, worst: Math.max(0, ...gaps) };
    },

    /** Scrolls back until the page has so many messages, or all; then to the end. Returns how many it has. */
    async fill(/** @type {number} */ wish) {
      for (let before = -1; messages().length < wish && messages().length !== before; ) {
        before = messages().length;
        log().scrollTop = 0;
        for (let waited = 0; waited < 5_000 && messages().length === before; waited += STEP_MS) await pause(STEP_MS);
      }
      log().scrollTop = log().scrollHeight;
      await pause(300);
      return messages().length;
    },

    /** Scrolls back to the first message, most of a screen at a time: the greatest move in px beyond the scrolling. */
    async scrollBack(/** @type {string} */ start) {
      let most = 0;
      for (let steps = 1; steps < MAX_STEPS; steps += 1) {
        const seq = firstInSight();
        const [top, place, first] = [topOf(seq), log().scrollTop, messages()[0]];
        log().scrollTop -= log().clientHeight * 0.8;
        const from = top + place - log().scrollTop;
        most = Math.max(most, await actions.moves({ seq, ms: 250, from }));
        const isAtStart = first.textContent.includes(start) && messages()[0] === first;
        if (isAtStart && log().scrollTop === 0) return { most, steps, rows: messages().length };
      }
      return { most: Number.NaN, steps: MAX_STEPS, rows: messages().length };
    },

    firstInSight: () => firstInSight(),
  };
})();
