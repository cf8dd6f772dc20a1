import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { give, load } from "./served.js";
import { storage } from "./storage.js";
import { Family, SLUG, USER } from "./tabs.js";

/** @type {typeof import("../../chat/static/chat/js/unsent-text.js")} */
let unsent;
/** @type {Storage} */
let local;

beforeEach(async () => {
  // The page of this process is one of a family of tabs.
  family = new Family();
  local = family.shared;
  give("localStorage", local);
  give("sessionStorage", storage());
  unsent = await load("chat/static/chat/js/unsent-text.js");
});

let family = new Family();
const byPlace = () => unsent.unsentOf(USER, family.open().store).sort((a, b) => (a.slug < b.slug ? -1 : 1));

test("a draft, a post without an answer and an edit are unsent text", async () => {
  const tab = family.open();
  tab.drafts.room(SLUG).typed("half a");
  const first = tab.outbox.add(SLUG, "one");
  const second = tab.outbox.add(SLUG, "two");
  const { Edits } = await import("../../chat/static/chat/js/edits.js");
  new Edits(USER, "other", tab.store, tab.id, { hold: () => {}, others: async () => null }).typed(7, "better", "good");
  assert.deepEqual(
    byPlace().map((room) => ({ ...room, posts: new Set(room.posts) })),
    [
      {
        slug: SLUG,
        title: undefined,
        words: "half a",
        draft: true,
        posts: new Set([first.id, second.id]),
        edits: [],
      },
      { slug: "other", title: undefined, words: "better", draft: false, posts: new Set(), edits: [7] },
    ],
  );
});

test("a draft without a visible character is no unsent text", () => {
  family.open().drafts.room(SLUG).typed(" \n\u200b");
  assert.deepEqual(unsent.unsentOf(USER, family.open().store), []);
});

test("text of a user is not visible to another user, with any form of ids", () => {
  const users = ["1", "1.1", "11", "1/general", "a%2Fb", "a/b"];
  for (const user of users) family.open(user).drafts.room(SLUG).typed(`draft of ${user}`);
  for (const user of users) {
    const [entry, ...more] = unsent.unsentOf(user, family.open().store);
    assert.deepEqual([entry?.slug, more], [SLUG, []], user);
    assert.equal(family.open(user).drafts.room(SLUG).text, `draft of ${user}`);
  }
  assert.equal(family.open("2").drafts.room(SLUG).text, "");
  unsent.forget("1", family.open().store);
  assert.equal(family.open("1").drafts.room(SLUG).text, "");
  assert.equal(family.open("1/general").drafts.room(SLUG).text, "draft of 1/general");
});

test("signing out deletes the user's text, and the page stores nothing any more", () => {
  const tab = family.open();
  tab.drafts.room(SLUG).typed("half a");
  tab.outbox.add("other", "one");
  sessionStorage.setItem("hubbub.tab", "an id");
  unsent.forget(USER, tab.store);
  tab.drafts.room(SLUG).typed("typed while the page is left");
  tab.outbox.add(SLUG, "sent then");
  assert.deepEqual([Object.keys(local), Object.keys(sessionStorage)], [[], []]);
  assert.deepEqual(unsent.unsentOf(USER, family.open().store), []);
});

test("text that a page of an earlier version stored is taken over", () => {
  local.setItem("hubbub.draft.1.general", '"half a"');
  local.setItem("hubbub.draft.1.1.general", '"of user 1.1"');
  sessionStorage.setItem("hubbub.pending.1.general", '[{"id":"a","body":"one","at":"2026-01-01T12:00:00Z"}]');
  sessionStorage.setItem("hubbub.edits.1.general", '[{"seq":7,"text":"better"}]');
  const [{ draft, posts, edits } = assert.fail()] = unsent.unsentOf(USER, family.open().store);
  assert.deepEqual({ draft, posts, edits }, { draft: true, posts: ["a"], edits: [7] });
  const tab = family.open();
  assert.equal(tab.drafts.room(SLUG).text, "half a");
  assert.deepEqual(tab.outbox.posts(SLUG), [{ id: "a", body: "one", at: "2026-01-01T12:00:00Z", error: null }]);
  assert.deepEqual([Object.keys(sessionStorage), unsent.unsentOf("1.1", family.open().store).length], [[], 1]);
});

test("where the browser forbids storage, nothing is stored and nothing fails", () => {
  const forbidden = () => {
    throw new Error("SecurityError");
  };
  Object.defineProperty(globalThis, "localStorage", { configurable: true, get: forbidden });
  Object.defineProperty(globalThis, "sessionStorage", { configurable: true, get: forbidden });
  assert.deepEqual(unsent.unsentOf(USER, family.open().store), []);
  unsent.forget(USER);
});

test("unsent text has the title that a page knew last, which goes with the text", async () => {
  const { writeTitles } = await import("../../chat/static/chat/js/unsent-titles.js");
  const tab = family.open();
  tab.drafts.room(SLUG).typed("half a");
  writeTitles(USER, tab.store, () => "Newcomer room");
  writeTitles(USER, tab.store, () => "New den");
  writeTitles(USER, tab.store, () => undefined); // A page that knows no such room.
  assert.equal(unsent.unsentOf(USER, family.open().store)[0]?.title, "New den");
  tab.drafts.room(SLUG).typed("");
  writeTitles(USER, tab.store, () => "New den");
  assert.deepEqual(tab.store.entries("title", USER), []);
  tab.outbox.add("other", "one");
  writeTitles(USER, tab.store, (slug) => slug.toUpperCase());
  assert.equal(unsent.unsentOf(USER, family.open().store)[0]?.title, "OTHER");
  unsent.forget(USER, tab.store);
  assert.deepEqual(Object.keys(local), []);
});

test("the first words of a text are one line, cut between words and not within a character", () => {
  assert.equal(unsent.firstWords(" half\n\n a "), "half a");
  assert.equal(unsent.firstWords("word ".repeat(20)), `${"word ".repeat(12).trim()}…`);
  assert.equal(unsent.firstWords("\u{1f600}".repeat(70)), `${"\u{1f600}".repeat(60)}…`);
});

test("the entries of tabs together have a title and words, also from pages that tell none", () => {
  const old = { slug: "general", draft: true, posts: [], edits: [] };
  const [known] = unsent.merge([old, { ...old, title: "New den", words: "half a" }]);
  assert.deepEqual([known?.title, known?.words], ["New den", "half a"]);
  const [unknown] = unsent.merge([old]);
  assert.deepEqual([unknown?.title, unknown?.words], ["general", ""]);
});

test("text of several tabs is counted once", () => {
  const [entry] = unsent.merge([
    { slug: "general", draft: true, posts: ["a"], edits: [7] },
    { slug: "general", draft: false, posts: ["a", "b"], edits: [] },
    { slug: "empty", draft: false, posts: [], edits: [] },
  ]);
  assert.equal(entry?.draft, true);
  assert.deepEqual([...(entry?.posts ?? [])], ["a", "b"]);
  assert.deepEqual([...(entry?.edits ?? [])], [7]);
  assert.equal(unsent.merge([{ slug: "empty", draft: false, posts: [], edits: [] }]).length, 0);
});
