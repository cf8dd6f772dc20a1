import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import "./served.js";

// After `served.js`: it imports scripts of the engine.
const { ConnectionStrip } = await import("../../chat/static/chat/js/connection-strip.js");

let shown = "";
let action = "";
let waiting = 0;
/** @type {InstanceType<typeof ConnectionStrip>} */
let strip;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  [shown, action, waiting] = ["", "", 0];
  strip = new ConnectionStrip(
    (text, button = "") => {
      [shown, action] = [text, button];
    },
    () => waiting,
  );
});

const open = () => strip.connection("open", { via: "socket" }, true);

test("a connection that is lost says so, how many messages wait, and when it tries again", () => {
  open();
  assert.equal(shown, "");
  waiting = 2;
  strip.connection("offline", { retryMs: 12_000 }, true);
  assert.deepEqual([shown, action], ["Offline. 2 messages wait. Next try in 12 s.", "Try now"]);
  open();
  assert.equal(shown, "Connected again.");
  mock.timers.tick(2_000);
  assert.equal(shown, "");
});

for (const [code, text] of /** @type {[number, string][]} */ ([
  [4003, "You are signed out. Sign in again."],
  [4005, "Your account no longer has access."],
  [4009, "Too many pages are open. Close some of them."],
])) {
  test(`an end for good (${code}) says why and what to do`, () => {
    waiting = 1;
    strip.connection("offline", { code, final: true }, true);
    assert.deepEqual([shown, action], [`${text} 1 message waits.`, "Connect again"]);
  });
}

test("a database that takes nothing is said while messages wait, and no longer", () => {
  open();
  strip.degraded = true;
  assert.equal(shown, "Live updates are slow right now.");
  waiting = 1;
  strip.refusing = true;
  assert.equal(shown, "The server cannot save messages right now. 1 message waits.");
  waiting = 2;
  strip.refusing = true;
  assert.equal(shown, "The server cannot save messages right now. 2 messages wait.");
  strip.refusing = false;
  assert.equal(shown, "Live updates are slow right now.");
  strip.degraded = false;
  assert.equal(shown, "");
});

test("a long notice is shown for longer", () => {
  open();
  strip.notice("Link copied.");
  mock.timers.tick(2_000);
  assert.equal(shown, "");
  strip.notice("Not deleted. The connection was lost; try again.");
  mock.timers.tick(4_000);
  assert.notEqual(shown, "");
  mock.timers.tick(1_000);
  assert.equal(shown, "");
});
