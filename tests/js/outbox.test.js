import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { Family, Room, SLUG, settle, USER } from "./tabs.js";

/** @import { PendingPost, Posted } from "../../chat/static/chat/js/types.js" */
/** @import { Tab } from "./tabs.js" */

const { TAKE_OVER_MS, TAKE_OVER_UNLOCKED_MS } = await import("../../chat/static/chat/js/outbox.js");

/**
 * What a tab shows of the room.
 *
 * @param {Tab} tab
 */
function shown(tab) {
  /** @type {{ posts: PendingPost[], answers: [string, Posted][] }} */
  const seen = { posts: [], answers: [] };
  seen.posts = tab.outbox.show(SLUG, {
    changed: (posts) => {
      seen.posts = posts;
    },
    answered: (id, answer) => seen.answers.push([id, answer]),
  });
  return seen;
}

test("a post is stored before it is sent, and gone once it is answered, in all tabs", async () => {
  const family = new Family();
  const [a, b] = [family.open(), family.open()];
  const other = shown(b);
  a.outbox.open(USER);
  const { id } = a.outbox.add(SLUG, "hi");
  family.tell();
  assert.deepEqual(
    other.posts.map(({ body }) => body),
    ["hi"],
  );
  await settle();
  await family.room.answer();
  family.tell();
  assert.deepEqual(other.posts, []);
  assert.deepEqual(
    other.answers.map(([id, { seq }]) => [id, seq]),
    [[id, 1]],
  );
  assert.deepEqual(Object.keys(family.shared), []);
});

test("posts of several tabs are sent one at a time, in the order in which they were written", async () => {
  const family = new Family();
  const [a, b] = [family.open(), family.open()];
  for (const tab of [a, b]) tab.outbox.open(USER);
  for (const [tab, body] of /** @type {[Tab, string][]} */ ([
    [a, "1"],
    [b, "2"],
    [a, "3"],
    [b, "4"],
  ])) {
    tab.outbox.add(SLUG, body);
  }
  for (let number = 0; number < 4; number += 1) {
    await settle();
    await family.room.answer();
  }
  assert.deepEqual(family.room.bodies, ["1", "2", "3", "4"]);
  assert.equal(family.room.mostOpen, 1);
});

test("a post without an answer is sent by the page that is opened next, once", async () => {
  const family = new Family();
  const a = family.open();
  a.outbox.open(USER);
  a.outbox.add(SLUG, "first");
  a.outbox.add(SLUG, "second");
  await settle();
  await family.room.lose(true); // The server has saved it; the answer is lost.
  a.outbox.close();
  family.close(a);
  const next = family.open();
  next.outbox.open(USER);
  await settle();
  await family.room.answer();
  await family.room.answer();
  assert.deepEqual(family.room.bodies, ["first", "second"]);
  assert.equal(next.outbox.waiting, 0);
});

test("an open tab takes over from one that is closed while it sends, and from one without a connection", async () => {
  for (const end of ["closed", "offline"]) {
    const family = new Family();
    const [a, b] = [family.open(), family.open()];
    for (const tab of [a, b]) tab.outbox.open(USER);
    a.outbox.add(SLUG, "hi");
    await settle();
    family.tell();
    if (end === "closed") family.close(a);
    else {
      a.outbox.close();
      await family.room.lose(false);
    }
    await b.pass(2 * TAKE_OVER_MS);
    family.room.requests = family.room.requests.filter(({ tab }) => tab === b);
    await family.room.answer();
    assert.deepEqual(family.room.bodies, ["hi"], end);
  }
});

test("a refused post stays with its reason in all tabs, and is sent again only by the user; later posts go on", async () => {
  const family = new Family();
  const [a, b] = [family.open(), family.open()];
  const other = shown(b);
  a.outbox.open(USER);
  const { id } = a.outbox.add(SLUG, "too much");
  a.outbox.add(SLUG, "fine");
  await settle();
  await family.room.refuse("too_long");
  await family.room.answer();
  family.tell();
  assert.deepEqual(family.room.bodies, ["fine"]);
  assert.deepEqual(
    other.posts.map(({ body, error }) => [body, error?.code]),
    [["too much", "too_long"]],
  );
  const later = family.open();
  for (const tab of [a, b, later]) tab.outbox.open(USER);
  await settle();
  assert.equal(family.room.requests.length, 0);
  b.outbox.retry(SLUG, id);
  await settle();
  await family.room.answer();
  assert.deepEqual(family.room.bodies, ["fine", "too much"]);
});

test("a discarded post is gone in all tabs", async () => {
  const family = new Family();
  const [a, b] = [family.open(), family.open()];
  const other = shown(b);
  const { id } = a.outbox.add(SLUG, "no");
  a.outbox.discard(SLUG, id);
  family.tell();
  assert.deepEqual(other.posts, []);
  a.outbox.open(USER);
  await settle();
  assert.equal(family.room.requests.length, 0);
});

