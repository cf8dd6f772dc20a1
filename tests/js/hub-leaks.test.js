// A page of one document mounts and unmounts its parts for hours: nothing of them may stay.

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { queryObjects, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { Hubbub } from "../../hubbub/static/hubbub/js/hub.js";
import { Subscription } from "../../hubbub/static/hubbub/js/subscription.js";
import { FakeSocket, settle } from "./browser.js";
import { HubPage } from "./hubs.js";
import { give } from "./served.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");

const MOUNTS = 100;

/** The subscriptions that the memory of this process holds. */
const subscriptions = () => Number(queryObjects(Subscription, { format: "count" }));

/** The objects of this list that were not collected. */
async function heldOf(/** @type {WeakRef<object>[]} */ refs) {
  for (let turn = 0; turn < 5; turn++) {
    await settle();
    collect();
  }
  return refs.filter((ref) => ref.deref() !== undefined).length;
}

/**
 * @param {HubPage} page
 * @param {AbortSignal} pageSignal  lives as long as the page
 * @param {number} round
 * @returns {WeakRef<object>}  to the part's handlers
 */
function mountOnce(page, pageSignal, round) {
  const handlers = { state() {}, event() {} };
  const part = new AbortController();
  const topic = page.hub.topic("poll/7", handlers, { signal: pageSignal });
  const second = page.hub.topic(`poll/${round % 50}`, { joined: handlers.state }, { signal: part.signal });
  topic.send("vote", { option: 1 }, { signal: part.signal }).catch(() => {});
  second.send("vote", { option: 1 }, { signal: pageSignal }).catch(() => {});
  second.send("note.add", {}, { keep: true, signal: part.signal }).catch(() => {});
  part.abort();
  topic.close();
  return new WeakRef(handlers);
}

/** The server answers all frames from here on. @param {HubPage} page @param {number} from */
async function answerAll(page, from) {
  const sent = page.browser.socket.sent;
  for (let at = from; at < sent.length; at++) {
    const isJoin = sent[at].type === "join";
    await page.answer(isJoin ? { epoch: "e1", position: 1, complete: false, state: {} } : {}, sent[at]);
  }
  return sent.length;
}

test("a hundred mounts on an open connection leave no handler, listener, timer or membership", async () => {
  const page = new HubPage();
  await page.greet();
  const [timers, before] = [page.browser.timers, subscriptions()];
  const { signal } = new AbortController();
  const refs = [];
  let answered = 0;
  for (let round = 0; round < MOUNTS; round++) {
    refs.push(mountOnce(page, signal, round));
    if (round % 2) answered = await answerAll(page, answered);
  }
  await answerAll(page, answered);
  assert.equal(await heldOf(refs), 0);
  assert.ok(subscriptions() <= before + 1); // The engine may hold the last one.
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.equal(page.browser.timers, timers);
  const of = (/** @type {string} */ type) => page.sent.filter((frame) => frame.type === type).length;
  assert.equal(of("join"), of("leave"));
  assert.ok(of("join") >= MOUNTS / 2);
});

for (const [name, isOffline] of /** @type {const} */ ([
  ["before the first connection", false],
  ["without a connection", true],
])) {
  test(`a hundred mounts ${name} leave nothing, and join nothing later`, async () => {
    const page = new HubPage();
    if (isOffline) {
      await page.greet();
      page.browser.socket.ends(1006);
    }
    const [timers, before] = [page.browser.timers, subscriptions()];
    const { signal } = new AbortController();
    const refs = [];
    for (let round = 0; round < MOUNTS; round++) refs.push(mountOnce(page, signal, round));
    assert.equal(await heldOf(refs), 0);
    assert.equal(page.browser.timers, timers);
    if (isOffline) await page.browser.pass(1_000);
    await page.greet();
    assert.deepEqual(
      page.sent.filter(({ type }) => type !== "vote"),
      [],
    );
    await answerAll(page, 0);
    assert.equal(await heldOf(refs), 0);
    assert.ok(subscriptions() <= before + 1); // The engine may hold the last one.
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });
}

test("a hundred hubs leave no listener, timer or open socket", async () => {
  /** @type {Map<EventTarget, number>} */
  const listeners = new Map();
  const targets = [new EventTarget(), Object.assign(new EventTarget(), { visibilityState: "visible" })];
  for (const target of targets) {
    const add = target.addEventListener.bind(target);
    target.addEventListener = (name, listener, options) => {
      const { signal } = /** @type {AddEventListenerOptions} */ (options);
      if (signal?.aborted) return;
      listeners.set(target, (listeners.get(target) ?? 0) + 1);
      signal?.addEventListener("abort", () => listeners.set(target, (listeners.get(target) ?? 0) - 1));
      add(name, listener, options);
    };
  }
  /** @type {FakeSocket[]} */
  const sockets = [];
  give("addEventListener", targets[0].addEventListener);
  give("document", targets[1]);
  give("location", new URL("https://example.org/page"));
  give("WebSocket", function open(/** @type {URL} */ url) {
    sockets.push(new FakeSocket(url.href));
    return sockets.at(-1);
  });
  /** @type {Set<unknown>} */
  const timers = new Set();
  const [setTimer, clearTimer] = [globalThis.setTimeout, globalThis.clearTimeout];
  give("setTimeout", (/** @type {() => void} */ run, /** @type {number} */ ms) => {
    const timer = setTimer(run, ms);
    timers.add(timer);
    return timer;
  });
  give("clearTimeout", (/** @type {any} */ timer) => {
    timers.delete(timer);
    clearTimer(timer);
  });
  const { signal } = new AbortController();
  /** @type {WeakRef<object>[]} */
  const refs = [];
  const mount = (/** @type {number} */ round) => {
    const options = { signal, state() {} };
    refs.push(new WeakRef(options));
    const hub = new Hubbub(options);
    hub.topic("poll/7", {}, { signal });
    if (round % 3 > 0) sockets.at(-1)?.greets();
    if (round % 3 > 1) sockets.at(-1)?.ends(1006);
    assert.equal(listeners.get(targets[0]), 3);
    hub.close();
  };
  for (let round = 0; round < MOUNTS; round++) mount(round);
  give("setTimeout", setTimer);
  give("clearTimeout", clearTimer);
  assert.deepEqual([...listeners.values()], [0, 0]);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.equal(timers.size, 0);
  assert.equal(sockets.length, MOUNTS);
  assert.equal(sockets.filter(({ closed }) => closed).length, MOUNTS);
  sockets.length = 0;
  assert.ok((await heldOf(refs)) <= 1); // The engine may hold the last one.
});
