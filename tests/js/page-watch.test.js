import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { parseHTML } from "linkedom";

import { give } from "./served.js";

const { document, window } = parseHTML('<html lang="en" data-theme="light" data-clock="12"><head></head></html>');
give("document", document);
give("navigator", { languages: ["en"] });
/** @type {{ onmessage: ((event: { data: object }) => void) | null }[]} */
const channels = [];
give(
  "BroadcastChannel",
  class {
    onmessage = null;
    constructor() {
      channels.push(this);
    }
  },
);
const { watchPage } = await import("../../chat/static/chat/js/page-watch.js");
const { clockTime } = await import("../../chat/static/chat/js/times.js");

give("addEventListener", () => {});

/** @param {Date} at  when the page begins */
function watched(at) {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setInterval", "Date"], now: at });
  const page = {
    dated: mock.fn(),
    timed: mock.fn(),
    notice: mock.fn(),
    full: () => {},
    changed: () => {},
    outbox: { isRefused: false, watch: (/** @type {() => void} */ run) => (page.changed = run) },
    strip: { refusing: false, notice: (/** @type {string} */ text) => page.notice(text) },
  };
  const store = { onVolatile: (/** @type {() => void} */ run) => (page.full = run) };
  const text = { userId: "1", outbox: page.outbox, store };
  watchPage(/** @type {any} */ ({ text, strip: page.strip, dated: page.dated, timed: page.timed }));
  return page;
}

test("a page that is open over midnight is drawn again, once", () => {
  const { dated } = watched(new Date(2026, 2, 1, 23, 59, 30));
  mock.timers.tick(20_000);
  assert.equal(dated.mock.callCount(), 0);
  mock.timers.tick(40_000);
  assert.equal(dated.mock.callCount(), 1);
  mock.timers.tick(3_600_000);
  assert.equal(dated.mock.callCount(), 1);
});

test("another clock of the reader is told, and times are shown by it", () => {
  const { timed } = watched(new Date(2026, 2, 1, 12));
  assert.equal(clockTime(new Date(2026, 2, 1, 18, 47)).replace(/\s/, " "), "6:47 PM");
  channels.at(-1)?.onmessage?.({ data: { user: "1", theme: "light", clock: "24", metas: [] } });
  assert.equal(timed.mock.callCount(), 1);
  assert.equal(clockTime(new Date(2026, 2, 1, 18, 47)), "18:47");
});

test("what the browser or the server does not take is said", () => {
  const page = watched(new Date(2026, 2, 1, 12));
  page.full();
  assert.match(page.notice.mock.calls[0]?.arguments[0], /^This browser stores nothing/);
  document.dispatchEvent(new window.Event("page-repaired"));
  assert.match(page.notice.mock.calls[1]?.arguments[0], /^An extension of the browser changes this page\. Reload/);
  page.outbox.isRefused = true;
  page.changed();
  assert.equal(page.strip.refusing, true);
});
