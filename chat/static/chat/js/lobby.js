// The lobby: times in the time zone of the reader, and a list that is fetched anew where `lobby-live.js` asks for it, and at
// intervals without a connection.

import { timers } from "../../hubbub/js/browser.js";
import { pageAt } from "../../hubbub/js/fetched.js";
import { ownIdOf, showOwnName } from "../../hubbub/js/own-name.js";
import { showTimes } from "./lobby-times.js";
import { poll } from "./polling.js";

const column = document.querySelector("main .column");
/** @type {string | null} the list as the server last sent it */
let shown = null;

showTimes();
poll(refresh, {
  isVisible: () => document.visibilityState === "visible" && document.documentElement?.dataset.state !== "open",
  onVisibility: (changed) => document.addEventListener("visibilitychange", changed),
  ...timers(),
});

document.addEventListener("rooms-changed", () => void refresh());

/**
 * Shows the current titles, last messages and own name.
 *
 * @returns {Promise<boolean>} whether the server answered
 */
async function refresh() {
  const page = await pageAt(location.href);
  if (page === null) return false;
  const next = page.querySelector("main .column");
  const name = page.querySelector("[data-own-name]");
  if (column === null || next === null) return false;
  if (ownIdOf(page) !== ownIdOf(document)) {
    location.reload(); // Another user has signed in with this browser: this page shows the rooms of the former one.
    return true;
  }
  if (name !== null) showOwnName(name.textContent ?? "");
  if (next.outerHTML === shown) return true;
  shown = next.outerHTML;
  const { activeElement } = document;
  const focused = column.contains(activeElement) ? (activeElement?.getAttribute("href") ?? null) : null;
  column.replaceChildren(...document.importNode(next, true).childNodes);
  showTimes();
  if (focused !== null) {
    /** @type {HTMLElement | null} */
    const link = column.querySelector(`[href="${CSS.escape(focused)}"]`);
    link?.focus();
  }
  return true;
}
