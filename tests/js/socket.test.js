import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Lost, Refused, Socket } from "../../hubbub/static/hubbub/js/socket.js";
import { FakeBrowser, settle } from "./browser.js";

let browser, socket, heard;

beforeEach(() => {
  browser = new FakeBrowser();
  heard = { hellos: 0, events: [], states: [] };
  socket = new Socket(
    "/ws/chat/",
    {
      hello: () => heard.hellos++,
      event: (frame) => heard.events.push(frame),
      state: (state, why) => heard.states.push([state, why]),
    },
    browser,
  );
});

function connect() {
  socket.open();
  browser.socket.greets();
}

const state = () => browser.root.dataset.state;
const lastWhy = () => heard.states.at(-1)[1];
const post = (id) => ({ type: "message.post", id, room: "general", body: "hi" });

test("connecting, open and offline are told on the root element", () => {
  socket.open();
  assert.equal(state(), "connecting");
  browser.socket.greets();
  assert.equal(state(), "open");
  browser.socket.ends(1006);
  assert.equal(state(), "offline");
});

test("an answer finds its request by ref, whatever the order", async () => {
  connect();
  const one = socket.request({ type: "room.join", room: "a" });
  const other = socket.request({ type: "room.join", room: "b" });
  const [first, second] = browser.socket.sent;
  browser.socket.answers(second, { position: 2 });
  browser.socket.answers(first, { position: 1 });
  assert.equal((await one).position, 1);
  assert.equal((await other).position, 2);
});

test("an error answer rejects with its code and leaves the socket open", async () => {
  connect();
  const request = socket.request({ type: "room.join", room: "secret" });
  browser.socket.refuses(browser.socket.sent[0], "not_found");
  await assert.rejects(request, (error) => error instanceof Refused && error.code === "not_found");
  assert.equal(state(), "open");
});

test("frames without a request go to the page, what is no JSON to nobody", () => {
  connect();
  browser.socket.says({ type: "message.posted", position: 1 });
  browser.socket.onmessage({ data: "{" });
  assert.deepEqual(heard.events, [{ type: "message.posted", position: 1 }]);
});

test("a request is lost with its connection, and refused without one", async () => {
  await assert.rejects(socket.request({ type: "ping" }), Lost);
  connect();
  const request = socket.request({ type: "room.join", room: "a" });
  browser.socket.ends(1006);
  await assert.rejects(request, Lost);
});

test("back-off doubles from half a second to twenty", async () => {
  socket.open();
  for (const waitMs of [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]) {
    const tries = browser.sockets.length;
    browser.socket.ends(1006);
    await browser.pass(waitMs - 1);
    assert.equal(browser.sockets.length, tries, `no try before ${waitMs} ms`);
    await browser.pass(1);
    assert.equal(browser.sockets.length, tries + 1, `a try after ${waitMs} ms`);
  }
});

test("back-off has full jitter", async () => {
  browser.random = () => 0.1;
  socket.open();
  browser.socket.ends(1006);
  await browser.pass(50);
  assert.equal(browser.sockets.length, 2);
});

test("a server that greets and drops at once is not stormed", async () => {
  connect();
  for (const waitMs of [500, 1000, 2000]) {
    browser.socket.ends(1011);
    await browser.pass(waitMs - 1);
    const tries = browser.sockets.length;
    await browser.pass(1);
    assert.equal(browser.sockets.length, tries + 1);
    browser.socket.greets();
  }
});

test("a connection that lasted lets the back-off begin anew", async () => {
  socket.open();
  for (let tries = 0; tries < 6; tries++) {
    browser.socket.ends(1006);
    await browser.pass(20_000);
  }
  browser.socket.greets();
  await browser.pass(6_000);
  browser.socket.ends(1006);
  const tries = browser.sockets.length;
  await browser.pass(500);
  assert.equal(browser.sockets.length, tries + 1);
});

test("one restart after another, as of many processes in turn, does not make the wait longer", async () => {
  connect();
  for (let restarts = 1; restarts <= 6; restarts++) {
    browser.socket.ends(1012);
    await browser.pass(500);
    assert.equal(browser.sockets.length, 1 + restarts);
    browser.socket.greets();
  }
});

test("the network's return and somebody looking end the wait", async () => {
  socket.open();
  browser.socket.ends(1006);
  browser.wake();
  assert.equal(browser.sockets.length, 2);
  browser.wake();
  assert.equal(browser.sockets.length, 2, "a try under way is not doubled");
});

for (const code of [4001, 4002, 4004, 4005, 4008, 4009]) {
  test(`after ${code} it stays away until asked`, async () => {
    connect();
    browser.socket.ends(code, "Why");
    assert.deepEqual(lastWhy(), { code, reason: "Why", final: true });
    await browser.pass(60_000);
    browser.wake();
    assert.equal(browser.sockets.length, 1);
    socket.open();
    assert.equal(browser.sockets.length, 2);
  });
}

