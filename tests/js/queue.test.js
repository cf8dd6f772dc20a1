import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Lost, Socket } from "../../hubbub/static/hubbub/js/socket.js";
import { settle } from "./browser.js";
import { Page, post } from "./page.js";

/** @import { FakeBrowser } from "./browser.js" */

/** @type {Page} */
let page;
/** @type {FakeBrowser} */
let browser;
/** @type {Socket} */
let socket;

beforeEach(() => {
  page = new Page();
  ({ browser, socket } = page);
});

test("posts written offline are sent after the hello, in order, one at a time", async () => {
  const answers = [socket.enqueue(post("a")), socket.enqueue(post("b"))];
  page.connect();
  await settle();
  assert.deepEqual(page.sentIds, ["a"]);
  browser.socket.answers(browser.socket.sent[0], { seq: 1 });
  await settle();
  assert.deepEqual(page.sentIds, ["a", "b"]);
  browser.socket.answers(browser.socket.sent[1], { seq: 2 });
  assert.deepEqual(
    (await Promise.all(answers)).map(({ seq }) => seq),
    [1, 2],
  );
});

test("a post whose answer was lost is sent again with the same id", async () => {
  page.connect();
  const answer = socket.enqueue(post("a"));
  browser.socket.ends(1006);
  await browser.pass(500);
  browser.socket.greets();
  await settle();
  assert.deepEqual(page.sentIds, ["a"]);
  browser.socket.answers(browser.socket.sent[0], { seq: 7 });
  assert.equal((await answer).seq, 7);
  browser.socket.ends(1006);
  await browser.pass(1000);
  browser.socket.greets();
  await settle();
  assert.deepEqual(browser.socket.sent, [], "what was answered is not sent again");
});

test("sending as the next user of this browser: a post is not sent when another user is admitted", async () => {
  let isMine = true;
  const alices = new Socket("/ws/chat/", { hello: () => isMine }, browser);
  alices.open();
  browser.socket.greets();
  const answer = alices.enqueue(post("a"));
  browser.socket.refuses(browser.socket.sent[0], "rate_limited", { retry_after_ms: 3000 });
  browser.socket.ends(4003);
  await browser.pass(1_500);
  isMine = false;
  browser.socket.greets({ user: { id: "2", name: "bob" } });
  await settle();
  assert.deepEqual(browser.socket.sent, []);
  assert.equal(browser.socket.closed, true);
  await browser.pass(60_000);
  browser.wake();
  assert.equal(browser.sockets.length, 2);
  assert.equal(page.state, "offline");
  await assert.rejects(alices.request({ type: "message.delete", room: "general", seq: 1 }), Lost);
  isMine = true;
  alices.open();
  browser.socket.greets();
  await settle();
  assert.deepEqual(page.sentIds, ["a"], "it is still Alice's to send");
  browser.socket.answers(browser.socket.sent[0], { seq: 1 });
  assert.equal((await answer).seq, 1);
});

test("a page that closes its socket at the hello keeps its posts for the next hello", async () => {
  /** @type {Socket} */
  const closing = new Socket("/ws/chat/", { hello: () => closing.close() }, browser);
  const answer = closing.enqueue(post("a"));
  closing.open();
  browser.socket.greets();
  await browser.pass(60_000); // Would never end if the queue retried without a connection.
  assert.deepEqual(browser.socket.sent, []);
  assert.equal(await Promise.race([answer, settle()]), undefined, "neither answered nor given up");
});

test("rate_limited: the queue waits as long as the server asks, and keeps its order", async () => {
  page.connect();
  browser.random = () => 0;
  const answers = [socket.enqueue(post("a")), socket.enqueue(post("b"))];
  browser.socket.refuses(browser.socket.sent[0], "rate_limited", { retry_after_ms: 3000 });
  await browser.pass(2_999);
  assert.equal(browser.socket.sent.length, 1);
  await browser.pass(1);
  assert.equal(browser.socket.sent[1].id, "a");
  browser.socket.answers(browser.socket.sent[1]);
  await settle();
  browser.socket.answers(browser.socket.sent[2]);
  await Promise.all(answers);
  assert.deepEqual(page.sentIds, ["a", "a", "b"]);
});

test("a refused post is not sent again, and the next one is sent", async () => {
  page.connect();
  const refused = socket.enqueue(post("a"));
  const next = socket.enqueue(post("b"));
  browser.socket.refuses(browser.socket.sent[0], "forbidden");
  await assert.rejects(refused, { code: "forbidden" });
  await settle();
  browser.socket.answers(browser.socket.sent[1]);
  await next;
  assert.deepEqual(page.sentIds, ["a", "b"]);
});

test("a post that is too big for the server is given up, the next one is not", async () => {
  page.connect();
  const big = socket.enqueue(post("big"));
  const small = socket.enqueue(post("small"));
  browser.socket.ends(1009);
  await assert.rejects(big, { code: "too_long" });
  await browser.pass(500);
  browser.socket.greets();
  await settle();
  assert.deepEqual(page.sentIds, ["small"]);
  browser.socket.answers(browser.socket.sent[0]);
  await small;
});

test("a post over the announced limit is refused before it is sent", async () => {
  page.connect();
  await assert.rejects(socket.enqueue({ ...post("a"), body: "ä".repeat(33_000) }), { code: "too_long" });
  assert.equal(browser.socket.sent.length, 0);
  assert.equal(page.state, "open");
});
