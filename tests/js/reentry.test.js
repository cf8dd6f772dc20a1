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
    () => {
      this.asked += 1;
      queueMicrotask(() => {
        if (this.isOpen()) this.reentry.opened();
        else this.reentry.closed("not_found");
      });
    },
    this.env,
    () => this.hidden,
  );

  /** @param {() => boolean} isOpen */
  constructor(isOpen = () => false) {
    this.isOpen = isOpen;
  }
}

test("the page of a banned user joins within seconds after the ban is lifted, and then stops asking", async () => {
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

test("a room that becomes private evicts all its readers at once: they ask less and less often", async () => {
  for (const code of /** @type {const} */ (["removed", "not_found"])) {
    const page = new ClosedPage();
    page.reentry.closed(code);
    await page.env.pass(600_000);
    assert.ok(page.asked >= 4 && page.asked <= 7, `asked ${page.asked} times in ten minutes`);
    const { asked } = page;
    await page.env.pass(600_000);
    assert.equal(page.asked, asked + 2);
  }
});

test("a page does not ask for a deleted room, neither by timer nor when visible", async () => {
  const page = new ClosedPage();
  assert.equal(page.reentry.closed("deleted"), true);
  page.env.wake();
  await page.env.pass(600_000);
  assert.equal(page.reentry.closed("not_found"), false, "a refusal after a reconnect is no news");
  page.env.wake();
  await page.env.pass(600_000);
  assert.deepEqual([page.asked, page.reentry.isClosed], [0, false]);
});

test("a refusal is no news and changes no reason; after the room was open the next closing is news", () => {
  const page = new ClosedPage();
  assert.equal(page.reentry.closed("banned"), true);
  assert.equal(page.reentry.closed("not_found"), false);
  page.reentry.opened();
  assert.equal(page.reentry.isClosed, false);
  assert.equal(page.reentry.closed("not_found"), true);
});

test("a hidden page asks once a minute, and at once when it becomes visible", async () => {
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

test("a visible page asks once while it waits for the answer", async () => {
  const env = new FakeBrowser();
  let asked = 0;
  const reentry = new Reentry(
    () => {
      asked++;
    },
    env,
    () => false,
  );
  env.wake();
  assert.equal(asked, 0, "the room is open");
  reentry.closed("banned");
  env.wake();
  env.wake();
  await env.pass(600_000);
  assert.equal(asked, 1);
  reentry.closed("not_found");
  env.wake();
  assert.equal(asked, 2);
  reentry.opened();
  reentry.closed("banned");
  env.wake();
  assert.equal(asked, 3);
});
