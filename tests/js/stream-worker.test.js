import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { settle } from "./browser.js";
import { give, load } from "./served.js";

const HELLO = { type: "hello", stream: "s1", csrf: "token", user: { id: "1", name: "ada" }, heartbeat_ms: 20_000 };

/** @type {(port: any) => void} */
let connect;
/** @type {{ address: string, options: RequestInit }[]} */
let requests;
/** @type {(() => void)[]} */
let looks;
/** @type {Map<string, () => void>} */
let locks;
let isSignedIn = true;

/** The worker's end of a tab's port. */
class Port extends EventTarget {
  /** @type {any[]} */
  sent = [];
  closed = false;
  /** @type {((event: { data: any }) => void) | null} */
  onmessage = null;

  /** @param {string | null} lock */
  constructor(lock) {
    super();
    connect({ ports: [this] });
    this.says({ open: "https://example.org/live/", lock });
  }

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

  get types() {
    return this.sent.filter(({ text }) => text).map(({ text }) => JSON.parse(text).type);
  }
}

beforeEach(async () => {
  [requests, looks, locks, isSignedIn] = [[], [], new Map(), true];
  give("onconnect", null);
  give("addEventListener", (/** @type {string} */ _, /** @type {any} */ run) => (connect = run));
  give("setInterval", (/** @type {() => void} */ run) => looks.push(run));
  give("clearInterval", (/** @type {number} */ number) => delete looks[number - 1]);
  give("navigator", {
    locks: { request: (/** @type {string} */ name, /** @type {() => void} */ run) => locks.set(name, run) },
  });
  give("fetch", async (/** @type {string} */ address, /** @type {any} */ options) => {
    /** @type {(typeof requests)[0]} */
    const request = { address, options };
    requests.push(request);
    if (!address.endsWith("/events")) {
      const { ref, type } = JSON.parse(options.body);
      return Response.json(type === "hello" ? { ...HELLO, csrf: undefined } : { type: "ok", ref });
    }
    if (!isSignedIn && !options.headers.Authorization)
      return Response.json({ type: "error", code: "unauthorized", detail: "" }, { status: 401 });
    const hello = new TextEncoder().encode(`data: ${JSON.stringify(HELLO)}\n\n`);
    const body = new ReadableStream({ start: (stream) => stream.enqueue(hello) });
    return new Response(body);
  });
  await load("hubbub/static/hubbub/js/stream-worker.js");
});

const streams = () => requests.filter(({ address }) => address.endsWith("/events"));
const isOpen = (/** @type {(typeof requests)[0]} */ { options }) => !options.signal?.aborted;

async function settled() {
  for (let turn = 0; turn < 10; turn++) await settle();
}

test("two tabs have one stream, and the second one is checked", async () => {
  const [a, b] = [new Port("a"), new Port("b")];
  await settled();
  assert.deepEqual([a.sent[0], a.types, b.types], [{ ready: true }, ["hello"], ["hello"]]);
  assert.deepEqual(
    requests.map(({ address }) => new URL(address).pathname),
    ["/live/events", "/live/command"],
  );
});

for (const [name, goes] of /** @type {[string, (port: Port) => unknown][]} */ ([
  ["says so", (port) => port.says({ close: true })],
  ["has crashed, whose lock is free,", () => locks.get("a")?.()],
  ["has crashed, whose port is closed,", (port) => port.dispatchEvent(new Event("close"))],
])) {
  test(`a tab that ${name} is gone, and the stream ends with the last one`, async () => {
    const [a, b] = [new Port("a"), new Port("b")];
    await settled();
    goes(a);
    assert.deepEqual([a.closed, b.closed, isOpen(streams()[0])], [true, false, true]);
    b.says({ close: true });
    assert.equal(isOpen(streams()[0]), false);
    new Port("c");
    await settled();
    assert.equal(streams().length, 2);
  });
}

test("without locks a tab that shows no sign of life is ended, and may come back", async () => {
  const [a, b] = [new Port(null), new Port(null)];
  await settled();
  for (const look of [...looks]) look();
  for (const port of [a, b]) assert.deepEqual(port.sent.at(-1), { look: true });
  b.says({ here: true });
  for (const look of [...looks]) look?.();
  assert.deepEqual([a.closed, b.closed], [true, false]);
  assert.equal(a.sent.filter(({ end }) => end?.code === 1006).length, 1);
  assert.equal(looks.filter(Boolean).length, 1);
});

test("tabs with tokens share by token", async () => {
  isSignedIn = false;
  const ports = ["x", "x", "y"].map(() => new Port("lock"));
  await settled();
  for (const port of ports) assert.deepEqual(port.types, ["auth.required"]);
  for (const [n, token] of ["x", "x", "y"].entries())
    ports[n].says({ text: JSON.stringify({ type: "auth", token: `hub_${token}` }) });
  await settled();
  for (const port of ports) assert.deepEqual(port.types, ["auth.required", "hello"]);
  const signed = streams().filter(
    ({ options }) => /** @type {Record<string, string>} */ (options.headers).Authorization,
  );
  assert.equal(signed.filter(isOpen).length, 2);
});
