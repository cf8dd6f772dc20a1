import assert from "node:assert/strict";
import { test } from "node:test";

import { Reentry } from "../../chat/static/chat/js/reentry.js";
import { FakeBrowser } from "./browser.js";

/** A page whose room answers by `isOpen`; `asked` counts how often it asked, `hidden` says whether nobody looks. */
function page({ isOpen = () => false } = {}) {
  const env = new FakeBrowser();
  const self = { env, asked: 0, hidden: false };
  self.reentry = new Reentry(
    async () => {
      self.asked++;
      if (isOpen()) self.reentry.opened();
      else self.reentry.refused();
    },
    env,
    () => self.hidden,
  );
  return self;
}

test("a page whose user is banned enters within seconds after the ban is lifted, and then asks no more", async () => {
  let lifted = false;
  const one = page({ isOpen: () => lifted });
  one.reentry.closed("banned");
  await one.env.pass(600_000);
  assert.equal(one.reentry.isClosed, true);
  assert.ok(one.asked > 30 && one.asked < 80, `asked ${one.asked} times in ten minutes`);
  lifted = true;
  await one.env.pass(10_000);
  assert.equal(one.reentry.isClosed, false);
  const { asked } = one;
  await one.env.pass(600_000);
  assert.equal(one.asked, asked);
});

test("of a room that was made private all readers are out at once: they ask less and less often", async () => {
  for (const code of ["removed", "not_found"]) {
    const one = page();
    one.reentry.closed(code);
    await one.env.pass(600_000);
    assert.ok(one.asked >= 4 && one.asked <= 7, `asked ${one.asked} times in ten minutes`);
    const { asked } = one;
    await one.env.pass(600_000);
    assert.equal(one.asked, asked + 2);
  }
});

test("a deleted room is not asked for, neither by time nor by looking", async () => {
  const one = page();
  one.reentry.closed("deleted");
  one.env.wake();
  await one.env.pass(600_000);
  assert.equal(one.asked, 0);
});

test("a page that nobody sees asks once a minute, and at once when it is looked at", async () => {
  const one = page();
  one.hidden = true;
  one.reentry.closed("banned");
  await one.env.pass(300_000);
  assert.equal(one.asked, 5);
  one.hidden = false;
  one.env.wake();
  await one.env.pass(0);
  assert.equal(one.asked, 6);
});

test("looking asks once while an answer is awaited", async () => {
  const env = new FakeBrowser();
  let asked = 0,
    answer;
  const reentry = new Reentry(
    () => {
      asked++;
      return new Promise((done) => (answer = done));
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
