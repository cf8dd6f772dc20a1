import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { storage } from "./storage.js";

/** @type {typeof import("../../chat/static/chat/js/unsent-text.js")} */
let unsent;
let number = 0;

/**
 * @param {string} name
 * @param {() => unknown} get
 */
function give(name, get) {
  Object.defineProperty(globalThis, name, { configurable: true, get });
}

beforeEach(async () => {
  const [local, session] = [storage(), storage()];
  give("localStorage", () => local);
  give("sessionStorage", () => session);
  unsent = await import(`../../chat/static/chat/js/unsent-text.js?${++number}`); // As on a page of its own.
});

/**
 * @param {string} user
 * @param {string} slug
 */
const of = (user, slug = "general") => new unsent.UnsentText(user, slug);
/** @param {string} id */
const post = (id) => ({ id, body: "hi", at: "2026-01-01T12:00:00Z" });

test("a draft, a post without an answer and an edit are unsent text", () => {
  of("1").draft = "half a";
  of("1").pending = [post("a"), post("b")];
  of("1", "other").setEdit(7, "better");
  const found = unsent.unsentOf("1").sort((a, b) => (a.slug < b.slug ? -1 : 1));
  assert.deepEqual(found, [
    { slug: "general", draft: true, posts: ["a", "b"], edits: [] },
    { slug: "other", draft: false, posts: [], edits: [7] },
  ]);
});

test("a draft without a visible character is no unsent text", () => {
  of("1").draft = " \n\u200b";
  assert.deepEqual(unsent.unsentOf("1"), []);
});

test("text of a user is not visible to another user, with any form of ids", () => {
  for (const user of ["1", "1.1", "11"]) of(user).draft = `draft of ${user}`;
  assert.deepEqual(
    unsent.unsentOf("1").map(({ slug }) => slug),
    ["general"],
  );
  assert.equal(of("1").draft, "draft of 1");
  assert.equal(of("2").draft, "");
  unsent.forget("1");
  assert.equal(of("1").draft, "");
  assert.equal(of("1.1").draft, "draft of 1.1");
  assert.equal(of("11").draft, "draft of 11");
});

test("signing out deletes the user's text from both storages, and the page stores nothing any more", () => {
  of("1").draft = "half a";
  of("1", "other").pending = [post("a")];
  of("1").setEdit(7, "better");
  unsent.forget("1");
  of("1").draft = "typed while the page is left";
  assert.deepEqual(Object.keys(localStorage), []);
  assert.deepEqual(Object.keys(sessionStorage), []);
  assert.deepEqual(unsent.unsentOf("1"), []);
});

test("an edit is kept until it is finished; the latest comes last", () => {
  const mine = of("1");
  mine.setEdit(7, "one");
  mine.setEdit(9, "two");
  mine.setEdit(7, "three");
  assert.deepEqual(mine.edits, [9, 7]);
  assert.equal(mine.editOf(7), "three");
  mine.setEdit(7, null);
  assert.equal(mine.editOf(7), null);
  assert.deepEqual(mine.edits, [9]);
});

test("without storage, forbidden or full, the page keeps text in memory, and signing out asks about it", () => {
  give("localStorage", () => {
    throw new Error("SecurityError");
  });
  sessionStorage.setItem = () => {
    throw new Error("QuotaExceededError");
  };
  of("1").draft = "half a";
  of("1").pending = [post("a")];
  assert.equal(of("1").draft, "half a");
  assert.deepEqual(unsent.unsentOf("1"), [{ slug: "general", draft: true, posts: ["a"], edits: [] }]);
  unsent.forget("1");
  assert.deepEqual(unsent.unsentOf("1"), []);
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
