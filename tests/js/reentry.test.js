import assert from "node:assert/strict";
import { test } from "node:test";

import { Reentry } from "../../chat/static/chat/js/reentry.js";
import { FakeBrowser } from "./browser.js";

/** A page whose room answers by `isOpen`; `asked` counts its requests. */
class ClosedPage {
  env = new FakeBrowser();
  asked = 0;
  hidden = false;
  reentry = new Reentry(
    async () => {
      this.asked += 1;
      if (this.isOpen()) this.reentry.opened();
      else this.reentry.refused();
    },
    this.env,
    () => this.hidden,
  );

  /** @param {() => boolean} isOpen */
  constructor(isOpen = () => false) {
    this.isOpen = isOpen;
  }
}

test("a page whose user is banned enters within seconds after the ban is lifted, and then asks no more", async () => {
  let lifted = false;
  const page = new ClosedPage(() => lifted);
  page.reentry.closed("banned");
  await page.env.pass(600_000);
  assert.equal(page.reentry.isClosed, true);
  assert.ok(page.asked > 30 && page.asked < 80, `asked ${page.asked} times in ten minutes`);
  lifted = true;
  await page.env.pass(10_000);
  assert.equal(page.reentry.isClosed, false);
  const { asked } = page;
  await page.env.pass(600_000);
  assert.equal(page.asked, asked);
});

test("of a room that was made private all readers are out at once: they ask less and less often", async () => {
  for (const code of ["removed", "not_found"]) {
    const page = new ClosedPage();
    page.reentry.closed(code);
    await page.env.pass(600_000);
    assert.ok(page.asked >= 4 && page.asked <= 7, `asked ${page.asked} times in ten minutes`);
    const { asked } = page;
    await page.env.pass(600_000);
    assert.equal(page.asked, asked + 2);
  }
});

test("a deleted room is not asked for, neither by time nor by looking", async () => {
  const page = new ClosedPage();
  page.reentry.closed("deleted");
  page.env.wake();
  await page.env.pass(600_000);
  assert.equal(page.asked, 0);
});

test("a page that nobody sees asks once a minute, and at once when it is looked at", async () => {
  const page = new ClosedPage();
  page.hidden = true;
  page.reentry.closed("banned");
  await page.env.pass(300_000);
  assert.equal(page.asked, 5);
  page.hidden = false;
  page.env.wake();
  await page.env.pass(0);
  assert.equal(page.asked, 6);
});

test("looking asks once while an answer is awaited", async () => {
  const env = new FakeBrowser();
  let asked = 0;
  let answer = () => {};
  const reentry = new Reentry(
    () => {
      asked++;
      return new Promise((done) => {
        answer = () => done(undefined);
      });
    },
    env,
    () => false,
  );
  env.wake();
  assert.equal(asked, 0, "the room is open");
  reentry.closed("banned");
  env.wake();
  env.wake();
  assert.equal(asked, 1);
  answer();
  await env.pass(0);
  env.wake();
  assert.equal(asked, 2);
});
