import assert from "node:assert/strict";
import { test } from "node:test";

import {
  age,
  bytes,
  bytesText,
  decimal,
  duration,
  endsBefore,
  percent,
  tick,
} from "../../monitor/static/monitor/js/units.js";

test("bytes are scaled to at most four characters", () => {
  const shown = [0, 999, 1000, 1536, 102_349, 1023 * 1024, 5 * 2 ** 30, 2 ** 60].map((count) => bytesText(count));
  assert.deepEqual(
    shown,
    ["0 B", "999 B", "1.0 KiB", "1.5 KiB", "100 KiB", "1.0 MiB", "5.0 GiB", "1024 PiB"].map((text) =>
      text.replace(" ", "\u00a0"),
    ),
  );
  for (let count = 1; count < 2 ** 50; count = Math.ceil(count * 1.01))
    assert.ok(bytes(count).text.length <= 4, String(count));
});

test("one decimal below a hundred", () => {
  assert.deepEqual([0, 9.96, 99.94, 99.96, 1234.5].map(decimal), ["0.0", "10.0", "99.9", "100", "1235"]);
});

test("percent of a total of 0 is 0", () => {
  assert.equal(percent({ used: 0, total: 0 }), 0);
  assert.equal(percent({ used: 1, total: 4 }), 25);
});

test("durations have at most two units", () => {
  const shown = [0, 59, 60, 3600, 90_061, 86_400].map((seconds) => duration(seconds).replaceAll("\u00a0", " "));
  assert.deepEqual(shown, ["0 s", "59 s", "1 min", "1 h", "1 d 1 h", "1 d"]);
});

test("an age counts in seconds, then in minutes", () => {
  assert.deepEqual(
    [-5, 999, 1000, 119_000, 120_000, 7_200_000].map((ms) => age(ms).replace("\u00a0", " ")),
    ["0 s", "0 s", "1 s", "119 s", "2 min", "2 h"],
  );
});

test("a value at an axis has its unit, and no decimal 0", () => {
  const shown = [
    [0, "rate"],
    [2 ** 19, "rate"],
    [2 ** 20, "bytes"],
    [1536, "bytes"],
    [50, "%"],
    [2.5, ""],
  ].map(([value, unit]) => tick(Number(value), String(unit)));
  assert.deepEqual(
    shown,
    ["0 B/s", "512 KiB/s", "1 MiB", "1.5 KiB", "50 %", "2.5"].map((text) => text.replace(" ", "\u00a0")),
  );
});

test("a label at the end of an axis is left out when it would be cut", () => {
  assert.deepEqual([50, 58, 59, 60].map(endsBefore(60, 2)), [true, true, false, false]);
});
