import assert from "node:assert/strict";
import { test } from "node:test";

import { frame, message } from "./rooms.js";

const { Saves } = await import("../../chat/static/chat/js/saves.js");

/**
 * @param {number} position
 * @param {string} body
 */
const edited = (position, body, seq = 7) => ({ ...frame("message.edited", message(seq, { body })), position });
/** @param {number} position */
const upTo = (position) => (/** @type {number} */ asked) => asked <= position;
const REPLACED = [{ seq: 7, before: "before", text: "by another page" }];

function saving() {
  const saves = new Saves();
  saves.begin(7, "before", "mine");
  return saves;
}

test("a text that was saved at the same moment and replaced is found, in any order of events and answer", () => {
  const early = saving();
  early.take([edited(4, "by another page")]);
  assert.deepEqual(early.settle(upTo(4)), [], "not answered");
  early.answered(7, 5);
  early.take([edited(5, "mine")]);
  assert.deepEqual(early.settle(upTo(5)), REPLACED);
  assert.deepEqual(early.settle(upTo(5)), [], "once");

  const late = saving();
  late.answered(7, 5);
  assert.deepEqual(late.settle(upTo(3)), [], "an earlier change may come");
  late.take([edited(4, "by another page"), edited(5, "mine")]);
  assert.deepEqual(late.settle(upTo(5)), REPLACED);
});

test("a later change replaces nothing unseen, nor does an own one, one of another message, or one of before", () => {
  const saves = saving();
  saves.take([edited(3, "before"), edited(4, "other", 8)]);
  saves.answered(7, 5);
  saves.take([edited(5, "mine"), edited(6, "by another page")]);
  assert.deepEqual(saves.settle(upTo(6)), []);
});

test("an edit that was not saved replaces nothing", () => {
  const saves = saving();
  saves.take([edited(4, "by another page")]);
  saves.failed(7);
  saves.answered(7, 5);
  assert.deepEqual(saves.settle(upTo(9)), []);
});
