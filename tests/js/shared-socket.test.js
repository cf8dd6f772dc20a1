import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeSocket, settle } from "./browser.js";
import { give } from "./served.js";

/** @import { SharedSocket } from "../../hubbub/static/hubbub/js/shared-socket.js" */

class FakePort {
  /** @type {any[]} */
  sent = [];
  closed = false;
  /** @type {((event: { data: any }) => void) | null} */
  onmessage = null;

  /** @param {any} message */
  postMessage(message) {
    this.sent.push(message);
  }

  close() {
    this.closed = true;
  }

  /** @param {any} data */
  says(data) {
    this.onmessage?.({ data });
  }
}

/** @type {any[]} */
let workers;
/** @type {FakeSocket[]} */
let own;
/** @type {Map<string, Promise<unknown>>} */
let locks;
/** @type {EventTarget} */
let page;
let listening = 0;
let rounds = 0;
/** @type {(worker?: string) => SharedSocket} */
let open;
/** @type {() => boolean} */
let isSharing;
/** @type {any[]} */
let frames;
/** @type {any[]} */
let closes;
/** @type {() => void} */
let late;

beforeEach(async () => {
  [workers, own, frames, closes] = [[], [], [], []];
  locks = new Map();
  page = new EventTarget();
  listening = 0;
  const add = page.addEventListener.bind(page);
  give("document", {});
  give("addEventListener", (/** @type {string} */ name, /** @type {any} */ run, /** @type {any} */ options) => {
    listening += 1;
    options.signal.addEventListener("abort", () => (listening -= 1));
    add(name, run, options);
  });
  const request = (/** @type {string} */ name, /** @type {() => Promise<unknown>} */ run) => {
    const held = run();
    locks.set(name, held);
    return held.then(() => locks.delete(name));
  };
  give("navigator", { locks: { request } });
  give(
    "SharedWorker",
    class extends EventTarget {
      port = new FakePort();
      /** @param {URL | string} address @param {object} options */
      constructor(address, options) {
        super();
        Object.assign(this, { address: String(address), options });
        workers.push(this);
      }
    },
  );
  const address = `../../hubbub/static/hubbub/js/shared-socket.js?${++rounds}`; // Each test has a page of its own.
  const module = await import(address);
  isSharing = module.isSharing;
  open = (worker) => {
    const openOwn = () => {
      own.push(new FakeSocket("/live/"));
      return own[own.length - 1];
    };
    const socket = new module.SharedSocket("/live/", openOwn, worker);
    socket.onmessage = (/** @type {any} */ { data }) => frames.push(JSON.parse(data));
    socket.onclose = (/** @type {any} */ { code, reason }) => closes.push({ code, reason });
    return socket;
  };
});

/** @param {string | undefined} worker */
async function opened(worker) {
  const before = workers.length;
  const socket = open(worker);
  while (workers.length === before || workers.at(-1).port.sent.length === 0) await settle();
  const { port } = workers.at(-1);
  port.says({ ready: true });
  return { socket, port };
}

test("the worker is a module beside this script, and is told the path and a lock that the tab holds", async () => {
  const { port } = await opened(undefined);
  assert.match(workers[0].address, /\/hubbub\/static\/hubbub\/js\/stream-worker\.js$/);
  assert.equal(workers[0].options.type, "module");
  const [{ open: path, lock }] = port.sent;
  assert.equal(path, "/live/");
  assert.ok(locks.has(lock));
});

test("frames, commands and the end pass through", async () => {
  const { socket, port } = await opened("/stream-worker.js");
  port.says({ text: '{"type":"hello"}' });
  socket.send('{"type":"ping","ref":1}');
  port.says({ look: true });
  assert.deepEqual(port.sent.slice(1), [{ text: '{"type":"ping","ref":1}' }, { here: true }]);
  port.says({ end: { code: 4003, reason: "Session ended", isAlone: false } });
  assert.deepEqual([frames, closes], [[{ type: "hello" }], [{ code: 4003, reason: "Session ended" }]]);
  assert.equal(isSharing(), true);
});

test("a closed one says so, lets go of its port, lock and listeners, and reports nothing", async () => {
  const { socket, port } = await opened("/stream-worker.js");
  socket.close();
  await Promise.allSettled(locks.values());
  await settle();
  assert.deepEqual([port.sent.at(-1), port.closed, locks.size, listening], [{ close: true }, true, 0, 0]);
  assert.deepEqual(closes, []);
});

test("a hundred of them leave no port, lock or listener", async () => {
  for (let round = 0; round < 100; round++) {
    const socket = open("/stream-worker.js");
    if (round % 3 > 0) await settle();
    if (round % 3 > 1) workers.at(-1).port.says({ ready: true });
    socket.close();
  }
  await settle();
  assert.equal(workers.filter(({ port }) => !port.closed).length, 0);
  assert.deepEqual([locks.size, listening, own.length], [0, 0, 0]);
});

test("a page that ends closes its part; one that may return comes back by itself", async () => {
  const first = await opened("/stream-worker.js");
  page.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: false }));
  assert.deepEqual([first.port.closed, closes.length], [true, 0]);
  const second = await opened("/stream-worker.js");
  page.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
  assert.deepEqual([second.port.closed, closes.length], [true, 1]);
});

for (const [name, fails] of /** @type {[string, () => unknown][]} */ ([
  ["that reports an error", () => workers[0].dispatchEvent(new Event("error"))],
  ["that says nothing for five seconds", () => late()],
])) {
  test(`without a worker, such as one ${name}, the tab has a stream of its own`, async () => {
    const setTimer = globalThis.setTimeout;
    give("setTimeout", (/** @type {() => void} */ run) => {
      late = run;
    });
    const socket = open("/stream-worker.js");
    give("setTimeout", setTimer);
    fails();
    assert.equal(own.length, 1);
    own[0].greets();
    socket.send('{"type":"ping","ref":1}');
    own[0].bufferedAmount = 9;
    assert.deepEqual([frames.length, own[0].sent, socket.bufferedAmount], [1, [{ type: "ping", ref: 1 }], 9]);
    own[0].ends(1012, "Restart");
    assert.deepEqual(closes, [{ code: 1012, reason: "Restart" }]);
    assert.deepEqual([workers[0].port.closed, isSharing()], [true, false]); // Not tried again.
  });
}

test("an error of a worker that has started changes nothing", async () => {
  const { port } = await opened("/stream-worker.js");
  workers[0].dispatchEvent(new Event("error"));
  assert.deepEqual([own.length, port.closed, isSharing()], [0, false, true]);
});

test("a worker that may not start is none", async () => {
  give("SharedWorker", function refuse() {
    throw new DOMException("of another origin", "SecurityError");
  });
  open("https://static.example.org/stream-worker.js");
  await settle();
  assert.equal(own.length, 1);
});

test("a browser without workers, and a program, have streams of their own", () => {
  assert.equal(isSharing(), true);
  give("SharedWorker", undefined);
  assert.equal(isSharing(), false);
});

test("a tab that is told to be alone is so from then on", async () => {
  const { port } = await opened("/stream-worker.js");
  port.says({ end: { code: 1012, reason: "Too many topics for one stream", isAlone: true } });
  assert.deepEqual([closes.length, isSharing()], [1, false]);
});
