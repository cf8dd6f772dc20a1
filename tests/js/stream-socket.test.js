import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { StreamSocket } from "../../hubbub/static/hubbub/js/stream-socket.js";
import { settle } from "./browser.js";

const HELLO = { type: "hello", connection: "web-1:7", stream: "s+7", csrf: "token", user: { id: "1", name: "ada" } };

/** The server's side of one request. */
class Request {
  /**
   * @param {string} address
   * @param {RequestInit} options
   */
  constructor(address, options) {
    this.address = address;
    this.options = options;
    this.headers = /** @type {Record<string, string>} */ (options.headers);
    /** @type {Promise<Response>} */
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.fails = () => reject(new TypeError("network"));
    });
    this.body = new ReadableStream({ start: (controller) => (this.controller = controller) });
  }

  streams() {
    this.resolve(new Response(this.body));
  }

  /** @param {string} text */
  writes(text) {
    this.controller.enqueue(new TextEncoder().encode(text));
  }

  /**
   * @param {number} status
   * @param {object | string} body
   */
  answers(status, body) {
    this.resolve(new Response(typeof body === "string" ? body : JSON.stringify(body), { status }));
  }
}

/** @type {Request[]} */
let requests;
/** @type {any[]} */
let frames;
/** @type {any[]} */
let closes;
/** @type {StreamSocket} */
let socket;
let now = 0;
/** @type {(() => void)[]} */
let timers;

beforeEach(() => open());

function open() {
  requests = [];
  frames = [];
  closes = [];
  timers = [];
  now = 0;
  socket = new StreamSocket("https://example.org/live/", {
    fetch(address, options) {
      const request = new Request(address, options);
      requests.push(request);
      return request.answer;
    },
    now: () => now,
    setTimeout: (run) => timers.push(run),
    clearTimeout: (timer) => void delete timers[Number(timer) - 1],
    random: () => 0,
  });
  socket.onmessage = ({ data }) => frames.push(JSON.parse(data));
  socket.onclose = ({ code, reason }) => closes.push({ code, reason });
}

async function greet() {
  requests[0].streams();
  requests[0].writes(`data: ${JSON.stringify(HELLO)}\n\n`);
  await settle();
}

test("the stream is asked for as the page's own, and its frames are delivered whole", async () => {
  assert.equal(requests[0].address, "https://example.org/live/events");
  assert.equal(requests[0].options.method, "POST"); // A POST always carries an Origin.
  await greet();
  requests[0].writes('data: {"type":"one"}\n\nid: a:b:1\n\n:\n\ndata: {"ty');
  await settle();
  requests[0].writes('pe":"two"}\n\n');
  await settle();
  assert.deepEqual(frames, [HELLO, { type: "one" }, { type: "two" }]);
});

test("a command is answered in its body, with the token of the stream", async () => {
  await greet();
  socket.send('{"type":"vote","topic":"poll/7","ref":3}');
  await settle();
  const [, post] = requests;
  assert.equal(post.address, "https://example.org/live/command?stream=s%2B7");
  assert.equal(post.headers["X-CSRFToken"], "token");
  post.answers(200, { type: "ok", ref: 3 });
  await settle();
  assert.deepEqual(frames.at(-1), { type: "ok", ref: 3 });
});

test("commands of one topic are sent one after another, those of another at once", async () => {
  await greet();
  for (const [ref, topic] of [
    [1, "a"],
    [2, "a"],
    [3, "b"],
  ])
    socket.send(JSON.stringify({ type: "x", topic, ref }));
  await settle();
  const refs = () => requests.slice(1).map(({ options }) => JSON.parse(String(options.body)).ref);
  assert.deepEqual(refs(), [1, 3]);
  requests[1].answers(400, { type: "error", code: "invalid", detail: "no" });
  await settle();
  assert.deepEqual(refs(), [1, 3, 2]);
  assert.deepEqual(frames.at(-1), { ref: 1, type: "error", code: "invalid", detail: "no" });
});

test("an answer that comes over the stream may be early, and one that does not come ends the connection", async () => {
  await greet();
  socket.send('{"type":"join","topic":"a","ref":1}');
  await settle();
  requests[0].writes('data: {"type":"ok","ref":1,"topic":"a"}\n\n');
  await settle();
  requests[1].answers(202, { type: "accepted" });
  await settle();
  assert.equal(timers.length, 0);
  socket.send('{"type":"join","topic":"b","ref":2}');
  await settle();
  requests[2].answers(202, { type: "accepted" });
  await settle();
  timers[0]();
  assert.deepEqual(closes, [{ code: 1006, reason: "No answer" }]);
});

test("the close of the server has its code, and an end without one is abnormal", async () => {
  await greet();
  requests[0].writes('event: close\ndata: {"code":1012,"reason":"Restart"}\n\n');
  await settle();
  assert.deepEqual(closes, [{ code: 1012, reason: "Restart" }]);
  open();
  await greet();
  requests[0].controller.close();
  await settle();
  assert.deepEqual(closes, [{ code: 1006, reason: "" }]);
});

