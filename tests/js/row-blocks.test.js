import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { MAX_ROWS, RowBlocks } from "../../chat/static/chat/js/row-blocks.js";

/** @import { Row } from "../../chat/static/chat/js/types.js" */

/** @type {Map<string, Row>} rows that stay are the same objects */
const made = new Map();
/** @param {string} key */
function row(key) {
  const one = made.get(key) ?? /** @type {Row} */ (/** @type {unknown} */ ({ kind: key.split("-")[0], key }));
  made.set(key, one);
  return one;
}
/** @param {number} first @param {number} count */
const messages = (first, count) => Array.from({ length: count }, (_, index) => row(`message-${first + index}`));
/** @param {ReturnType<RowBlocks["of"]>} blocks @returns {Map<string, string>} */
const places = (blocks) => new Map(blocks.flatMap(({ key, rows }) => rows.map((one) => [one.key, key])));

test("lines of days stand alone, and other rows in blocks of a few dozen", () => {
  const rows = [
    row("older"),
    row("day-1"),
    ...messages(0, 2 * MAX_ROWS + 1),
    row("day-2"),
    row("new"),
    row("pending-9"),
  ];
  const blocks = new RowBlocks().of(rows);
  assert.deepEqual(
    blocks.map(({ rows }) => rows.length),
    [1, 1, MAX_ROWS, MAX_ROWS, 1, 1, 2],
  );
});

test("rows keep their block as others come at the end and at the start, and as a post becomes a message", () => {
  const log = new RowBlocks();
  const before = places(log.of([row("older"), ...messages(100, 50)]));
  const after = places(log.of([row("older"), ...messages(50, 50), ...messages(100, 50), ...messages(150, 40)]));
  for (const [key, block] of before) assert.equal(after.get(key), block);
  const many = [...messages(0, MAX_ROWS)];
  const second = new RowBlocks();
  const first = places(second.of([...many, row("pending-a")]));
  const posted = /** @type {Row} */ (/** @type {unknown} */ ({ kind: "message", key: "pending-a" }));
  assert.equal(places(second.of([...many, row("message-other"), posted])).get("pending-a"), first.get("pending-a"));
});

test("after any changes the blocks hold each row once, in order", () => {
  const keys = fc.uniqueArray(
    fc.oneof(
      fc.integer({ max: 200, min: 0 }).map((number) => `message-${number}`),
      fc.integer({ max: 5, min: 0 }).map((number) => `day-${number}`),
      fc.constantFrom("older", "new", "newer"),
    ),
    { maxLength: 120 },
  );
  // A window of a log, as it grows and is trimmed.
  const inOrder = fc
    .tuple(fc.integer({ max: 80, min: 0 }), fc.integer({ max: 150, min: 0 }))
    .map(([first, count]) => messages(first, count).map(({ key }) => key));
  fc.assert(
    fc.property(fc.array(fc.oneof(keys, inOrder), { maxLength: 6 }), (steps) => {
      const log = new RowBlocks();
      for (const step of steps) {
        const rows = step.map(row);
        const blocks = log.of(rows);
        assert.deepEqual(
          blocks.flatMap((block) => block.rows),
          rows,
        );
        assert.equal(new Set(blocks.map(({ key }) => key)).size, blocks.length);
      }
    }),
  );
});