for (const code of [1006, 1011, 1012, 4101, 4103]) {
  test(`after ${code} it comes back`, async () => {
    connect();
    browser.socket.ends(code);
    await browser.pass(500);
    assert.equal(browser.sockets.length, 2);
  });
}

test("after 4102 it leaves the server alone for a while, whoever looks, and then sends what was kept", async () => {
  connect();
  const answer = socket.enqueue(post("a"));
  browser.socket.refuses(browser.socket.sent[0], "rate_limited", { retry_after_ms: 3000 });
  browser.socket.ends(4102);
  await browser.pass(4_999);
  browser.wake();
  assert.equal(browser.sockets.length, 1);
  assert.equal(lastWhy().final, false);
  await browser.pass(501);
  assert.equal(browser.sockets.length, 2);
  browser.socket.greets();
  await settle();
  assert.deepEqual(
    browser.socket.sent.map(({ id }) => id),
    ["a"],
  );
  browser.socket.answers(browser.socket.sent[0], { seq: 1 });
  assert.equal((await answer).seq, 1);
});

test("refused while it opens (no such poll), the page is told why and does not come back for ever", async () => {
  connect();
  browser.socket.says({ type: "error", code: "not_found", detail: "no such poll" });
  browser.socket.ends(4006, "Refused");
  assert.equal(lastWhy().final, true);
  assert.equal(lastWhy().error.detail, "no such poll");
  await browser.pass(600_000);
  browser.wake();
  assert.equal(browser.sockets.length, 1);
});

test("refused while it opens for being too often, it waits as long as it is told", async () => {
  connect();
  browser.socket.says({ type: "error", code: "rate_limited", detail: "too many polls", retry_after_ms: 30_000 });
  browser.socket.ends(4102, "Refused");
  assert.equal(lastWhy().final, false);
  await browser.pass(29_999);
  browser.wake();
  assert.equal(browser.sockets.length, 1);
  await browser.pass(502);
  assert.equal(browser.sockets.length, 2);
  browser.socket.greets();
  browser.socket.ends(1006);
  assert.equal(lastWhy().error, undefined);
});

test("after 4003 it tries once more: the session may have been renewed", async () => {
  connect();
  browser.socket.ends(4003);
  await browser.pass(999);
  assert.equal(browser.sockets.length, 1, "the answer with the new session may be under way");
  await browser.pass(501);
  assert.equal(browser.sockets.length, 2);
  browser.socket.ends(4003);
  await browser.pass(60_000);
  assert.equal(browser.sockets.length, 2);
  assert.equal(lastWhy().final, true);
});

test("without a session the sign-in is shown at once", async () => {
  socket.open();
  browser.socket.says({ type: "auth.required", within_ms: 5000 });
  assert.equal(browser.signIns, 1);
  await browser.pass(60_000);
  assert.equal(browser.sockets.length, 1);
});

test("a server that never greets is tried anew", async () => {
  socket.open();
  await browser.pass(13_000);
  assert.equal(browser.sockets[0].closed, true);
  assert.equal(browser.sockets.length, 2);
});

test("silence is answered with a ping, and more silence with a new connection", async () => {
  connect();
  await browser.pass(19_999);
  assert.equal(browser.socket.sent.length, 0);
  await browser.pass(1);
  assert.equal(browser.socket.sent[0].type, "ping");
  await browser.pass(8_000);
  assert.equal(state(), "offline");
  assert.equal(browser.socket.closed, true);
  await browser.pass(500);
  assert.equal(browser.sockets.length, 2);
});

test("a pong, or anything else that comes, keeps the connection", async () => {
  connect();
  for (let round = 0; round < 5; round++) {
    await browser.pass(20_000);
    browser.socket.says({ type: "pong", ref: browser.socket.sent.at(-1).ref });
    await browser.pass(7_000);
  }
  assert.equal(browser.sockets.length, 1);
  assert.equal(state(), "open");
});

test("a computer that slept pings first and does not believe its old timer", async () => {
  connect();
  await browser.pass(20_000);
  assert.equal(browser.socket.sent.length, 1);
  browser.sleep(3_600_000);
  browser.wake();
  assert.equal(state(), "open");
  assert.equal(browser.socket.sent.length, 2, "asks again after waking");
  await browser.pass(8_000);
  assert.equal(state(), "offline", "and notices within seconds");
});

test("what a dead connection still says is not heard", async () => {
  connect();
  const dead = browser.socket;
  await browser.pass(28_500);
  dead.says({ type: "message.posted" });
  dead.ends(1006);
  assert.deepEqual(heard.events, []);
  assert.equal(browser.sockets.length, 2);
});

