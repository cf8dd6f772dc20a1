import assert from "node:assert/strict";
import { test } from "node:test";

import { showBadge } from "../../chat/static/chat/js/app-badge.js";

test("the icon has the number of unread rooms, and none without them", async () => {
  /** @type {unknown[]} */
  const shown = [];
  const browser = {
    setAppBadge: async (/** @type {number | undefined} */ count) => void shown.push(count),
    clearAppBadge: async () => void shown.push("none"),
  };
  for (const count of [3, 1, 0]) await showBadge(count, browser);
  assert.deepEqual(shown, [3, 1, "none"]);
});

test("a browser without badges, or one that refuses them, is left alone", async () => {
  const refuse = async () => {
    throw new DOMException("not installed", "NotAllowedError");
  };
  for (const browser of [{}, { setAppBadge: refuse, clearAppBadge: refuse }]) {
    for (const count of [2, 0]) await showBadge(count, /** @type {any} */ (browser));
  }
});