test("a busy server is asked again after the time that it names; a session that has ended keeps the post", async () => {
  const family = new Family();
  const a = family.open();
  a.outbox.open(USER);
  a.outbox.add(SLUG, "hi");
  await settle();
  await family.room.refuse("rate_limited", 3_000);
  await a.pass(2_900);
  assert.equal(family.room.requests.length, 0);
  await a.pass(200);
  assert.equal(family.room.requests.length, 1);
  await family.room.refuse("unauthorized");
  assert.deepEqual(
    a.outbox.posts(SLUG).map(({ body, error }) => [body, error]),
    [["hi", null]],
  );
});

test("a server that refuses a post again and again is told as such, until it takes one", async () => {
  const family = new Family();
  const a = family.open();
  /** @type {boolean[]} */
  const told = [];
  a.outbox.watch(() => told.at(-1) !== a.outbox.isRefused && told.push(a.outbox.isRefused));
  a.outbox.open(USER);
  a.outbox.add(SLUG, "hi");
  await settle();
  await family.room.refuse("unavailable");
  assert.deepEqual(told, [false], "once is no news");
  await a.pass(2_000);
  await family.room.refuse("unavailable");
  await a.pass(5_000);
  await family.room.answer();
  assert.deepEqual([told, family.room.bodies], [[false, true, false], ["hi"]]);
});

test("a post whose connection was lost is sent again by its tab, also when that does not notice the loss", async () => {
  const family = new Family();
  const a = family.open();
  a.outbox.open(USER);
  a.outbox.add(SLUG, "hi");
  await settle();
  await family.room.lose(false);
  await a.pass(2 * TAKE_OVER_MS);
  await family.room.answer();
  assert.deepEqual(family.room.bodies, ["hi"]);
});

test("without locks the tab that wrote a post sends it, and another one only after a while", async () => {
  const family = new Family();
  family.hasLocks = false;
  const [a, b] = [family.open(), family.open()];
  b.outbox.open(USER);
  a.outbox.add(SLUG, "hi");
  family.tell();
  await b.pass(5 * TAKE_OVER_MS);
  assert.equal(family.room.requests.length, 0);
  for (let passed = 0; passed < TAKE_OVER_UNLOCKED_MS; passed += TAKE_OVER_MS) await b.pass(TAKE_OVER_MS);
  assert.equal(family.room.requests.length, 1);
  await family.room.answer();
  a.outbox.open(USER);
  await settle();
  await family.room.answer();
  assert.deepEqual(family.room.bodies, ["hi"]);
});

test("posts of a user are never sent by a page of another user", async () => {
  const family = new Family();
  family.open("1").outbox.add(SLUG, "of one");
  const other = family.open("2");
  other.outbox.open("2");
  const own = family.open("1");
  own.outbox.open("2"); // Its browser has the session of another user now.
  await settle();
  assert.equal(family.room.requests.length, 0);
  assert.deepEqual(other.outbox.posts(SLUG), []);
});

test("a full storage keeps the post in the memory of its tab, which says so once and sends it", async () => {
  const family = new Family();
  const a = family.open();
  let told = 0;
  a.store.onVolatile(() => {
    told += 1;
  });
  a.isFull = true;
  a.outbox.add(SLUG, "1");
  a.outbox.add(SLUG, "2");
  assert.equal(told, 1);
  assert.equal(a.store.isVolatile, true);
  a.outbox.open(USER);
  await settle();
  await family.room.answer();
  await family.room.answer();
  assert.deepEqual(family.room.bodies, ["1", "2"]);
  assert.equal(a.store.isVolatile, false);
});

test("tabs that write, lose connections, close and open in any order send each post once, in order", async () => {
  const step = fc.record({
    kind: fc.constantFrom(
      "write",
      "write",
      "answer",
      "lose",
      "lose saved",
      "busy",
      "close",
      "open",
      "offline",
      "hear",
      "pass",
    ),
    tab: fc.nat(2),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const family = new Family(new Room());
      /** @type {string[]} */
      const written = [];
      family.open().outbox.open(USER);
      for (const { kind, tab: index } of steps) {
        const tab = family.tabs[index % Math.max(1, family.tabs.length)];
        if (kind === "open") family.open().outbox.open(USER);
        else if (kind === "answer") await family.room.answer();
        else if (kind === "lose") await family.room.lose(false);
        else if (kind === "lose saved") await family.room.lose(true);
        else if (kind === "busy") await family.room.refuse("unavailable");
        else if (tab === undefined) continue;
        else if (kind === "close") family.close(tab);
        else if (kind === "offline") tab.outbox.close();
        else if (kind === "hear") tab.hear(1);
        else if (kind === "pass") await tab.pass(5_000);
        else {
          written.push(String(written.length));
          tab.outbox.add(SLUG, written.at(-1) ?? "");
        }
        await settle();
      }
      // In the end a page is opened, and the server answers.
      const last = family.open();
      for (const tab of family.tabs) tab.outbox.open(USER);
      for (let round = 0; round < 5 * written.length + 5 && last.outbox.waiting > 0; round += 1) {
        family.tell();
        await family.room.answer();
        for (const tab of family.tabs) await tab.pass(60_000);
      }
      assert.deepEqual(family.room.bodies, written);
    }),
    { numRuns: 300 },
  );
});
