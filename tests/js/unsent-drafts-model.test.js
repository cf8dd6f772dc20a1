import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { Field } from "./draft-fields.js";
import { Family } from "./tabs.js";

/** @import { Tab } from "./tabs.js" */

const STEP = fc.record({
  kind: fc.constantFrom("go", "press", "press", "press", "send", "close", "open", "hear"),
  tab: fc.nat(2),
});

/** Tabs of a user, each key of whom is another letter. */
class Writing {
  family = new Family();
  /** @type {Map<Tab, Field>} */
  fields = new Map();
  pressed = 0;
  /** @type {string[]} */
  sent = [];
  /** @type {Tab | null} that has the focus */
  current = null;

  /** @param {boolean} isHeld  each field that was written in keeps its text: as with several screens */
  constructor(isHeld) {
    this.isHeld = isHeld;
    this.open();
  }

  open() {
    const tab = this.family.open();
    this.fields.set(tab, new Field(tab));
  }

  /** @param {Tab} tab */
  go(tab) {
    if (tab === this.current) return;
    if (this.current !== null && !this.isHeld) this.fields.get(this.current)?.blur();
    this.fields.get(tab)?.focus();
    this.current = tab;
  }

  /**
   * @param {string} kind
   * @param {Tab | undefined} tab
   */
  step(kind, tab) {
    if (kind === "open") this.open();
    if (tab === undefined) return;
    const field = /** @type {Field} */ (this.fields.get(tab));
    if (kind === "hear") tab.hear(1);
    else if (kind === "close") {
      this.family.close(tab);
      if (this.current === tab) this.current = null;
    } else if (["go", "press", "send"].includes(kind)) {
      this.go(tab);
      if (kind === "press") field.press(letter(this.pressed++));
      if (kind === "send" && field.text !== "") this.sent.push(field.send());
    }
  }

  /** All texts that are left: a new page shows them one after the other. */
  rest() {
    this.family.tell();
    for (const tab of this.family.tabs) this.fields.get(tab)?.blur();
    this.family.tell();
    const last = new Field(this.family.open());
    const texts = [];
    for (; last.text !== ""; last.blur()) texts.push(last.send());
    return texts;
  }
}

/** @param {number} number */
const letter = (number) => String.fromCodePoint(0x4e00 + number);

test("in tabs that are written in by turns, each letter is in exactly one sent text or draft", () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 60 }), (steps) => {
      const writing = new Writing(false);
      for (const { kind, tab } of steps)
        writing.step(kind, writing.family.tabs[tab % Math.max(1, writing.family.tabs.length)]);
      const all = [...writing.sent, ...writing.rest()].join("");
      assert.deepEqual(
        [...all].sort(),
        Array.from({ length: writing.pressed }, (_, number) => letter(number)),
      );
    }),
    { numRuns: 2_000 },
  );
});

test("in tabs that are written in at the same time, no letter is lost, and no text is a draft once it is sent", () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 60 }), (steps) => {
      const writing = new Writing(true);
      for (const { kind, tab } of steps)
        writing.step(kind, writing.family.tabs[tab % Math.max(1, writing.family.tabs.length)]);
      const rest = writing.rest();
      const all = new Set([...writing.sent, ...rest].join(""));
      assert.equal(all.size, writing.pressed);
      assert.deepEqual(
        rest.filter((text) => writing.sent.includes(text)),
        [],
      );
    }),
    { numRuns: 2_000 },
  );
});
