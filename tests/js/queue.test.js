import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { settle } from "./browser.js";
import { HubPage } from "./hubs.js";

/** @import { Topic } from "../../hubbub/static/hubbub/js/hub.js" */
/** @import { CloseReason, HubOptions } from "../../hubbub/static/hubbub/js/types.js" */
/** @import { FakeBrowser } from "./browser.js" */

/** @type {HubPage} */
let page;
/** @type {FakeBrowser} */
let browser;
/** @type {Topic} */
let topic;
/** @type {Partial<CloseReason>} */
let lastWhy;

/** @param {HubOptions} options */
function open(options = {}) {
  page = new HubPage({
    state: (_, why) => {
      lastWhy = why;
    },
    ...options,
  });
  ({ browser } = page);
  ({ topic } = page.open("room/general"));
}

beforeEach(() => open());

/** @param {string} id */
const post = (id, body = "hi") => topic.send("message.post", { id, body }, { keep: true });
const posts = () => browser.socket.sent.filter(({ type }) => type === "message.post");
const sentIds = () => posts().map(({ id }) => id);
/** @param {any} result */
const answer = (result = { seq: 1 }) => page.answer({ result }, posts().at(-1));

test("posts written offline are sent after the hello, in order, one at a time", async () => {
  const answers = [post("a"), post("b")];
  await page.greet();
  assert.deepEqual(sentIds(), ["a"]);
  await answer({ seq: 1 });
  assert.deepEqual(sentIds(), ["a", "b"]);
  await answer({ seq: 2 });
  assert.deepEqual(
    (await Promise.all(answers)).map(({ seq }) => seq),
    [1, 2],
  );
});

test("a post whose answer was lost is sent again with the same id", async () => {
  await page.greet();
  const answered = post("a");
  browser.socket.ends(1006);
  await browser.pass(500);
  await page.greet();
  assert.deepEqual(sentIds(), ["a"]);
  await answer({ seq: 7 });
  assert.equal((await answered).seq, 7);
  browser.socket.ends(1006);
  await browser.pass(1000);
  await page.greet();
  assert.deepEqual(sentIds(), [], "what was answered is not sent again");
});

test("sending as the next user of this browser: a post is not sent when another user is admitted", async () => {
  let isMine = true;
  open({ hello: () => isMine });
  await page.greet();
  const answered = post("a");
  await page.refuse("rate_limited", { retry_after_ms: 3000 });
  browser.socket.ends(4003);
  await browser.pass(1_500);
  isMine = false;
  await page.greet();
  assert.deepEqual(browser.socket.sent, []);
  assert.equal(browser.socket.closed, true);
  await browser.pass(60_000);
  browser.wake();
  assert.equal(browser.sockets.length, 2);
  assert.equal(page.hub.connection, "offline");
  await assert.rejects(topic.send("message.delete", { seq: 1 }), { code: "disconnected" });
  isMine = true;
  page.hub.open();
  await page.greet();
  assert.deepEqual(sentIds(), ["a"], "it is still Alice's to send");
  await answer();
  assert.equal((await answered).seq, 1);
});

test("a page that refuses its socket at the hello keeps its posts for the next hello", async () => {
  open({ hello: () => false });
  const answered = post("a");
  await page.greet();
  await browser.pass(60_000); // Would never end if the queue retried without a connection.
  assert.deepEqual(browser.socket.sent, []);
  assert.equal(await Promise.race([answered, settle()]), undefined, "neither answered nor given up");
});

test("rate_limited: the queue waits as long as the server asks, and keeps its order", async () => {
  await page.greet();
  browser.random = () => 0;
  const answers = [post("a"), post("b")];
  await page.refuse("rate_limited", { retry_after_ms: 3000 });
  await browser.pass(2_999);
  assert.deepEqual(sentIds(), ["a"]);
  await browser.pass(1);
  assert.deepEqual(sentIds(), ["a", "a"]);
  await answer();
  await answer();
  await Promise.all(answers);
  assert.deepEqual(sentIds(), ["a", "a", "b"]);
});

test("a refused post is not sent again, and the next one is sent", async () => {
  await page.greet();
  const refused = post("a");
  const next = post("b");
  browser.socket.refuses(page.last, "forbidden");
  await assert.rejects(refused, { code: "forbidden" });
  await settle();
  await answer();
  await next;
  assert.deepEqual(sentIds(), ["a", "b"]);
});

test("a post that is too big for the server is given up, the next one is not", async () => {
  await page.greet();
  const big = post("big", "x".repeat(5_000));
  const small = post("small");
  browser.socket.ends(1009);
  await assert.rejects(big, { code: "too_long" });
  await browser.pass(500);
  await page.greet();
  assert.deepEqual(sentIds(), ["small"]);
  await answer();
  await small;
});

test("a post over the announced limit is refused before it is sent", async () => {
  await page.greet();
  await assert.rejects(post("a", "ä".repeat(33_000)), { code: "too_long" });
  assert.deepEqual(sentIds(), []);
  assert.equal(page.hub.connection, "open");
});

test("1009 gives up the longest request without an answer, so a repeat does not loop", async () => {
  await page.greet();
  await page.join(0, "state");
  const small = post("small");
  const long = topic.send("message.edit", { seq: 1, body: "x".repeat(5_000) });
  browser.socket.ends(1009);
  await assert.rejects(long, { code: "too_long" });
  for (let rounds = 0; rounds < 3; rounds++) {
    await browser.pass(500 * 2 ** rounds);
    await page.greet();
    assert.deepEqual(sentIds(), ["small"]);
    if (rounds < 2) browser.socket.ends(1006);
  }
  await answer();
  await small;
});

test("offline ends the connection at once, online connects at once, and then the post is sent", async () => {
  await page.greet();
  const answered = post("a");
  browser.goOffline();
  assert.equal(page.hub.connection, "offline");
  browser.wake();
  assert.equal(browser.sockets.length, 2);
  await page.greet();
  await answer();
  assert.equal((await answered).seq, 1);
});

test("after 4102 it waits, even when the page becomes visible, and then sends queued posts", async () => {
  await page.greet();
  const answered = post("a");
  browser.socket.refuses(page.last, "rate_limited", { retry_after_ms: 3000 });
  browser.socket.ends(4102);
  await browser.pass(4_999);
  browser.wake();
  assert.equal(browser.sockets.length, 1);
  assert.equal(lastWhy.final, false);
  await browser.pass(501);
  assert.equal(browser.sockets.length, 2);
  await page.greet();
  assert.deepEqual(sentIds(), ["a"]);
  await answer();
  assert.equal((await answered).seq, 1);
});
