import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";
import { createContext, runInContext } from "node:vm";

const SCRIPT = readFileSync(new URL("../../chat/static/chat/js/service-worker.js", import.meta.url), "utf8");
const ORIGIN = "https://chat.example.org";
const OFFLINE = "/team/offline/";
const NAME = "hubbub /team/ 0123456789ab";
const hashed = (number = 0) => `${ORIGIN}/team/static/chat/js/room.${String(number).padStart(12, "0")}.js`;

/** @type {Map<string, Map<string, Response>>} by name, the answers by address */
let stores;
/** @type {Record<string, (event: any) => void>} */
let listeners;
/** @type {string[]} */
let fetched;
/** @type {(url: string) => Response} */
let server;
let hasStorage = true;
/** @type {string[]} */
let done;

const addressOf = (/** @type {any} */ request) => new URL(request.url ?? request, ORIGIN).href;

/** An answer of the site's own host, as fetch gives it. */
function answer(text = "", type = "basic", status = 200) {
  return Object.defineProperty(new Response(text, { status }), "type", { value: type });
}

/** @param {string} name */
function open(name) {
  const store = stores.get(name) ?? new Map();
  stores.set(name, store);
  return {
    addAll: async (/** @type {string[]} */ urls) => {
      for (const url of urls) store.set(url, server(url));
    },
    put: async (/** @type {any} */ request, /** @type {Response} */ response) =>
      store.set(addressOf(request), response),
    keys: async () => [...store.keys()].map((url) => ({ url })),
    delete: async (/** @type {any} */ request) => store.delete(addressOf(request)),
  };
}

const caches = {
  open: async (/** @type {string} */ name) => {
    if (!hasStorage) throw new DOMException("denied", "SecurityError");
    return open(name);
  },
  keys: async () => [...stores.keys()],
  delete: async (/** @type {string} */ name) => stores.delete(name),
  match: async (/** @type {any} */ request, /** @type {{ cacheName: string }} */ { cacheName }) => {
    if (!hasStorage) throw new DOMException("denied", "SecurityError");
    return stores.get(cacheName)?.get(addressOf(request))?.clone();
  },
};

beforeEach(() => {
  stores = new Map();
  fetched = [];
  done = [];
  hasStorage = true;
  server = (url) => answer(`from the network: ${url}`);
});

/** @param {object} [site] */
async function start(site = {}) {
  listeners = {};
  const self = {
    SITE: {
      isOn: true,
      version: "0123456789ab",
      scope: "/team/",
      statics: "/team/static/",
      offline: OFFLINE,
      files: ["/team/static/base.css"],
      ...site,
    },
    addEventListener: (/** @type {string} */ name, /** @type {any} */ run) => {
      listeners[name] = run;
    },
    skipWaiting: async () => void done.push("skipWaiting"),
    registration: {
      navigationPreload: { enable: async () => void done.push("preload") },
      unregister: async () => void done.push("unregister"),
    },
  };
  const fetch = async (/** @type {any} */ request) => {
    fetched.push(addressOf(request));
    return server(addressOf(request));
  };
  runInContext(SCRIPT, createContext({ self, caches, fetch, location: new URL(ORIGIN), URL, Response }));
  for (const name of ["install", "activate"]) {
    /** @type {Promise<void>[]} */
    const waits = [];
    listeners[name]?.({ waitUntil: (/** @type {Promise<void>} */ wait) => waits.push(wait) });
    await Promise.all(waits);
  }
}

/**
 * Sends a request through the worker.
 *
 * @param {string} url
 * @param {any} [fields]  of the request and the event
 * @returns {Promise<string | null>} null: the worker left it to the browser
 */
async function sends(url, { mode = "cors", method = "GET", headers = {}, preloadResponse = Promise.resolve() } = {}) {
  /** @type {Promise<Response> | null} */
  let given = null;
  /** @type {Promise<void>[]} */
  const waits = [];
  listeners.fetch?.({
    request: { url: new URL(url, ORIGIN).href, mode, method, headers: new Headers(headers) },
    preloadResponse,
    respondWith: (/** @type {Promise<Response>} */ response) => {
      given = response;
    },
    waitUntil: (/** @type {Promise<void>} */ wait) => waits.push(wait),
  });
  if (given === null) return null;
  const response = await /** @type {Promise<Response>} */ (given);
  await Promise.all(waits);
  return response.type === "error" ? "error" : response.text();
}

const lost = () => {
  throw new TypeError("Failed to fetch");
};
const kept = () => [...(stores.get(NAME)?.keys() ?? [])];

