// The unsent text of a page of rooms: one store, one outbox and the drafts of all its rooms.

import { Drafts } from "./drafts.js";
import { EditingTab } from "./edits-tab.js";
import { askBeforeLeaving, pageOutbox } from "./outbox-page.js";
import { tabId } from "./outbox-tabs.js";
import { signInLater } from "./sign-in-later.js";
import { store } from "./unsent-store.js";

/** @import { Hubbub } from "../../hubbub/js/hub.js" */
/** @import { BrowserLike } from "../../hubbub/js/types.js" */

/** @typedef {ReturnType<typeof pageText>} PageText */

/**
 * @param {string} userId
 * @param {object} page
 * @param {Hubbub["send"]} page.send
 * @param {() => void} page.connect  again
 * @param {BrowserLike} page.env  its `signIn` leaves the page without a question: unsent text stays for the next sign-in
 */
export function pageText(userId, { send, connect, env }) {
  const outbox = pageOutbox(userId, { send });
  const tab = tabId();
  // Drafts and edits need no question: they go on in the next page, or in another tab.
  const leaving = askBeforeLeaving(userId, outbox);
  const { signIn } = env;
  env.signIn = signInLater(() => {
    leaving.allow();
    signIn();
  }, connect);
  return {
    userId,
    outbox,
    drafts: new Drafts(userId, store),
    store,
    tab,
    editing: new EditingTab(tab),
    leaving,
  };
}
