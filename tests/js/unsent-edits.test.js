import assert from "node:assert/strict";
import { test } from "node:test";

import { message } from "./rooms.js";
import { Family, SLUG, settle, USER } from "./tabs.js";

/** @import { Tab } from "./tabs.js" */

const { EditingTab } = await import("../../chat/static/chat/js/edits-tab.js");
const { Edits, editCase, isChanged } = await import("../../chat/static/chat/js/edits.js");

/**
 * @param {Tab} tab
 * @param {string} user
 */
const of = (tab, user = USER) => {
  const others = async () => (tab.family.hasLocks ? new Set(tab.family.tabs.map(({ id }) => id)) : null);
  return new Edits(user, SLUG, tab.store, tab.id, { hold: () => {}, others });
};
/** @param {string} body */
const now = (body, deleted = false) => message(7, { body, deleted });
const KEPT = { seq: 7, text: "mine", base: "before", tab: "tab-1", at: 1 };

test("what has become of an edit: open, saved, changed or deleted meanwhile, or not on the page", () => {
  const texts = { mine: "mine", base: "before" };
  assert.deepEqual(editCase(KEPT, now("before")), { kind: "open", theirs: "before", ...texts });
  assert.deepEqual(editCase(KEPT, now("mine")), { kind: "saved", theirs: "mine", ...texts });
  assert.deepEqual(editCase(KEPT, now("theirs")), { kind: "changed", theirs: "theirs", ...texts });
  assert.deepEqual(editCase(KEPT, now("", true)), { kind: "deleted", theirs: "", ...texts });
  assert.deepEqual(editCase(KEPT, undefined), { kind: "unknown", theirs: "", ...texts });
  assert.equal(editCase({ ...KEPT, text: "mine\n" }, now("mine")).kind, "saved");
});

test("an edit is changed when there is something to save", () => {
  assert.equal(isChanged(KEPT), true);
  assert.equal(isChanged({ text: "before", base: "before" }), false);
  assert.equal(isChanged({ text: "before\n\n", base: "before" }), false);
});

test("an edit is kept with the text that it began from, also when the message changes meanwhile", () => {
  const edits = of(new Family().open());
  edits.typed(7, "mine", "before");
  edits.typed(7, "mine too", "theirs");
  assert.deepEqual([edits.of(7)?.text, edits.of(7)?.base], ["mine too", "before"]);
  edits.typed(7, "before", "theirs");
  assert.equal(edits.of(7), null);
});

test("another edit keeps the first one, which is offered again", () => {
  const edits = of(new Family().open());
  edits.typed(7, "mine", "before");
  edits.typed(9, "another", "words 9");
  const offers = edits.offers(9, [now("before"), message(9)]);
  assert.deepEqual(
    offers.map((offer) => [offer.edit.seq, offer.case.kind]),
    [[7, "open"]],
  );
  assert.equal(edits.offers(9, [now("mine")]).length, 0);
  assert.equal(edits.offers(9, [])[0]?.case.kind, "unknown");
});

test("edits of two open tabs stay apart; that of a closed one goes on in the next", async () => {
  const family = new Family();
  const [a, b] = [family.open(), family.open()];
  const [mine, other] = [of(a), of(b)];
  mine.typed(7, "by a", "before");
  other.typed(7, "by b", "before");
  await other.adopt();
  assert.deepEqual([mine.of(7)?.text, other.of(7)?.text], ["by a", "by b"]);
  family.close(a);
  family.tell();
  await other.adopt();
  assert.equal(other.of(7)?.text, "by b", "not two of a message");
  other.finish(7);
  await other.adopt();
  const edit = other.of(7);
  assert.deepEqual([edit?.text, edit?.base, other.all.length], ["by a", "before", 1]);
  if (edit) other.rebase(edit, "theirs");
  assert.equal(editCase(other.of(7) ?? KEPT, now("theirs")).kind, "open");
  other.finish(7);
  assert.deepEqual(Object.keys(family.shared), []);
});

test("without locks an edit goes on in another tab only after a while", async () => {
  const family = new Family();
  family.hasLocks = false;
  const [a, b] = [family.open(), family.open()];
  of(a).typed(7, "by a", "before");
  const [mine, other] = [of(a), of(b)];
  await other.adopt();
  assert.equal(other.of(7), null);
  const [edit] = mine.all;
  b.store.write(`hubbub.edit/${USER}/${SLUG}/7/${a.id}`, { ...edit, at: Date.now() - 61_000 });
  const later = of(b);
  await later.adopt();
  assert.equal(later.of(7)?.text, "by a");
});

test("a tab holds its lock as long as it has an edit", async () => {
  /** @type {Map<string, Promise<unknown>>} */
  const held = new Map();
  const locks = /** @type {any} */ ({
    async request(/** @type {string} */ name, /** @type {object} */ _, /** @type {() => Promise<void>} */ run) {
      held.set(name, run());
      await held.get(name);
      held.delete(name);
    },
    query: async () => ({ held: [...held.keys(), "another"].map((name) => ({ name })) }),
  });
  const tab = new EditingTab("tab-1", locks);
  for (const hasEdits of [true, true]) tab.hold(hasEdits);
  assert.deepEqual(await new EditingTab("tab-2", locks).others(), new Set(["tab-1"]));
  tab.hold(false);
  await settle();
  assert.deepEqual(await tab.others(), new Set());
});

test("an edit is not visible to another user, and its changes are told to the other tabs", () => {
  const family = new Family();
  const [a, b] = [family.open(), family.open()];
  let told = 0;
  const watching = of(b);
  watching.onChange(() => {
    told += 1;
  });
  of(a).typed(7, "mine", "before");
  family.tell();
  assert.equal(told, 1);
  watching.end();
  of(a).typed(7, "mine too", "before");
  family.tell();
  assert.equal(told, 1, "the page has forgotten the room");
  assert.deepEqual(of(b, "2").all, []);
});

test("entries that something has mangled are left out", () => {
  const family = new Family();
  const tab = family.open();
  of(tab).typed(7, "mine", "before");
  for (const key of Object.keys(family.shared)) family.shared.setItem(key, '{"text": 5}');
  family.shared.setItem(`hubbub.edit/${USER}/${SLUG}/8/x`, "{");
  assert.deepEqual(of(tab).all, []);
});
