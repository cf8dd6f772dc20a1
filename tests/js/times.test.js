import assert from "node:assert/strict";
import { test } from "node:test";

import { clockTime, listTime } from "../../chat/static/chat/js/times.js";
import { hourOptions, localeOf } from "../../hubbub/static/hubbub/js/locale.js";

/** @type {[locale: string, clock: string | undefined, evening: string, morning: string][]} */
const CLOCKS = [
  ["en", undefined, "6:47 PM", "12:05 AM"],
  ["en-GB", "language", "18:47", "00:05"],
  ["de", "language", "18:47", "00:05"],
  ["en", "24", "18:47", "00:05"],
  ["en", "12", "6:47 PM", "12:05 AM"],
  ["en-GB", "12", "6:47 pm", "12:05 am"],
  ["de", "12", "6:47 PM", "12:05 AM"],
  ["de", "24", "18:47", "00:05"],
];

test("the reader's clock comes first, then the language's; a clock of 12 hours has no zero before the hour", () => {
  for (const [locale, clock, ...expected] of CLOCKS) {
    const format = new Intl.DateTimeFormat(locale, hourOptions(locale, clock));
    const shown = [new Date(2026, 2, 1, 18, 47), new Date(2026, 2, 1, 0, 5)].map((at) =>
      format.format(at).replace(/\s/, " "),
    );
    assert.deepEqual(shown, expected, `${locale} ${clock}`);
  }
});

test("a date and an hour together have no zero before it either", () => {
  const format = new Intl.DateTimeFormat("de", { day: "numeric", month: "short", ...hourOptions("de", "12") });
  assert.equal(format.format(new Date(2026, 2, 1, 18, 47)), "1. März, 6:47 PM");
});

test("the browser's variant of the page's language is used, and no other language", () => {
  assert.equal(localeOf("en", ["de-AT", "en-GB", "en"]), "en-GB");
  assert.equal(localeOf("de", ["en-US", "de-AT"]), "de-AT");
  assert.equal(localeOf("de", ["en-US"]), "de");
  assert.equal(localeOf("pt-br", ["pt-PT"]), "pt-PT");
});

test("a time in the list of rooms says no more than is needed", () => {
  const now = new Date(2026, 2, 1, 18, 47);
  assert.equal(listTime(new Date(2026, 2, 1, 0, 5), now), clockTime(new Date(2026, 2, 1, 0, 5)));
  assert.equal(listTime(new Date(2026, 1, 28, 23, 59), now), "Yesterday");
  assert.match(listTime(new Date(2026, 1, 27), now), /27/);
  assert.doesNotMatch(listTime(new Date(2026, 1, 27), now), /2026/);
  assert.match(listTime(new Date(2025, 2, 2), now), /2025/);
});
