// The titles of rooms with unsent text, kept beside it: signing out names them on pages that know no rooms, too.

import { slugsWithDraft } from "./drafts.js";
import { keyOf } from "./unsent-store.js";

/** @import { PageText } from "./unsent-page.js" */
/** @import { Store } from "./unsent-store.js" */

/**
 * Keeps the titles when the page is left, and when signing out asks about unsent text.
 *
 * @param {Pick<PageText, "userId" | "store">} text
 * @param {(slug: string) => string | undefined} titleOf  as the page knows it now
 */
export function keepTitles({ userId, store }, titleOf) {
  const keep = () => writeTitles(userId, store, titleOf);
  document.addEventListener("unsent-asked", keep);
  addEventListener("pagehide", keep);
}

/**
 * @param {string} userId
 * @param {Store} store
 * @param {(slug: string) => string | undefined} titleOf
 */
export function writeTitles(userId, store, titleOf) {
  const slugs = slugsWithDraft(store, userId);
  for (const kind of /** @type {const} */ (["post", "edit"])) {
    for (const { parts } of store.entries(kind, userId)) slugs.add(parts[0] ?? "");
  }
  for (const { key, parts } of store.entries("title", userId)) {
    if (!slugs.has(parts[0] ?? "")) store.write(key, null);
  }
  for (const slug of slugs) {
    const title = titleOf(slug);
    if (title !== undefined) store.write(keyOf("title", userId, slug), { title });
  }
}
