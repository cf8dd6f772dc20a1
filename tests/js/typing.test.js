import assert from "node:assert/strict";
import { test } from "node:test";
import { AGAIN_MS, GONE_MS, Typing } from "../../chat/static/chat/js/typing.js";
import { ALICE, BOB, frame, message } from "./rooms.js";

/** @import { Person } from "../../hubbub/static/hubbub/js/types.js" */

/** A page of Alice with a clock that the test moves. */
class Page {
  now = 0;
  told = 0;
  shown = "";
  /** @type {Map<number, { at: number, run: () => void }>} */
  #timers = new Map();
  #next = 1;
  /** @type {() => Promise<unknown>} */
  answer = async () => {};
  typing = new Typing(
    {
      me: ALICE.id,
      tell: () => {
        this.told += 1;
        return this.answer();
      },
      show: (text) => {
        this.shown = text.replace(/[\u2068\u2069]/g, "");
      },
    },
    {
      now: () => this.now,
      setTimeout: (run, ms) => {
        this.#timers.set(this.#next, { at: this.now + ms, run });
        return this.#next++;
      },
      clearTimeout: (timer) => this.#timers.delete(timer),
    },
  );

  /** @param {number} ms */
  wait(ms) {
    this.now += ms;
    for (const [key, { at, run }] of this.#timers) {
      if (at > this.now) continue;
      this.#timers.delete(key);
      run();
    }
  }

  get waiting() {
    return this.#timers.size;
  }

  /** @param {Person[]} users */
  hear(...users) {
    this.typing.take(users.map((user) => ({ type: "room.typing", topic: "room/general", user })));
  }
}

test("typing is told at once, and again every five seconds while it lasts", () => {
  const page = new Page();
  for (let ms = 0; ms < 2 * AGAIN_MS; ms += 100) {
    page.typing.typed("Hel");
    page.wait(100);
  }
  assert.equal(page.told, 2);
  page.typing.sent();
  page.typing.typed("N");
  assert.equal(page.told, 3);
});

test("an empty field is no typing, and a refusal is nobody's trouble", async () => {
  const page = new Page();
  page.answer = () => Promise.reject(new Error("busy"));
  page.typing.typed("  ");
  assert.equal(page.told, 0);
  page.typing.typed("a");
  assert.equal(page.told, 1);
  await new Promise((resolve) => setImmediate(resolve));
});

test("others are shown until they have not typed for eight seconds", () => {
  const page = new Page();
  page.hear(BOB);
  assert.equal(page.shown, "bob is typing…");
  page.wait(AGAIN_MS);
  page.hear(BOB);
  page.wait(GONE_MS - 1);
  assert.equal(page.shown, "bob is typing…");
  page.wait(1);
  assert.deepEqual([page.shown, page.waiting], ["", 0]);
});

test("the line ends at once when the message comes", () => {
  const page = new Page();
  page.hear(BOB, { id: "3", name: "cleo" });
  assert.equal(page.shown, "bob and cleo are typing…");
  page.typing.take([frame("message.posted", message(1))]);
  assert.equal(page.shown, "cleo is typing…");
  page.typing.take([frame("message.edited", message(1, { user: { id: "3", name: "cleo" } }))]);
  assert.equal(page.shown, "cleo is typing…");
});

test("many are only counted, and one's own typing is not shown", () => {
  const page = new Page();
  page.hear(ALICE, { id: null, name: "" });
  assert.equal(page.shown, "");
  page.hear(BOB, { id: "3", name: "cleo" }, { id: "4", name: "dan" });
  assert.equal(page.shown, "Several people are typing…");
  page.typing.clear();
  assert.deepEqual([page.shown, page.waiting], ["", 0]);
});
