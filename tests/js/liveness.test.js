import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { browser as realBrowser } from "../../hubbub/static/hubbub/js/browser.js";
import { Socket } from "../../hubbub/static/hubbub/js/socket.js";
import { FakeBrowser, settle } from "./browser.js";

let browser, socket, told;

beforeEach(() => {
  browser = new FakeBrowser();
  told = [];
  socket = new Socket("/ws/chat/", { state: (state, why) => told.push([state, why]) }, browser);
});

function connect() {
  socket.open();
  browser.socket.greets();
}

const state = () => browser.root.dataset.state;
const lastWhy = () => told.at(-1)[1];
const post = (id) => ({ type: "message.post", id, room: "general", body: "hi" });

test("a link that dies after the client's clock was set back by an hour is noticed after 28 s", async (context) => {
  globalThis.document = { documentElement: { dataset: {} } };
  context.after(() => delete globalThis.document);
  const { now } = realBrowser();
  const before = now();
  context.mock.method(Date, "now", () => 0);
  assert.ok(now() - before >= 0 && now() - before < 1_000, "the clock is not the one that people set");
  connect();
  await browser.pass(28_000);
  assert.equal(state(), "offline");
});

test("offline on a dead link is believed at once, and online connects at once", async () => {
  connect();
  const answer = socket.enqueue(post("a"));
  browser.goOffline();
  assert.equal(state(), "offline");
  assert.equal(lastWhy().final, false);
  assert.equal(browser.sockets[0].closed, true);
  browser.wake();
  assert.equal(browser.sockets.length, 2);
  browser.socket.greets();
  await settle();
  browser.socket.answers(browser.socket.sent[0], { seq: 1 });
  assert.equal((await answer).seq, 1);
});

test("offline before the server has answered ends the try, and twice changes nothing", async () => {
  socket.open();
  browser.goOffline();
  browser.goOffline();
  assert.equal(state(), "offline");
  await browser.pass(500);
  assert.equal(browser.sockets.length, 2);
});

test("offline does not wake a page that closed its connection, or was sent away", async () => {
  connect();
  browser.socket.ends(4005);
  const count = told.length;
  browser.goOffline();
  assert.equal(told.length, count);
  await browser.pass(60_000);
  assert.equal(browser.sockets.length, 1);
});

test("a ping behind a frame that is still being sent over a slow link does not end the connection", async () => {
  connect();
  socket.request({ type: "message.edit" }).catch(() => {});
  browser.socket.bufferedAmount = 60_000;
  await browser.pass(20_000);
  for (let unsent = 40_000; unsent > 0; unsent -= 20_000) {
    browser.socket.bufferedAmount = unsent;
    await browser.pass(8_000);
    assert.equal(state(), "open", `${unsent} bytes have still to go`);
  }
  await browser.pass(8_000);
  assert.equal(state(), "offline", "nothing moved any more");
});

test("of several without an answer, 1009 gives up the longest: a repeat never loops", async () => {
  connect();
  const small = socket.enqueue(post("small"));
  const long = socket.request({ type: "message.edit", room: "general", seq: 1, body: "x".repeat(5_000) });
  browser.socket.ends(1009);
  await assert.rejects(long, { code: "too_long" });
  for (let rounds = 0; rounds < 3; rounds++) {
    await browser.pass(500 * 2 ** rounds);
    browser.socket.greets();
    await settle();
    assert.deepEqual(
      browser.socket.sent.map(({ id }) => id),
      ["small"],
    );
    if (rounds < 2) browser.socket.ends(1006);
  }
  browser.socket.answers(browser.socket.sent[0]);
  await small;
});

test("a message of 4,000 characters is taken, however its JSON is escaped", async () => {
  connect();
  socket.request({ type: "message.post", body: "\u6f22".repeat(4_000) });
  socket.request({ type: "message.post", body: "\ud83d\ude42".repeat(4_000) });
  socket.request({ type: "message.post", body: "\u001f".repeat(4_000) });
  assert.equal(browser.socket.sent.length, 3);
});
