import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";

import { settle } from "./browser.js";
import { HubPage } from "./hubs.js";

/** A page with a joined topic. */
async function joined() {
  const page = new HubPage();
  const { topic } = page.open("board/a");
  await page.greet();
  await page.join(0, []);
  page.browser.socket.sent.length = 0;
  return { page, topic };
}

test("a command resolves with its result", async () => {
  const { page, topic } = await joined();
  const result = topic.send("vote", { option: 4 });
  assert.deepEqual(page.sent, [{ type: "vote", topic: "board/a", option: 4 }]);
  await page.answer({ result: { total: 5 } });
  assert.deepEqual(await result, { total: 5 });
  const without = topic.send("vote", { option: 4 });
  await page.answer();
  assert.equal(await without, undefined);
});

test("a command to a topic that is not open is sent without a join", async () => {
  const page = new HubPage();
  const early = page.hub.send("board/b", "vote", { option: 1 });
  await page.greet();
  assert.deepEqual(page.sent, [{ type: "vote", topic: "board/b", option: 1 }]);
  await page.answer({ result: 7 });
  assert.equal(await early, 7);
  const lost = page.hub.send("board/b", "vote");
  page.browser.socket.ends(1006);
  await assert.rejects(lost, { code: "disconnected" });
  page.hub.close();
  await assert.rejects(page.hub.send("board/b", "vote"), { code: "disconnected" });
});

test("a refused command rejects with its code, detail and time to wait", async () => {
  const { page, topic } = await joined();
  const result = topic.send("vote", { option: 4 });
  page.browser.socket.refuses(page.last, "rate_limited", { detail: "too many posts", retry_after_ms: 1200 });
  await assert.rejects(result, (error) => {
    assert.ok(error instanceof Error);
    const { code, detail, retryAfterMs } = /** @type {any} */ (error);
    assert.deepEqual(
      { code, detail, retryAfterMs },
      { code: "rate_limited", detail: "too many posts", retryAfterMs: 1200 },
    );
    return true;
  });
  assert.equal(page.sent.length, 1, "it is the page's to send it again");
});

test("a command in flight when the connection is lost is rejected, and is not sent again", async () => {
  const { page, topic } = await joined();
  const result = topic.send("vote", { option: 4 });
  page.browser.socket.ends(1006);
  await assert.rejects(result, { code: "disconnected" });
  await assert.rejects(topic.send("vote", { option: 4 }), { code: "disconnected" });
  await page.browser.pass(1_000);
  await page.greet();
  assert.deepEqual(
    page.sent.map(({ type }) => type),
    ["join"],
  );
});

test("a command while the hub connects is sent after the join, or rejected when no connection comes", async () => {
  const page = new HubPage();
  const { topic } = page.open("board/a");
  const result = topic.send("vote", { option: 4 });
  await page.greet();
  assert.deepEqual(
    page.sent.map(({ type }) => type),
    ["join", "vote"],
  );
  await page.answer({ result: 1 });
  assert.equal(await result, 1);
  page.browser.socket.ends(1006);
  await page.browser.pass(1_000);
  const lost = topic.send("vote", { option: 5 });
  page.browser.socket.ends(1006);
  await assert.rejects(lost, { code: "disconnected" });
});

// Commands to keep

const KEEP = { keep: true };
/** @param {HubPage} page */
const idsOf = (page) => page.sent.filter(({ type }) => type === "note.add").map(({ id }) => id);

test("commands to keep that are sent offline go out after the next hello, in order, one after another", async () => {
  const { page, topic } = await joined();
  page.browser.socket.ends(1006);
  const results = ["a", "b"].map((id) => topic.send("note.add", { id, text: id }, KEEP));
  await page.browser.pass(1_000);
  await page.greet();
  assert.deepEqual(idsOf(page), ["a"]);
  await page.answer({ result: 1 });
  assert.deepEqual(idsOf(page), ["a", "b"]);
  await page.answer({ result: 2 });
  assert.deepEqual(await Promise.all(results), [1, 2]);
});

test("a command to keep without an answer is sent again with the same id, which is made where there is none", async () => {
  const { page, topic } = await joined();
  const result = topic.send("note.add", { text: "hello" }, KEEP);
  const { id } = page.last;
  assert.match(id, /^[0-9a-f-]{36}$/);
  await page.reconnect();
  assert.deepEqual(idsOf(page), [id]);
  await page.answer({ result: 7 });
  assert.equal(await result, 7);
  await page.reconnect();
  assert.deepEqual(idsOf(page), [], "what was answered is not sent again");
});