test("without a session the page may send a token", async () => {
  requests[0].answers(401, { type: "error", code: "unauthorized", detail: "sign in" });
  await settle();
  assert.equal(frames[0].type, "auth.required");
  socket.send('{"type":"auth","token":"hub_1_x"}');
  assert.equal(requests[1].headers.Authorization, "Bearer hub_1_x");
  requests[1].answers(401, { type: "error", code: "unauthorized", detail: "the token is not valid" });
  await settle();
  assert.deepEqual(closes, [{ code: 4001, reason: "the token is not valid" }]);
});

test("refusals have the close code of a socket, other answers are a lost connection", async () => {
  for (const [status, body, code] of /** @type {[number, object | string, number][]} */ ([
    [403, { type: "error", code: "forbidden", detail: "no" }, 4005],
    [429, { type: "error", code: "rate_limited", detail: "no" }, 4102],
    [503, { type: "error", code: "unavailable", detail: "no" }, 4103],
    [404, "<html>", 1006],
    [502, "<html>", 1006],
  ])) {
    open();
    requests[0].answers(status, body);
    await settle();
    assert.equal(closes[0].code, code);
  }
});

test("a command that is lost, signed out or has an old token ends the connection", async () => {
  for (const end of [
    (/** @type {Request} */ post) => post.fails(),
    (/** @type {Request} */ post) => post.answers(502, "<html>"),
    (/** @type {Request} */ post) => post.answers(401, { type: "error", code: "unauthorized", detail: "" }),
    (/** @type {Request} */ post) => post.answers(403, { type: "error", code: "csrf", detail: "" }),
  ]) {
    open();
    await greet();
    socket.send('{"type":"vote","topic":"a","ref":1}');
    await settle();
    end(requests[1]);
    await settle();
    assert.deepEqual(closes, [{ code: 1006, reason: "" }]);
  }
});

test("line separators of Unicode are part of a text", async () => {
  await greet();
  const event = {
    type: "message.posted",
    topic: "room/general",
    position: 7,
    body: "one\u2028two\u2029three\u0085four",
  };
  requests[0].writes(`data: ${JSON.stringify(event)}\n\n`);
  await settle();
  assert.deepEqual(frames.at(-1), event);
  requests[0].writes('data: {"type":"x","body":"\u2028event: close\u2028"}\n\n');
  await settle();
  assert.equal(frames.at(-1).type, "x");
  assert.deepEqual(closes, []);
});

test("an error of the page is reported, and ends no connection", async () => {
  /** @type {unknown[]} */
  const reported = [];
  const before = globalThis.reportError;
  globalThis.reportError = (error) => reported.push(error);
  try {
    await greet();
    const error = new Error("of the page");
    const take = socket.onmessage;
    socket.onmessage = () => {
      throw error;
    };
    requests[0].writes('data: {"type":"one"}\n\n');
    await settle();
    assert.deepEqual([reported, closes], [[error], []]);
    socket.onmessage = take;
    requests[0].writes('data: {"type":"two"}\n\n');
    await settle();
    assert.deepEqual(frames.at(-1), { type: "two" });
  } finally {
    globalThis.reportError = before;
  }
});

test("a site with a long heartbeat is alive for that long", async () => {
  requests[0].streams();
  requests[0].writes(`data: ${JSON.stringify({ ...HELLO, heartbeat_ms: 300_000 })}\n\n`);
  await settle();
  now += 299_000;
  socket.send('{"type":"ping","ref":9}');
  await settle();
  assert.deepEqual(frames.at(-1), { type: "pong", ref: 9 });
});

test("a ping is answered while the stream is alive", async () => {
  await greet();
  now += 10_000;
  socket.send('{"type":"ping","ref":9}');
  await settle();
  assert.deepEqual(frames.at(-1), { type: "pong", ref: 9 });
  now += 30_000;
  socket.send('{"type":"ping","ref":10}');
  await settle();
  assert.equal(frames.at(-1).ref, 9);
});

test("a stream that ends during a request ends it too, and nothing is left", async () => {
  await greet();
  for (const ref of [1, 2]) socket.send(`{"type":"vote","topic":"a","ref":${ref}}`);
  await settle();
  requests[0].controller.close();
  await settle();
  assert.deepEqual(closes, [{ code: 1006, reason: "" }]);
  assert.equal(/** @type {AbortSignal} */ (requests[1].options.signal).aborted, true);
  requests[1].fails();
  await settle();
  assert.deepEqual([requests.length, closes.length, socket.bufferedAmount], [2, 1, 0]);
});

test("a closed one lets go of its request and says nothing more", async () => {
  await greet();
  socket.close();
  assert.equal(/** @type {AbortSignal} */ (requests[0].options.signal).aborted, true);
  assert.deepEqual(closes, []);
});
