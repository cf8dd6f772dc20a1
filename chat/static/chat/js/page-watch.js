// What changes the page from outside: the calendar, the reader's choices in another tab, extensions, a storage or a database that
// takes nothing.

import { followChoices } from "../../hubbub/js/choices.js";
import { gettext } from "../../hubbub/js/texts.js";
import { REPAIRED } from "./draw.js";
import { renewClock } from "./times.js";
import { keepTitles } from "./unsent-titles.js";

/** @import { ConnectionStrip } from "./connection-strip.js" */
/** @import { PageText } from "./unsent-page.js" */

const DAY_CHECK_MS = 20_000;
const NOT_STORED = gettext("This browser stores nothing: text that is not sent would be lost by a reload.");
const MANGLED = gettext("An extension of the browser changes this page. Reload the page if something is missing.");

/**
 * @param {object} page
 * @param {PageText} page.text
 * @param {ConnectionStrip} page.strip
 * @param {(slug: string) => string | undefined} page.titleOf  of a room, as the page knows it now
 * @param {() => void} page.dated  the day has changed
 * @param {() => void} page.timed  the clock of the reader has changed
 */
export function watchPage({ text, strip, titleOf, dated, timed }) {
  text.store.onVolatile(() => strip.notice(NOT_STORED, 15_000));
  text.outbox.watch(() => {
    strip.refusing = text.outbox.isRefused;
  });
  document.addEventListener(REPAIRED, () => strip.notice(MANGLED), { once: true });
  keepTitles(text, titleOf);
  followChoices(text.userId, {
    clock() {
      renewClock();
      timed();
    },
  });
  // "Today" becomes "Yesterday" also on a page where nothing happens.
  let day = new Date().toDateString();
  setInterval(() => {
    if (day === new Date().toDateString()) return;
    day = new Date().toDateString();
    dated();
  }, DAY_CHECK_MS);
}