test("after rate_limited or unavailable a command to keep is sent again, before the later ones of its topic only", async () => {
  const { page, topic } = await joined();
  page.browser.random = () => 0;
  const other = page.open("board/b").topic;
  await page.join(0, []);
  page.browser.socket.sent.length = 0;
  const results = ["a", "b"].map((id) => topic.send("note.add", { id }, KEEP));
  await page.refuse("rate_limited", { retry_after_ms: 3000 });
  const elsewhere = other.send("note.add", { id: "c" }, KEEP);
  assert.deepEqual(idsOf(page), ["a", "c"]);
  await page.answer({ result: 3 });
  assert.equal(await elsewhere, 3);
  await page.browser.pass(2_999);
  assert.deepEqual(idsOf(page), ["a", "c"]);
  await page.browser.pass(1);
  assert.deepEqual(idsOf(page), ["a", "c", "a"]);
  await page.answer({ result: 1 });
  await page.answer({ result: 2 });
  assert.deepEqual(await Promise.all(results), [1, 2]);
  assert.deepEqual(idsOf(page), ["a", "c", "a", "b"]);
});

test("a command to keep that is refused for good is rejected, and the next one is sent", async () => {
  const { page, topic } = await joined();
  const refused = topic.send("note.add", { id: "a" }, KEEP);
  const next = topic.send("note.add", { id: "b" }, KEEP);
  page.browser.socket.refuses(page.last, "forbidden");
  await assert.rejects(refused, { code: "forbidden" });
  await settle();
  assert.deepEqual(idsOf(page), ["a", "b"]);
  await page.answer({ result: 1 });
  assert.equal(await next, 1);
});

test("sending as the next user of this browser: commands to keep stay with the user of the page", async () => {
  const { page, topic } = await joined();
  const result = topic.send("note.add", { id: "a" }, KEEP);
  page.browser.socket.ends(1006);
  await page.browser.pass(1_000);
  await page.greet({ user: { id: "2", name: "bob" } });
  assert.deepEqual(page.sent, []);
  page.hub.open();
  await page.greet();
  assert.deepEqual(idsOf(page), ["a"]);
  await page.answer({ result: 1 });
  assert.equal(await result, 1);
});

test("a command to keep is sent though its topic was closed meanwhile, and then the topic is forgotten", async () => {
  const { page, topic } = await joined();
  page.browser.socket.ends(1006);
  const result = topic.send("note.add", { id: "a" }, KEEP);
  topic.close();
  await page.browser.pass(1_000);
  await page.greet();
  assert.deepEqual(page.sent, [{ type: "note.add", topic: "board/a", id: "a" }], "the topic is not joined");
  await page.answer({ result: 1 });
  assert.equal(await result, 1);
  await assert.rejects(topic.send("note.add", { id: "b" }, KEEP), { code: "disconnected" });
  await settle();
  page.open("board/a");
  assert.deepEqual(page.sent.at(-1), { type: "join", topic: "board/a" });
});

// Signals

test("a signal that is aborted before the command is sent prevents it", async () => {
  const page = new HubPage();
  const { topic } = page.open("board/a");
  const reason = new Error("the page is left");
  await assert.rejects(topic.send("vote", {}, { signal: AbortSignal.abort(reason) }), reason);
  const [early, kept] = [new AbortController(), new AbortController()];
  const results = [
    topic.send("vote", {}, { signal: early.signal }),
    topic.send("note.add", { id: "a" }, { keep: true, signal: kept.signal }),
  ];
  early.abort(reason);
  kept.abort(reason);
  for (const result of results) await assert.rejects(result, reason);
  await page.greet();
  assert.deepEqual(
    page.sent.map(({ type }) => type),
    ["join"],
  );
});

test("a signal ends the wait for an answer, and a command to keep is not sent again", async () => {
  const { page, topic } = await joined();
  const controller = new AbortController();
  const plain = topic.send("vote", {}, { signal: controller.signal });
  const kept = topic.send("note.add", { id: "a" }, { keep: true, signal: controller.signal });
  const next = topic.send("note.add", { id: "b" }, KEEP);
  assert.deepEqual(idsOf(page), ["a"]);
  controller.abort();
  await assert.rejects(plain, { name: "AbortError" });
  await assert.rejects(kept, { name: "AbortError" });
  await page.reconnect();
  assert.deepEqual(idsOf(page), ["b"]);
  await page.answer({ result: 2 });
  assert.equal(await next, 2);
});

test("a signal that outlives a command is let go of", async () => {
  const { page, topic } = await joined();
  const { signal } = new AbortController();
  const result = topic.send("vote", {}, { signal });
  assert.equal(getEventListeners(signal, "abort").length, 1);
  await page.answer();
  await result;
  await settle();
  assert.equal(getEventListeners(signal, "abort").length, 0);
});
