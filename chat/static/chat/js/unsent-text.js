// The user's unsent text in this browser, as signing out asks about it: drafts, posts without an answer, unsaved edits.

import { hasText } from "./drafts-room.js";
import { isPost } from "./outbox-posts.js";
import { forgetTab } from "./outbox-tabs.js";
import { takeOver } from "./unsent-before.js";
import { keyOf, store as storeOfPage } from "./unsent-store.js";

/** @import { MergedRoom, UnsentRoom } from "./types.js" */

const MAX_WORDS_CHARS = 60;

/**
 * The user's unsent text that this tab knows of, one entry for each room.
 *
 * @param {string} userId
 * @returns {UnsentRoom[]}
 */
export function unsentOf(userId, store = storeOfPage) {
  takeOver(userId, store);
  /** @type {Map<string, UnsentRoom>} */
  const rooms = new Map();
  /**
   * @param {string[]} parts  of the key: the slug first
   * @param {string} text
   */
  const room = (parts, text) => {
    const slug = parts[0] ?? "";
    const title = store.read(keyOf("title", userId, slug))?.title;
    /** @type {UnsentRoom} */
    const entry = rooms.get(slug) ?? { slug, title, words: firstWords(text), draft: false, posts: [], edits: [] };
    rooms.set(slug, entry);
    return entry;
  };
  for (const { parts, value } of store.entries("draft", userId)) {
    if (hasText(value)) room(parts, value.text).draft = true;
  }
  for (const { parts, value } of store.entries("post", userId)) {
    if (isPost(value) && value.answer === undefined) room(parts, value.body).posts.push(parts[1] ?? "");
  }
  for (const { parts, value } of store.entries("edit", userId)) room(parts, value.text).edits.push(value.seq);
  return [...rooms.values()];
}

/**
 * One entry for each room out of several tabs' entries. Tabs share most of them; each has what the storage refused.
 *
 * @param {UnsentRoom[]} entries
 * @returns {MergedRoom[]} rooms without unsent text are left out
 */
export function merge(entries) {
  /** @type {Map<string, MergedRoom>} */
  const rooms = new Map();
  for (const { slug, title, words, draft, posts, edits } of entries) {
    const known = rooms.get(slug);
    rooms.set(slug, {
      slug,
      title: (known?.title === slug ? undefined : known?.title) ?? title ?? slug,
      words: known?.words || (words ?? ""),
      draft: draft || known?.draft === true,
      posts: new Set([...(known?.posts ?? []), ...posts]),
      edits: new Set([...(known?.edits ?? []), ...edits]),
    });
  }
  return [...rooms.values()].filter(({ draft, posts, edits }) => draft || posts.size + edits.size > 0);
}

/**
 * The first words of a text, in one line.
 *
 * @param {string} text
 */
export function firstWords(text) {
  const line = String(text ?? "")
    .replace(/\s+/g, " ")
    .trim();
  const characters = [...line];
  if (characters.length <= MAX_WORDS_CHARS) return line;
  const cut = characters.slice(0, MAX_WORDS_CHARS).join("");
  return `${cut.replace(/\s\S{0,20}$/, "")}…`;
}

/**
 * Deletes the user's unsent text. This page, which the browser is about to leave, stores nothing any more.
 *
 * @param {string} userId
 */
export function forget(userId, store = storeOfPage) {
  takeOver(userId, store);
  store.forget(userId);
  forgetTab();
}
