// Addresses of a hub: on the page's own host, and on another one. Also where there is no page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Hubbub } from "../../hubbub/static/hubbub/js/hub.js";
import { FakeBrowser, FakeSocket } from "./browser.js";
import { give } from "./served.js";

/** @type {FakeSocket[]} */
const sockets = [];
give("WebSocket", function open(/** @type {URL} */ url) {
  sockets.push(new FakeSocket(url.href));
  return sockets.at(-1);
});

/** @param {string} path */
function openedAt(path) {
  const hub = new Hubbub({ path, token: "hub_1_x" });
  sockets.at(-1)?.greets();
  hub.close();
  return sockets.at(-1)?.path;
}

test("without a page, such as in a worker, a hub connects to an address with its host", () => {
  assert.equal(openedAt("wss://live.example.org/ws/"), "wss://live.example.org/ws/");
  assert.throws(() => new Hubbub({ path: "/ws/" }), /Invalid URL/);
});

test("an address keeps its own kind of security, and a path has that of its page", () => {
  for (const page of ["http://shop.example.org/", "https://shop.example.org/"]) {
    give("location", new URL(page));
    assert.equal(openedAt("https://live.example.org/ws/"), "wss://live.example.org/ws/");
    assert.equal(openedAt("ws://localhost:8000/ws/"), "ws://localhost:8000/ws/");
    assert.equal(openedAt("/ws/"), page.replace("http", "ws").replace(/$/, "ws/"));
  }
});

for (const [path, http, isStream] of /** @type {[string, string | undefined, boolean][]} */ ([
  ["/ws/", undefined, true],
  ["https://live.example.org/ws/", undefined, false],
  ["//live.example.org/ws/", undefined, false],
  ["https://live.example.org/ws/", "https://live.example.org/live/", true],
])) {
  test(`where sockets are blocked, a hub at ${path} with http=${http} has ${isStream ? "a" : "no"} stream`, async () => {
    const browser = new FakeBrowser();
    const hub = new Hubbub({ path, ...(http && { http }) }, browser);
    for (let tries = 0; tries < 2; tries++) {
      browser.socket.ends(1006);
      await browser.pass(1_000);
    }
    assert.equal(browser.socket.isStream, isStream);
    if (isStream) assert.equal(browser.socket.path, http ?? "/live/");
    hub.close();
  });
}
