import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { StreamSocket } from "../../hubbub/static/hubbub/js/stream-socket.js";
import { settle } from "./browser.js";

const HELLO = { type: "hello", stream: "s", csrf: "token", user: { id: "1", name: "ada" } };
const ID = "room/general:e1:5,room/%C3%A4:e2:7";

/** @type {{ address: string, options: any }[]} */
let requests;
/** @type {ReadableStreamDefaultController} */
let stream;
/** @type {any[]} */
let frames;
/** @type {any[]} */
let closes;
/** @type {(() => void)[]} */
let timers;
/** @type {{ id: string }} */
let memory;
/** @type {StreamSocket} */
let socket;

beforeEach(async () => {
  memory = { id: ID };
  await open();
});

async function open(status = 200) {
  [requests, frames, closes, timers] = [[], [], [], []];
  const fetch = async (/** @type {string} */ address, /** @type {any} */ options) => {
    requests.push({ address, options });
    if (!address.includes("/events")) return Response.json({ type: "accepted" }, { status: 202 });
    const body = new ReadableStream({
      start(controller) {
        stream = controller;
      },
    });
    return status === 200 ? new Response(body) : Response.json({ type: "error", code: "invalid" }, { status });
  };
  const env = { fetch, now: () => 0, random: () => 0, clearTimeout: () => {} };
  const setTimer = (/** @type {() => void} */ run) => timers.push(run);
  socket = new StreamSocket("/live/", { ...env, setTimeout: setTimer }, memory);
  socket.onmessage = ({ data }) => frames.push(JSON.parse(data));
  socket.onclose = ({ code, reason }) => closes.push([code, reason]);
  if (status === 200) await says(HELLO);
  else await settle();
  frames.shift();
}

/** @param {object[]} blocks */
async function says(...blocks) {
  for (const block of blocks) stream.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(block)}\n\n`));
  await settle();
}

const ok = (/** @type {number} */ ref, more = {}) => ({
  type: "ok",
  ref,
  topic: "room/general",
  epoch: "e1",
  position: 6,
  complete: true,
  events: [],
  ...more,
});
const event = { type: "posted", topic: "room/general", position: 7 };
const join = (more = {}) =>
  socket.send(JSON.stringify({ type: "join", topic: "room/general", after: 5, epoch: "e1", ref: 9, ...more }));
const posted = () => requests.slice(1).map(({ options }) => JSON.parse(options.body));

test("the next stream names the topics of the last one, and the id that it sent", () => {
  const [{ address, options }] = requests;
  assert.equal(address, "/live/events?topic=room%2Fgeneral&topic=room%2F%C3%A4");
  assert.equal(options.headers["Last-Event-ID"], ID);
});

test("a join is answered by that of the address, before or after it came, and then by what followed", async () => {
  await says(ok(0), event);
  assert.deepEqual(frames, []);
  join();
  assert.deepEqual(frames.splice(0), [ok(9), event]);
  socket.send(JSON.stringify({ type: "join", topic: "room/ä", after: 8, epoch: "e2", ref: 10 }));
  const more = { topic: "room/ä", epoch: "e2", complete: false, state: 1 };
  await says(ok(1, more), { ...event, position: 8 });
  assert.deepEqual(frames, [ok(10, more), { ...event, position: 8 }]);
  assert.deepEqual(posted(), []);
});

test("a refused topic is refused to its join", async () => {
  await says({ type: "error", ref: 0, code: "not_found", detail: "gone" });
  join();
  assert.deepEqual(frames, [{ type: "error", ref: 9, code: "not_found", detail: "gone" }]);
});

test("answers in part answer one join each", async () => {
  await says(ok(0, { partial: true }), ok(0, { position: 7 }), event);
  join();
  assert.deepEqual(frames.splice(0), [ok(9, { partial: true })]);
  join({ after: 6, ref: 10 });
  assert.deepEqual(frames, [ok(10, { position: 7 }), event]);
});

test("commands of the client have other refs than the topics of the address", async () => {
  socket.send(JSON.stringify({ type: "wave", topic: "room/general", ref: 1 }));
  await settle();
  assert.equal(posted()[0].ref, 3);
  await says({ type: "ok", ref: 3, result: null });
  assert.deepEqual(frames, [{ type: "ok", ref: 1, result: null }]);
});

test("topics that are not asked for are left", async () => {
  join();
  await says(ok(0), ok(1, { topic: "room/ä" }));
  timers[0]();
  await settle();
  assert.deepEqual(posted(), [{ type: "leave", topic: "room/ä", ref: "left" }]);
  await says(event);
  assert.deepEqual(frames.at(-1), event);
});

test("a client that knows less than the id begins again without it", async () => {
  await says(ok(0));
  join({ after: 3 });
  assert.deepEqual([closes, memory.id], [[[1006, "Positions differ"]], ""]);
  await open();
  assert.equal(requests[0].address, "/live/events");
  assert.equal(requests[0].options.headers["Last-Event-ID"], undefined);
  join({ after: 3 });
  await settle();
  assert.deepEqual(posted(), [{ type: "join", topic: "room/general", after: 3, epoch: "e1", ref: 9 }]);
});

test("the id is remembered as it comes, and forgotten with the sign-in", async () => {
  stream.enqueue(new TextEncoder().encode("id: room/general:e1:6\n\n"));
  await settle();
  assert.equal(memory.id, "room/general:e1:6");
  stream.enqueue(new TextEncoder().encode('event: close\ndata: {"code":4003,"reason":"Session ended"}\n\n'));
  await settle();
  assert.equal(memory.id, "");
  for (const status of [400, 401]) {
    memory.id = ID;
    await open(status);
    assert.equal(memory.id, "");
  }
});
