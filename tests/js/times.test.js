import assert from "node:assert/strict";
import { test } from "node:test";

import { clockIn } from "../../chat/static/chat/js/times.js";

test("a clock of 12 hours has no zero before the hour, one of 24 has two digits", () => {
  const at = new Date(2026, 2, 1, 1, 2);
  const shown = ["en-US", "en-GB", "de"].map((locale) => clockIn(locale).format(at).replace(/\s/, " "));
  assert.deepEqual(shown, ["1:02 AM", "01:02", "01:02"]);
});
