import assert from "node:assert/strict";
import { test } from "node:test";

import { give, load } from "./served.js";

/**
 * The functions on a page with these catalogues.
 *
 * @param {object[] | undefined} catalogues
 * @returns {Promise<typeof import("../../hubbub/static/hubbub/js/texts.js")>}
 */
function on(catalogues) {
  give("hubbubTexts", catalogues);
  return load("hubbub/static/hubbub/js/texts.js");
}

const german = (/** @type {object} */ texts) => ({ plural: (/** @type {number} */ n) => Number(n !== 1), texts });

test("without a catalogue the English text is shown", async () => {
  const { gettext, interpolate, ngettext, pgettext } = await on(undefined);
  assert.equal(gettext("Rooms"), "Rooms");
  assert.equal(pgettext("verb", "Post"), "Post");
  assert.deepEqual(
    [0, 1, 2].map((n) => interpolate(ngettext("%(n)s room", "%(n)s rooms", n), { n })),
    ["0 rooms", "1 room", "2 rooms"],
  );
});

test("each app's catalogue is asked; what none has stays in English", async () => {
  const { gettext, pgettext } = await on([
    german({ Rooms: "Räume" }),
    german({ Send: "Senden", "verb\u0004Post": "Senden" }),
  ]);
  assert.deepEqual([gettext("Rooms"), gettext("Send"), gettext("Leave")], ["Räume", "Senden", "Leave"]);
  assert.equal(pgettext("verb", "Post"), "Senden");
  assert.equal(gettext("toString"), "toString");
});

test("the language decides which form a number has", async () => {
  const plural = (/** @type {number} */ n) => (n === 1 ? 0 : n < 5 ? 1 : 2);
  const { ngettext } = await on([{ plural, texts: { room: ["pokój", "pokoje", "pokojów"] } }]);
  assert.deepEqual(
    [1, 3, 7].map((n) => ngettext("room", "rooms", n)),
    ["pokój", "pokoje", "pokojów"],
  );
});

test("values are put in by name, as they are", async () => {
  const { interpolate } = await on(undefined);
  assert.equal(interpolate("%(b)s, %(a)s: 50 %%", { a: "$&", b: "%(a)s" }), "%(a)s, $&: 50 %");
  assert.equal(interpolate("%(missing)s", {}), "%(missing)s");
});
