import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { browser as realBrowser } from "../../hubbub/static/hubbub/js/browser.js";
import { Page } from "./page.js";
import { give } from "./served.js";

/** @import { Socket } from "../../hubbub/static/hubbub/js/socket.js" */
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

test("a link that dies after the client's clock was set back by an hour is noticed after 28 s", async (context) => {
  give("document", { documentElement: { dataset: {} } });
  context.after(() => Reflect.deleteProperty(globalThis, "document"));
  const { now } = realBrowser();
  const before = now();
  context.mock.method(Date, "now", () => 0);
  assert.ok(now() - before >= 0 && now() - before < 1_000, "the clock is not the one that people set");
  page.connect();
  await browser.pass(28_000);
  assert.equal(page.state, "offline");
});

test("offline ends the connection at once, and online connects at once", async () => {
  page.connect();
  browser.goOffline();
  assert.equal(page.state, "offline");
  assert.equal(page.lastWhy.final, false);
  assert.equal(browser.sockets[0].closed, true);
  browser.wake();
  assert.equal(browser.sockets.length, 2);
  browser.socket.greets();
  assert.equal(page.state, "open");
});

test("offline before the server answers ends the try, and a second one changes nothing", async () => {
  socket.open();
  browser.goOffline();
  browser.goOffline();
  assert.equal(page.state, "offline");
  await browser.pass(500);
  assert.equal(browser.sockets.length, 2);
});

test("offline does not wake a page that closed its connection, or that the server refused", async () => {
  page.connect();
  browser.socket.ends(4005);
  const count = page.states.length;
  browser.goOffline();
  assert.equal(page.states.length, count);
  await browser.pass(60_000);
  assert.equal(browser.sockets.length, 1);
});

test("a ping behind a frame that is still being sent over a slow link does not end the connection", async () => {
  page.connect();
  socket.request({ type: "message.edit" }).catch(() => {});
  browser.socket.bufferedAmount = 60_000;
  await browser.pass(20_000);
  for (let unsent = 40_000; unsent > 0; unsent -= 20_000) {
    browser.socket.bufferedAmount = unsent;
    await browser.pass(8_000);
    assert.equal(page.state, "open", `${unsent} bytes have still to go`);
  }
  await browser.pass(8_000);
  assert.equal(page.state, "offline", "nothing moved any more");
});

test("a message of 4,000 characters is sent, with any escapes in its JSON", async () => {
  page.connect();
  socket.request({ type: "message.post", body: "\u6f22".repeat(4_000) });
  socket.request({ type: "message.post", body: "\ud83d\ude42".repeat(4_000) });
  socket.request({ type: "message.post", body: "\u001f".repeat(4_000) });
  assert.equal(browser.socket.sent.length, 3);
});

test("after silence the page sends a ping, and after more silence it reconnects", async () => {
  page.connect();
  await browser.pass(19_999);
  assert.equal(browser.socket.sent.length, 0);
  await browser.pass(1);
  assert.equal(browser.socket.sent[0].type, "ping");
  await browser.pass(8_000);
  assert.equal(page.state, "offline");
  assert.equal(browser.socket.closed, true);
  await browser.pass(500);
  assert.equal(browser.sockets.length, 2);
});

test("a pong, or any other frame, keeps the connection", async () => {
  page.connect();
  for (let round = 0; round < 5; round++) {
    await browser.pass(20_000);
    browser.socket.says({ type: "pong", ref: browser.socket.sent.at(-1).ref });
    await browser.pass(7_000);
  }
  assert.equal(browser.sockets.length, 1);
  assert.equal(page.state, "open");
});

test("after sleep the page pings first, and ignores the old timer", async () => {
  page.connect();
  await browser.pass(20_000);
  assert.equal(browser.socket.sent.length, 1);
  browser.sleep(3_600_000);
  browser.wake();
  assert.equal(page.state, "open");
  assert.equal(browser.socket.sent.length, 2, "asks again after waking");
  await browser.pass(8_000);
  assert.equal(page.state, "offline", "and notices within seconds");
});

test("frames of a connection that was given up are ignored", async () => {
  page.connect();
  const dead = browser.socket;
  await browser.pass(28_500);
  dead.says({ type: "message.posted" });
  dead.ends(1006);
  assert.deepEqual(page.events, []);
  assert.equal(browser.sockets.length, 2);
});
