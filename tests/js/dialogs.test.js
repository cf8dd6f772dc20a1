import assert from "node:assert/strict";
import { test } from "node:test";

import { changesOf, followed, settingsOf } from "../../chat/static/chat/js/dialog-changes.js";
import { placeBox } from "../../chat/static/chat/js/menu-place.js";
import { give } from "./served.js";

const { Lost, Refused } = await import("../../hubbub/static/hubbub/js/errors.js");
give("document", { createElement: () => ({}), createTreeWalker: () => ({}), createComment: () => ({}) });
const { maker } = await import("../../chat/static/chat/js/dialog-create.js");
const { roomItems } = await import("../../chat/static/chat/js/menu-items.js");
const { wayOut } = await import("../../chat/static/chat/js/dialog-leave.js");
const { peopleOf, suggested } = await import("../../chat/static/chat/js/people-known.js");
const { keyTarget } = await import("../../chat/static/chat/js/menu.js");

const ROOM = { title: "Tea", description: "", private: false, archived: false };
const FIELDS = { title: "Tea", description: "", private: true };

/**
 * A server that answers each command with the next of these; an error is thrown.
 *
 * @param {unknown[]} answers
 */
function server(answers) {
  /** @type {[address: string, command: string, fields: Record<string, unknown>][]} */
  const sent = [];
  /**
   * @param {string} address
   * @param {string} command
   * @param {Record<string, unknown>} fields
   */
  const send = async (address, command, fields) => {
    sent.push([address, command, fields]);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { sent, send };
}

test("only changed settings are sent; white space at the ends is no change", () => {
  assert.deepEqual(changesOf({ ...ROOM, title: " Tea ", archived: true }, ROOM), { archived: true });
  assert.deepEqual(changesOf({ ...ROOM, description: "Hot" }, ROOM), { description: "Hot" });
  assert.deepEqual(changesOf(ROOM, ROOM), {});
});

test("settings that somebody else changed follow, but not over what was typed", () => {
  const shown = { ...ROOM, title: "Green tea" };
  const now = { ...ROOM, title: "Coffee", description: "Hot", private: true };
  const next = followed(shown, ROOM, now);
  assert.deepEqual(next, { title: "Green tea", description: "Hot", private: true, archived: false });
  assert.deepEqual(changesOf(next, now), { title: "Green tea" });
  assert.deepEqual(settingsOf({ ...now, ...{ slug: "tea", role: "member" } }), now);
});

test("an attempt without an answer is repeated under its id", async () => {
  const { sent, send } = server([new Lost(), { slug: "tea" }]);
  const make = maker(send);
  await assert.rejects(make(FIELDS), { code: "disconnected" });
  assert.equal(await make(FIELDS), "tea");
  assert.equal(sent.length, 2);
  assert.deepEqual(sent[0], sent[1]);
});

test("fields that were changed after such an attempt are changed in its room: there is one", async () => {
  const { sent, send } = server([new Lost(), { slug: "tea" }, { position: 2 }]);
  const make = maker(send);
  await assert.rejects(make(FIELDS));
  assert.equal(await make({ ...FIELDS, title: "Coffee" }), "tea");
  assert.deepEqual(sent[1], sent[0]);
  assert.deepEqual(sent[2], ["room/tea", "room.change", { title: "Coffee" }]);
});

test("a refused attempt has another id next time, also when it is refused only on its repetition", async () => {
  const invalid = new Refused({ code: "invalid", detail: "title: too long" });
  const refused = server([invalid, { slug: "tea" }]);
  const make = maker(refused.send);
  await assert.rejects(make(FIELDS), { code: "invalid" });
  assert.equal(await make(FIELDS), "tea");
  assert.notEqual(refused.sent[0]?.[2].id, refused.sent[1]?.[2].id);

  const late = server([new Lost(), invalid, { slug: "coffee" }]);
  const makeLate = maker(late.send);
  await assert.rejects(makeLate(FIELDS), { code: "disconnected" });
  assert.equal(await makeLate({ ...FIELDS, title: "Coffee" }), "coffee");
  assert.notEqual(late.sent[0]?.[2].id, late.sent[2]?.[2].id);
  assert.equal(late.sent[2]?.[2].title, "Coffee");
});

test("keys go round the menu, to its ends, and to what begins with a letter", () => {
  const labels = ["Members", "Mute", "Leave"];
  /** @type {[key: string, at: number, next: number | null][]} */
  const cases = [
    ["ArrowDown", 2, 0],
    ["ArrowDown", -1, 0],
    ["ArrowUp", 0, 2],
    ["ArrowUp", -1, 2],
    ["Home", 2, 0],
    ["End", 0, 2],
    ["m", 0, 1],
    ["M", 1, 0],
    ["l", 0, 2],
    ["x", 0, null],
    [" ", 0, null],
    ["Enter", 0, null],
  ];
  for (const [key, at, next] of cases) assert.equal(keyTarget(key, at, labels), next, `${key} at ${at}`);
});

test("a box is below its button, above where there is no space, and never outside the window", () => {
  const box = { width: 200, height: 300 };
  const view = { width: 1_000, height: 800 };
  const at = (/** @type {number} */ left, /** @type {number} */ top) => ({
    left,
    top,
    right: left + 40,
    bottom: top + 40,
  });
  assert.deepEqual(placeBox(at(900, 10), box, view, true), { left: 740, top: 54 });
  assert.deepEqual(placeBox(at(20, 10), box, view, false), { left: 20, top: 54 });
  assert.deepEqual(placeBox(at(20, 700), box, view, false), { left: 20, top: 396 });
  assert.deepEqual(placeBox(at(990, 10), box, view, false), { left: 792, top: 54 });
  assert.deepEqual(placeBox(at(0, 100), box, { width: 180, height: 200 }, true), { left: 8, top: 8 });
});

test("the menu of each room has a link to the admin for staff", () => {
  const room = { slug: "tea", last_seq: 1, unread: 0, muted: false, favourite: false };
  const page = /** @type {any} */ ({ room: () => ({ manages: false }) });
  const calls = { page, address: "/rooms/tea/", markRead: async () => {}, notice() {} };
  give("location", new URL("https://example.org/"));
  const linksFor = (/** @type {string | null} */ admin) =>
    roomItems(room, { ...calls, admin })
      .map(({ run }) => run)
      .filter((run) => typeof run === "string");
  assert.deepEqual(linksFor("/rooms/tea/manage/"), ["/rooms/tea/manage/"]);
  assert.deepEqual(linksFor(null), []);
});

test("the last moderator of a private room is shown another way than leaving", () => {
  const member = (/** @type {string} */ id, /** @type {"member" | "moderator"} */ role) => ({ id, name: id, role });
  const [me, other] = [member("1", "moderator"), member("2", "member")];
  assert.equal(wayOut({ members: [me] }, "1"), "alone");
  assert.equal(wayOut({ members: [me, other] }, "1"), "appoint");
  assert.equal(wayOut({ members: [me, member("2", "moderator")] }, "1"), "leave");
  assert.equal(wayOut({ members: [me, other] }, "2"), "leave");
  assert.equal(wayOut({ members: [] }, "1"), "leave");
});

test("people that the page knows of all rooms are suggested once, without members and deleted users", () => {
  const [bob, zoe] = [
    { id: "2", name: "Bob" },
    { id: "3", name: "Zoe" },
  ];
  const message = (/** @type {import("../../hubbub/static/hubbub/js/types.js").Person} */ user) =>
    /** @type {any} */ ({ user });
  const people = peopleOf([
    { messages: [message(zoe), message({ id: null, name: "gone" })], present: null },
    { messages: [message(zoe)], present: /** @type {any} */ ({ users: [bob] }) },
  ]);
  assert.deepEqual(people, [bob, zoe]);
  assert.deepEqual(suggested(people, [{ id: "3" }]), ["Bob"]);
});