test("what was written offline is sent after the hello, in order, one after another", async () => {
  const answers = [socket.enqueue(post("a")), socket.enqueue(post("b"))];
  connect();
  await settle();
  assert.deepEqual(
    browser.socket.sent.map(({ id }) => id),
    ["a"],
  );
  browser.socket.answers(browser.socket.sent[0], { seq: 1 });
  await settle();
  assert.deepEqual(
    browser.socket.sent.map(({ id }) => id),
    ["a", "b"],
  );
  browser.socket.answers(browser.socket.sent[1], { seq: 2 });
  assert.deepEqual(
    (await Promise.all(answers)).map(({ seq }) => seq),
    [1, 2],
  );
});

test("a post whose answer was lost is sent again with the same id", async () => {
  connect();
  const answer = socket.enqueue(post("a"));
  browser.socket.ends(1006);
  await browser.pass(500);
  browser.socket.greets();
  await settle();
  assert.deepEqual(
    browser.socket.sent.map(({ id }) => id),
    ["a"],
  );
  browser.socket.answers(browser.socket.sent[0], { seq: 7 });
  assert.equal((await answer).seq, 7);
  browser.socket.ends(1006);
  await browser.pass(1000);
  browser.socket.greets();
  await settle();
  assert.deepEqual(browser.socket.sent, [], "what was answered is not sent again");
});

test("sending as the next user of this browser: what one has written is not sent when another is admitted", async () => {
  let isMine = true;
  const alices = new Socket("/ws/chat/", { hello: () => isMine }, browser);
  alices.open();
  browser.socket.greets();
  const answer = alices.enqueue(post("a"));
  browser.socket.refuses(browser.socket.sent[0], "rate_limited", { retry_after_ms: 3000 });
  browser.socket.ends(4003);
  await browser.pass(1_500);
  isMine = false;
  browser.socket.greets({ user: { id: "2", name: "bob" } });
  await settle();
  assert.deepEqual(browser.socket.sent, []);
  assert.equal(browser.socket.closed, true);
  await browser.pass(60_000);
  browser.wake();
  assert.equal(browser.sockets.length, 2);
  assert.equal(state(), "offline");
  await assert.rejects(alices.request({ type: "message.delete", room: "general", seq: 1 }), Lost);
  isMine = true;
  alices.open();
  browser.socket.greets();
  await settle();
  assert.deepEqual(
    browser.socket.sent.map(({ id }) => id),
    ["a"],
    "it is still Alice's to send",
  );
  browser.socket.answers(browser.socket.sent[0], { seq: 1 });
  assert.equal((await answer).seq, 1);
});

test("a page that closes its socket at the hello keeps what it has for the next one", async () => {
  const closing = new Socket("/ws/chat/", { hello: () => closing.close() }, browser);
  const answer = closing.enqueue(post("a"));
  closing.open();
  browser.socket.greets();
  await browser.pass(60_000); // Would never end if the queue went on without a connection.
  assert.deepEqual(browser.socket.sent, []);
  assert.equal(await Promise.race([answer, settle()]), undefined, "neither answered nor given up");
});

test("rate_limited is waited out as long as it says, and nothing overtakes", async () => {
  connect();
  browser.random = () => 0;
  const answers = [socket.enqueue(post("a")), socket.enqueue(post("b"))];
  browser.socket.refuses(browser.socket.sent[0], "rate_limited", { retry_after_ms: 3000 });
  await browser.pass(2_999);
  assert.equal(browser.socket.sent.length, 1);
  await browser.pass(1);
  assert.equal(browser.socket.sent[1].id, "a");
  browser.socket.answers(browser.socket.sent[1]);
  await settle();
  browser.socket.answers(browser.socket.sent[2]);
  await Promise.all(answers);
  assert.deepEqual(
    browser.socket.sent.map(({ id }) => id),
    ["a", "a", "b"],
  );
});

test("a refused post is not sent again, and the next one goes", async () => {
  connect();
  const refused = socket.enqueue(post("a"));
  const next = socket.enqueue(post("b"));
  browser.socket.refuses(browser.socket.sent[0], "forbidden");
  await assert.rejects(refused, { code: "forbidden" });
  await settle();
  browser.socket.answers(browser.socket.sent[1]);
  await next;
  assert.deepEqual(
    browser.socket.sent.map(({ id }) => id),
    ["a", "b"],
  );
});

test("what was too big for the server is given up, what stood behind it is not", async () => {
  connect();
  const big = socket.enqueue(post("big"));
  const small = socket.enqueue(post("small"));
  browser.socket.ends(1009);
  await assert.rejects(big, { code: "too_long" });
  await browser.pass(500);
  browser.socket.greets();
  await settle();
  assert.deepEqual(
    browser.socket.sent.map(({ id }) => id),
    ["small"],
  );
  browser.socket.answers(browser.socket.sent[0]);
  await small;
});

test("what is over the announced limit is refused before it is sent", async () => {
  connect();
  await assert.rejects(socket.enqueue({ ...post("a"), body: "ä".repeat(33_000) }), { code: "too_long" });
  assert.equal(browser.socket.sent.length, 0);
  assert.equal(state(), "open");
});
