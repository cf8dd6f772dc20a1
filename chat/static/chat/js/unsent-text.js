// The user's unsent text in this browser, as signing out asks about it: drafts, posts without an answer, unsaved edits.

import { slugsWithDraft } from "./drafts.js";
import { isPost } from "./outbox-posts.js";
import { forgetTab } from "./outbox-tabs.js";
import { takeOver } from "./unsent-before.js";
import { store as storeOfPage } from "./unsent-store.js";

/** @import { MergedRoom, UnsentRoom } from "./types.js" */

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
  /** @param {string} slug */
  const room = (slug) => {
    const entry = rooms.get(slug) ?? { slug, draft: false, posts: [], edits: [] };
    rooms.set(slug, entry);
    return entry;
  };
  for (const slug of slugsWithDraft(store, userId)) room(slug).draft = true;
  for (const { parts, value } of store.entries("post", userId)) {
    if (isPost(value) && value.answer === undefined) room(parts[0] ?? "").posts.push(parts[1] ?? "");
  }
  for (const { parts, value } of store.entries("edit", userId)) room(parts[0] ?? "").edits.push(value.seq);
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
  for (const { slug, draft, posts, edits } of entries) {
    const known = rooms.get(slug);
    rooms.set(slug, {
      slug,
      draft: draft || known?.draft === true,
      posts: new Set([...(known?.posts ?? []), ...posts]),
      edits: new Set([...(known?.edits ?? []), ...edits]),
    });
  }
  return [...rooms.values()].filter(({ draft, posts, edits }) => draft || posts.size + edits.size > 0);
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
