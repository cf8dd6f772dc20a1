import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { HubPage } from "./hubs.js";

/** @type {HubPage} */
let page;
/** @type {any[][]} */
let states;

beforeEach(() => {
  states = [];
  page = new HubPage({ state: (state, why) => states.push([state, why.via]) });
});

/** WebSockets end without a frame, until a stream is tried. */
async function block() {
  for (let tries = 0; tries < 2; tries += 1) {
    assert.equal(page.browser.socket.isStream, false);
    page.browser.socket.ends(1006);
    await page.browser.pass(2_000);
  }
}

/** The connection or the try ends, and the next try begins. */
async function end() {
  const { socket } = page.browser;
  socket.ends(1006);
  for (let waited = 0; page.browser.socket === socket && waited < 60; waited += 1) await page.browser.pass(500);
  return page.browser.socket.isStream ? "stream" : "socket";
}

/** Five minutes pass on a living connection, up to the next look. */
async function waitForProbe(stream = page.browser.socket) {
  for (let waited = 0; waited < 300_000; waited += 10_000) {
    stream.says({ type: "alive" });
    await page.browser.pass(10_000);
  }
}

test("a page whose WebSockets get no frame falls back to HTTP, and says so", async () => {
  await block();
  assert.equal(page.browser.socket.isStream, true);
  assert.equal(page.browser.socket.path, "/live/");
  await page.greet();
  assert.deepEqual(states.at(-1), ["open", "http"]);
});

test("a connection that worked and is lost does not fall back", async () => {
  await page.greet();
  assert.deepEqual(states.at(-1), ["open", "socket"]);
  for (let times = 0; times < 4; times += 1) await page.reconnect();
  assert.equal(page.browser.socket.isStream, false);
});

test("a server that is away is tried by both ways in turn", async () => {
  await block();
  page.browser.socket.ends(1006);
  await page.browser.pass(20_000);
  assert.equal(page.browser.socket.isStream, false);
});

test("where a stream has worked, a restart is met by streams, and by one WebSocket after six of them", async () => {
  await block();
  await page.greet();
  /** @type {string[]} */
  const tried = [];
  for (let times = 0; times < 15; times += 1) tried.push(await end());
  const six = Array(6).fill("stream");
  assert.deepEqual(tried, [...six, "socket", ...six, "socket", "stream"]);
  await page.greet();
  assert.deepEqual(states.at(-1), ["open", "http"]);
});

test("a WebSocket that works after streams is stayed with", async () => {
  await block();
  await page.greet();
  for (let times = 0; times < 7; times += 1) await end();
  await page.greet();
  assert.deepEqual(states.at(-1), ["open", "socket"]);
  // Streams that worked before it count no more.
  assert.deepEqual([await end(), await end(), await end(), await end()], ["socket", "socket", "stream", "socket"]);
});

test("over HTTP it looks whether WebSockets get through, and goes back to them", async () => {
  await block();
  await page.greet();
  await waitForProbe();
  const probe = page.browser.socket;
  assert.equal(probe.isStream, false);
  probe.says({ type: "auth.required" });
  await page.browser.pass(1_000);
  assert.equal(page.browser.socket.isStream, false);
  assert.notEqual(page.browser.socket, probe);
  assert.equal(probe.closed, true);
  await page.greet();
  assert.deepEqual(states.at(-1), ["open", "socket"]);
});

test("a probe that fails changes nothing, and is made again", async () => {
  await block();
  await page.greet();
  const sockets = page.browser.sockets.length;
  const stream = page.browser.socket;
  for (let times = 1; times <= 2; times += 1) {
    await waitForProbe(stream);
    assert.equal(page.browser.sockets.length, sockets + times);
    page.browser.socket.ends(1006);
  }
  assert.deepEqual(states.at(-1), ["open", "http"]);
});

test("a hub without addresses for HTTP goes on with WebSockets", async () => {
  page = new HubPage({ http: null });
  await block();
  assert.equal(page.browser.socket.isStream, false);
});

test("a closed hub leaves no probe", async () => {
  await block();
  await page.greet();
  page.hub.close();
  const sockets = page.browser.sockets.length;
  await page.browser.pass(600_000);
  assert.equal(page.browser.sockets.length, sockets);
});

test("where a WebSocket has worked before, a stream looks for one at once", async () => {
  await page.greet();
  page.browser.socket.ends(1006);
  await page.browser.pass(2_000);
  await block();
  assert.equal(page.browser.socket.isStream, true);
  await page.greet();
  const stream = page.browser.socket;
  await page.browser.pass(1_000);
  const probe = page.browser.socket;
  assert.notEqual(probe, stream);
  probe.says({ type: "hello" });
  await page.browser.pass(2_000);
  assert.equal(page.browser.socket.isStream, false);
  await page.greet();
  assert.deepEqual(states.at(-1), ["open", "socket"]);
});

test("a network that blocks WebSockets from now on is looked at once, and then as any other", async () => {
  await page.greet();
  page.browser.socket.ends(1006);
  await page.browser.pass(2_000);
  await block();
  await page.greet();
  const stream = page.browser.socket;
  await page.browser.pass(1_000);
  const probe = page.browser.socket;
  assert.notEqual(probe, stream);
  probe.ends(1006);
  for (let waited = 0; waited < 250_000; waited += 10_000) {
    stream.says({ type: "alive" });
    await page.browser.pass(10_000);
  }
  assert.equal(page.browser.socket, probe);
});