test("it takes over at once, and deletes what an older release of this chat has kept", async () => {
  for (const name of ["hubbub /team/ older", "hubbub /", "hubbub /team/other/ 0123456789ab", "of another app"])
    open(name);
  await start();
  assert.deepEqual(done, ["skipWaiting", "preload"]);
  assert.deepEqual(
    [...stores.keys()].sort(),
    ["hubbub /", "hubbub /team/ 0123456789ab", "hubbub /team/other/ 0123456789ab", "of another app"].sort(),
  );
  assert.deepEqual(kept(), [`${ORIGIN}${OFFLINE}`, `${ORIGIN}/team/static/base.css`]);
});

test("a page comes from the network, and is never kept", async () => {
  await start();
  const before = kept();
  assert.equal(
    await sends("/team/rooms/general/", { mode: "navigate" }),
    `from the network: ${ORIGIN}/team/rooms/general/`,
  );
  const preloadResponse = Promise.resolve(answer("preloaded"));
  assert.equal(await sends("/team/", { mode: "navigate", preloadResponse }), "preloaded");
  assert.equal(fetched.length, 1);
  server = () => answer("an error of the server", "basic", 500);
  assert.equal(await sends("/team/", { mode: "navigate" }), "an error of the server");
  assert.deepEqual(kept(), before);
});

test("without a network the offline page shows, in any way of asking", async () => {
  server = (url) => answer(`kept: ${url}`);
  await start();
  server = lost;
  const preloadResponse = Promise.reject(new TypeError("Failed to fetch"));
  for (const event of [{}, { preloadResponse }]) {
    assert.equal(await sends("/team/account/", { mode: "navigate", ...event }), `kept: ${ORIGIN}${OFFLINE}`);
  }
  assert.equal(await sends("/team/static/base.css"), `kept: ${ORIGIN}/team/static/base.css`);
  hasStorage = false;
  assert.equal(await sends("/team/account/", { mode: "navigate" }), "error");
});

test("a file with a hash is fetched once", async () => {
  await start();
  const first = await sends(hashed());
  server = lost;
  assert.equal(await sends(hashed()), first);
  assert.deepEqual(fetched, [hashed()]);
});

test("past the limit the oldest files go, and the offline page stays", async () => {
  await start();
  for (let number = 0; number < 510; number++) await sends(hashed(number));
  const [offline, style, ...files] = kept();
  assert.deepEqual([offline, style], [`${ORIGIN}${OFFLINE}`, `${ORIGIN}/team/static/base.css`]);
  assert.deepEqual([files.length, files[0], files.at(-1)], [500, hashed(10), hashed(509)]);
});

test("an answer that failed, or came from elsewhere, is not kept", async () => {
  await start();
  const before = kept();
  for (const [type, status] of /** @type {[string, number][]} */ ([
    ["basic", 404],
    ["opaque", 200],
    ["cors", 200],
  ])) {
    server = () => answer("", type, status);
    await sends(hashed());
  }
  assert.deepEqual(kept(), before);
});

test("without storage files come from the network", async () => {
  await start();
  hasStorage = false;
  assert.equal(await sends(hashed()), `from the network: ${hashed()}`);
});

for (const [what, url, fields] of /** @type {[string, string, object][]} */ ([
  ["a stream", "/team/live/events?topic=room%2Fgeneral", {}],
  ["a command", "/team/live/command", { method: "POST" }],
  ["a form", "/team/account/sign-in/", { method: "POST", mode: "navigate" }],
  ["the sign-out", "/team/account/sign-out/", { method: "POST" }],
  ["a fetched page", "/team/", {}],
  ["a picture of a user", "/team/account/pictures/0123456789ab.webp", { mode: "no-cors" }],
  ["a file that may change", "/team/static/chat/js/room.js", {}],
  ["a file of another app", "/static/app.0123456789ab.js", {}],
  ["a file of another host", "https://elsewhere.example.org/team/static/app.0123456789ab.js", {}],
  ["a part of a file", hashed(), { headers: { Range: "bytes=0-9" } }],
])) {
  test(`it leaves ${what} alone`, async () => {
    await start();
    assert.equal(await sends(url, fields), null);
    assert.deepEqual(fetched, []);
  });
}

test("static files of another host are left alone", async () => {
  await start({ statics: "https://static.example.org/", files: [] });
  assert.equal(await sends("https://static.example.org/room.0123456789ab.js"), null);
});

test("switched off it deletes what it kept, leaves all requests alone, and ends", async () => {
  for (const name of [NAME, "hubbub /team/ older", "of another app"]) open(name);
  await start({ isOn: false, version: "", files: [] });
  assert.deepEqual([...stores.keys()], ["of another app"]);
  assert.deepEqual(done, ["skipWaiting", "unregister"]);
  for (const mode of ["navigate", "cors"]) assert.equal(await sends(hashed(), { mode }), null);
});
