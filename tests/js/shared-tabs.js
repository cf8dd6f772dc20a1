// Tabs of a fake browser that share a stream, and the server's side of it.

import assert from "node:assert/strict";

import { SharedStream } from "../../hubbub/static/hubbub/js/shared-stream.js";
import { FakeBrowser, FakeSocket } from "./browser.js";

/** @import { Tab } from "../../hubbub/static/hubbub/js/types.js" */

export const T = "room/general";

/** @implements {Tab} */
export class FakeTab {
  /** @type {any[]} */
  frames = [];
  /** @type {any[]} */
  ends = [];

  /** @param {string} text */
  deliver(text) {
    this.frames.push(JSON.parse(text));
  }

  /** @param {any[]} given */
  end(...given) {
    this.ends.push(given);
    stream.leave(this);
  }

  /** @param {object} command */
  sends(command) {
    stream.take(this, JSON.stringify(command));
  }

  /** What it was given since the last call. */
  taken() {
    return this.frames.splice(0);
  }
}

/** @type {FakeBrowser} */
export let browser;
/** @type {FakeSocket} */
export let socket;
/** @type {SharedStream} */
export let stream;
export let ended = 0;

export function begin(token = "") {
  browser = new FakeBrowser();
  socket = new FakeSocket("/live/");
  ended = 0;
  stream = new SharedStream(socket, { timers: browser, token, ended: () => ended++ });
}

/** A tab that was admitted. */
export function enter() {
  const tab = new FakeTab();
  stream.enter(tab);
  if (socket.sent.at(-1)?.type === "hello") answer({ type: "hello", user: { id: "1", name: "alice" } });
  else socket.greets();
  assert.equal(tab.taken().at(-1).type, "hello");
  return tab;
}

/** The server answers the last command. @param {object} fields */
export function answer(fields) {
  socket.says({ type: "ok", ref: socket.sent.at(-1).ref, ...fields });
}

/** The command that the server was sent last, without its ref. */
export function last() {
  const { ref, ...command } = socket.sent.at(-1);
  return command;
}

export const state = (/** @type {number} */ position, more = {}) => ({
  topic: T,
  epoch: "e",
  position,
  complete: false,
  state: `state ${position}`,
  ...more,
});
export const resumed = (/** @type {number} */ position, more = {}) => ({
  topic: T,
  epoch: "e",
  position,
  complete: true,
  events: [],
  ...more,
});
export const event = (/** @type {number} */ position) => ({ type: "posted", topic: T, position });

/** A tab that joined first. */
export function joined() {
  const tab = enter();
  tab.sends({ type: "join", ref: 1, topic: T });
  answer(state(5, { present: { count: 1, users: [{ id: "1", name: "alice" }] } }));
  tab.taken();
  return tab;
}
