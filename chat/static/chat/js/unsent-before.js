// Unsent text as pages before this version stored it: drafts in the storage of all tabs, posts and edits in that of their tab.

import { tabId } from "./outbox-tabs.js";
import { keyOf } from "./unsent-store.js";

/** @import { Store } from "./unsent-store.js" */

const STORAGES = { draft: () => localStorage, pending: () => sessionStorage, edits: () => sessionStorage };

/**
 * Takes over the user's text.
 *
 * @param {string} userId
 * @param {Store} store
 */
export function takeOver(userId, store) {
  for (const kind of /** @type {(keyof typeof STORAGES)[]} */ (Object.keys(STORAGES))) {
    try {
      const storage = STORAGES[kind]();
      for (const [key, slug] of oldKeys(storage, `hubbub.${kind}.${userId}.`)) {
        const value = JSON.parse(storage.getItem(key) ?? "null");
        storage.removeItem(key);
        if (value !== null) KEEP[kind](store, [userId, slug], value);
      }
    } catch {
      // Forbidden, or damaged: there is nothing to take over.
    }
  }
}

/** @type {Record<keyof typeof STORAGES, (store: Store, parts: [string, string], value: any) => void>} */
const KEEP = {
  draft(store, parts, text) {
    store.write(keyOf("draft", ...parts, "before"), { text, changes: { before: 1 }, at: Date.now() });
  },
  pending(store, parts, posts) {
    const tab = tabId();
    for (const [order, { id, ...post }] of posts.entries())
      store.write(keyOf("post", ...parts, id), { ...post, order, tab });
  },
  edits(store, parts, edits) {
    const tab = tabId();
    for (const { seq, text } of edits) {
      // The text that the edit began from is not known: it is shown beside the message as it is now.
      store.write(keyOf("edit", ...parts, String(seq), tab), { seq, text, base: "", tab, at: Date.now() });
    }
  },
};

/**
 * A slug has no dot; a user's id may have one.
 *
 * @param {Storage} storage
 * @param {string} start
 */
function oldKeys(storage, start) {
  const keys = Object.keys(storage).filter((key) => key.startsWith(start));
  return keys.map((key) => [key, key.slice(start.length)]).filter(([, slug]) => !slug?.includes("."));
}
