import assert from "node:assert/strict";
import { test } from "node:test";

import { run } from "../../hubbub/static/hubbub/js/admin-steps.js";

/**
 * Runs an action: what was shown of the server's answers, and how it ended.
 *
 * @param {(string | Error | null)[]} answers  in turn
 * @param {(shown: string[]) => boolean} isStopped
 */
async function answersOf(answers, isStopped = () => false) {
  /** @type {string[]} */
  const shown = [];
  const send = async () => {
    const answer = answers.shift() ?? null;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const end = await run({ send, show: (page) => shown.push(page), isStopped: () => isStopped(shown) });
  return { shown, end, left: answers };
}

test("steps are sent one after another until the action has ended, and each is shown", async () => {
  assert.deepEqual(await answersOf(["300 of 1,000", "600 of 1,000", null]), {
    shown: ["300 of 1,000", "600 of 1,000"],
    end: "ended",
    left: [],
  });
});

test("after Stop the step that runs is waited for, and none is sent after it", async () => {
  const found = await answersOf(["300 of 1,000", "600 of 1,000", null], (shown) => shown.length === 1);
  assert.deepEqual(found, { shown: ["300 of 1,000"], end: "stopped", left: ["600 of 1,000", null] });
});

test("Stop during the last step is the end", async () => {
  assert.equal((await answersOf([null], () => true)).end, "ended");
});

test("a step without an answer is not sent again by itself", async () => {
  const found = await answersOf(["300 of 1,000", new Error("offline"), null]);
  assert.deepEqual(found, { shown: ["300 of 1,000"], end: "lost", left: [null] });
});
