import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Lost, Refused } from "../../hubbub/static/hubbub/js/errors.js";
import { Page } from "./page.js";

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

test("the root element shows connecting, open and offline", () => {
  socket.open();
  assert.equal(page.state, "connecting");
  browser.socket.greets();
  assert.equal(page.state, "open");
  browser.socket.ends(1006);
  assert.equal(page.state, "offline");
});

test("an answer belongs to the request with its ref, in any order", async () => {
  page.connect();
  const one = socket.request({ type: "join", topic: "room/a" });
  const other = socket.request({ type: "join", topic: "room/b" });
  const [first, second] = browser.socket.sent;
  browser.socket.answers(second, { position: 2 });
  browser.socket.answers(first, { position: 1 });
  assert.equal((await one).position, 1);
  assert.equal((await other).position, 2);
});

test("an error answer rejects with its code and leaves the socket open", async () => {
  page.connect();
  const request = socket.request({ type: "join", topic: "room/secret" });
  browser.socket.refuses(browser.socket.sent[0], "not_found");
  await assert.rejects(request, (error) => error instanceof Refused && error.code === "not_found");
  assert.equal(page.state, "open");
});

test("events go to the page, and text that is no JSON is ignored", () => {
  page.connect();
  browser.socket.says({ type: "message.posted", position: 1 });
  browser.socket.receives("{");
  assert.deepEqual(page.events, [{ type: "message.posted", position: 1 }]);
});

test("a request is lost with its connection, and rejected without one", async () => {
  await assert.rejects(socket.request({ type: "ping" }), Lost);
  page.connect();
  const request = socket.request({ type: "join", topic: "room/a" });
  browser.socket.ends(1006);
  await assert.rejects(request, Lost);
});

test("back-off doubles from half a second to twenty", async () => {
  socket.open();
  for (const waitMs of [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]) {
    const tries = browser.sockets.length;
    browser.socket.ends(1006);
    await browser.pass(waitMs - 1);
    assert.equal(browser.sockets.length, tries, `no try before ${waitMs} ms`);
    await browser.pass(1);
    assert.equal(browser.sockets.length, tries + 1, `a try after ${waitMs} ms`);
  }
});

test("back-off has full jitter", async () => {
  browser.random = () => 0.1;
  socket.open();
  browser.socket.ends(1006);
  await browser.pass(50);
  assert.equal(browser.sockets.length, 2);
});

test("back-off grows when the server admits and drops at once", async () => {
  page.connect();
  for (const waitMs of [500, 1000, 2000]) {
    browser.socket.ends(1011);
    await browser.pass(waitMs - 1);
    const tries = browser.sockets.length;
    await browser.pass(1);
    assert.equal(browser.sockets.length, tries + 1);
    browser.socket.greets();
  }
});

test("a connection that lasted resets the back-off", async () => {
  socket.open();
  for (let tries = 0; tries < 6; tries++) {
    browser.socket.ends(1006);
    await browser.pass(20_000);
  }
  browser.socket.greets();
  await browser.pass(6_000);
  browser.socket.ends(1006);
  const tries = browser.sockets.length;
  await browser.pass(500);
  assert.equal(browser.sockets.length, tries + 1);
});

test("consecutive restarts of the server do not make the wait longer", async () => {
  page.connect();
  for (let restarts = 1; restarts <= 6; restarts++) {
    browser.socket.ends(1012);
    await browser.pass(500);
    assert.equal(browser.sockets.length, 1 + restarts);
    browser.socket.greets();
  }
});

test("the return of the network, or a visible page, ends the wait", async () => {
  socket.open();
  browser.socket.ends(1006);
  browser.wake();
  assert.equal(browser.sockets.length, 2);
  browser.wake();
  assert.equal(browser.sockets.length, 2, "a try under way is not doubled");
});

for (const code of [4001, 4002, 4004, 4005, 4008, 4009]) {
  test(`after ${code} it does not reconnect until open is called`, async () => {
    page.connect();
    browser.socket.ends(code, "Why");
    assert.deepEqual(page.lastWhy, { code, reason: "Why", final: true });
    await browser.pass(60_000);
    browser.wake();
    assert.equal(browser.sockets.length, 1);
    socket.open();
    assert.equal(browser.sockets.length, 2);
  });
}

for (const code of [1006, 1011, 1012, 4101, 4103]) {
  test(`after ${code} it reconnects`, async () => {
    page.connect();
    browser.socket.ends(code);
    await browser.pass(500);
    assert.equal(browser.sockets.length, 2);
  });
}

test("refused while it opens (no such poll): the page gets the reason and does not reconnect", async () => {
  page.connect();
  browser.socket.says({ type: "error", code: "not_found", detail: "no such poll" });
  browser.socket.ends(4006, "Refused");
  assert.equal(page.lastWhy.final, true);
  assert.equal(page.lastWhy.error?.detail, "no such poll");
  await browser.pass(600_000);
  browser.wake();
  assert.equal(browser.sockets.length, 1);
});

test("refused while it opens (rate limited): it waits as long as the server asks", async () => {
  page.connect();
  browser.socket.says({ type: "error", code: "rate_limited", detail: "too many polls", retry_after_ms: 30_000 });
  browser.socket.ends(4102, "Refused");
  assert.equal(page.lastWhy.final, false);
  await browser.pass(29_999);
  browser.wake();
  assert.equal(browser.sockets.length, 1);
  await browser.pass(502);
  assert.equal(browser.sockets.length, 2);
  browser.socket.greets();
  browser.socket.ends(1006);
  assert.equal(page.lastWhy.error, undefined);
});

test("after 4003 it tries once more: the session may have been renewed", async () => {
  page.connect();
  browser.socket.ends(4003);
  await browser.pass(999);
  assert.equal(browser.sockets.length, 1, "the answer with the new session may be under way");
  await browser.pass(501);
  assert.equal(browser.sockets.length, 2);
  browser.socket.ends(4003);
  await browser.pass(60_000);
  assert.equal(browser.sockets.length, 2);
  assert.equal(page.lastWhy.final, true);
});

test("without a session the sign-in page opens at once", async () => {
  socket.open();
  browser.socket.says({ type: "auth.required", within_ms: 5000 });
  assert.equal(browser.signIns, 1);
  await browser.pass(60_000);
  assert.equal(browser.sockets.length, 1);
});

test("a server without a hello is tried again", async () => {
  socket.open();
  await browser.pass(13_000);
  assert.equal(browser.sockets[0].closed, true);
  assert.equal(browser.sockets.length, 2);
});
