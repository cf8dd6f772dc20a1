// The outbox of a page with a connection to chat, and the question before such a page is left.

import { timers } from "../../hubbub/js/browser.js";
import { Outbox } from "./outbox.js";
import { SendingTabs, tabId } from "./outbox-tabs.js";
import { takeOver } from "./unsent-before.js";
import { store } from "./unsent-store.js";

/** @import { Hubbub } from "../../hubbub/js/hub.js" */

const WITHIN_MS = 1_000; // Between a click on a link and its navigation.

const clock = { ...timers(), now: () => performance.now() };

/**
 * The outbox of this page. The page calls its `open` and `close` with each change of the connection.
 *
 * @param {string} userId
 * @param {Pick<Hubbub, "send">} hub
 */
export function pageOutbox(userId, hub) {
  takeOver(userId, store);
  document.documentElement.dataset.sendsPosts = ""; // No other script of this page has to.
  const outbox = new Outbox(userId, {
    store,
    send: (slug, post) => hub.send(`room/${slug}`, "message.post", post),
    services: { timers: clock, locks: navigator.locks, tab: tabId() },
  });
  document.addEventListener("signing-out", () => outbox.end()); // Discarded text must not be sent any more.
  return outbox;
}

/**
 * Lets the browser ask before this page is left: posts wait that no other tab can send, an edit is not saved, or the storage
 * refused a text.
 *
 * @param {string} userId
 * @param {Outbox} outbox
 */
export function askBeforeLeaving(userId, outbox) {
  const tabs = new SendingTabs(userId, {
    canSend: () => outbox.isOpen,
    hasWork: () => outbox.waiting > 0,
    timers: clock,
  });
  outbox.watch(() => tabs.ask());
  tabs.ask();
  let isAllowed = false;
  /** @type {MouseEvent | null} */
  let click = null;
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    click = link?.origin === location.origin && link.target === "" ? event : null;
  });
  // The next page of the site sends what waits. A click whose default was prevented has loaded no page.
  const staysHere = () =>
    click?.defaultPrevented === false &&
    performance.now() - click.timeStamp < WITHIN_MS &&
    document.querySelector("#outbox") !== null;
  addEventListener("beforeunload", (event) => {
    const isAlone = outbox.waiting > 0 && !tabs.hasOther && !staysHere();
    if (!isAllowed && (isAlone || store.isVolatile)) event.preventDefault();
  });
  return {
    /** The page itself leaves: its text stays in the storage. */
    allow() {
      isAllowed = !store.isVolatile;
    },
  };
}
