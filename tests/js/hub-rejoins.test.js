// A topic that is joined, and joined again: the page and the server agree whether it still is.

import assert from "node:assert/strict";
import { test } from "node:test";

import { HubPage, noted } from "./hubs.js";

async function joined() {
  const page = new HubPage();
  const board = page.open("board/a");
  await page.greet();
  await page.join(3, []);
  board.taken();
  board.topic.join();
  return { page, board };
}

for (const code of ["unavailable", "conflict", "not_yet"]) {
  test(`a further join that is refused as ${code} for some time leaves the topic joined, and is tried again`, async () => {
    const { page, board } = await joined();
    await page.refuse(code, { retry_after_ms: 2000 });
    await page.say(noted(4));
    assert.deepEqual(board.taken(), [["event", noted(4)]]);
    assert.equal(board.topic.isJoined, true);
    await page.browser.pass(4_000);
    assert.deepEqual(page.sent.at(-1), { type: "join", topic: "board/a", after: 4, epoch: "e1" });
    await page.resume(5, [noted(5)]);
    assert.equal(board.topic.isJoined, true);
    board.topic.close();
    assert.equal(page.last.type, "leave");
  });
}

for (const code of ["too_long", "invalid", "too_many"]) {
  test(`a further join that is refused as ${code} for good closes the topic, which the server has left`, async () => {
    const { page, board } = await joined();
    await page.refuse(code);
    assert.deepEqual(board.taken(), [["closed", code]]);
    assert.equal(board.topic.isJoined, false);
    await page.browser.pass(15_000);
    board.topic.close();
    assert.deepEqual(
      page.sent.map(({ type }) => type),
      ["join", "join"],
    );
  });
}
