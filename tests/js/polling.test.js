import assert from "node:assert/strict";
import { test } from "node:test";

import { pauseMs, poll } from "../../chat/static/chat/js/polling.js";
import { FakeBrowser } from "./browser.js";

/** A page that asks: `asked` has the times, in seconds. */
class AskingPage {
  browser = new FakeBrowser();
  /** @type {number[]} */
  asked = [];
  works = true;
  isVisible = true;
  /** The visibility of the page changed. */
  turn = () => {};
}

function begin() {
  const page = new AskingPage();
  const { browser } = page;
  const start = browser.now();
  const ask = async () => {
    page.asked.push((browser.now() - start) / 1000);
    return page.works;
  };
  const env = {
    ...browser,
    random: () => 0.5,
    isVisible: () => page.isVisible,
    /** @param {() => void} changed */
    onVisibility: (changed) => {
      page.turn = changed;
    },
  };
  poll(ask, env);
  return page;
}

test("pauses double with each failure up to a bound, and have jitter", () => {
  assert.deepEqual(
    [0, 1, 2, 5, 6, 5000].map((failures) => pauseMs(failures, () => 0.5)),
    [5000, 10_000, 20_000, 160_000, 160_000, 160_000],
  );
  assert.deepEqual(
    [0, 1].map((random) => pauseMs(0, () => random)),
    [4000, 6000],
  );
});

test("a page that fails asks less and less often, and as before when it works again", async () => {
  const page = begin();
  await page.browser.pass(10_000);
  assert.deepEqual(page.asked.splice(0), [5, 10]);
  page.works = false;
  await page.browser.pass(80_000);
  assert.deepEqual(page.asked.splice(0), [15, 25, 45, 85]);
  page.works = true;
  await page.browser.pass(90_000);
  assert.deepEqual(page.asked, [165, 170, 175, 180]);
});

test("a hidden page does not ask; a visible one asks at once, and then at intervals", async () => {
  const page = begin();
  page.isVisible = false;
  await page.browser.pass(21_000);
  page.turn();
  assert.deepEqual(page.asked, []);
  page.isVisible = true;
  page.turn();
  page.turn();
  await page.browser.pass(11_000);
  assert.deepEqual(page.asked, [21, 26, 31]);
});
