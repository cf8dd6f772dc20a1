// The lobby: times in the reader's own zone (the clock for today, the day before that), and a list that keeps itself new.

import { pageAt } from "../../hubbub/js/fetched.js";
import { showOwnName } from "../../hubbub/js/own-name.js";
import { poll } from "./polling.js";
import { clockTime, dayName, fullTime, shortDay } from "./times.js";

const column = document.querySelector("main .column");
let shown = null; // The list as it was last sent.

showTimes();
poll(refresh, {
  isInSight: () => document.visibilityState === "visible",
  onTurned: (turned) => document.addEventListener("visibilitychange", turned),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
});

function showTimes() {
  for (const time of document.querySelectorAll("time")) {
    const name = dayName(time.dateTime);
    time.textContent =
      name === "Today" ? clockTime(time.dateTime) : name === "Yesterday" ? name : shortDay(time.dateTime);
    time.title = fullTime(time.dateTime);
  }
}

/** Titles, last words and one's own name as they are now; whether that has worked. */
async function refresh() {
  const page = await pageAt(location.href);
  if (page === null) return false;
  const next = page.querySelector("main .column");
  const name = page.querySelector("[data-own-name]");
  if (next === null || name === null) return false;
  if (userOf(page) !== userOf(document)) {
    location.reload(); // Somebody else has signed in to this browser: the rest of this page is not theirs.
    return true;
  }
  showOwnName(name.textContent);
  if (next.outerHTML === shown) return true;
  shown = next.outerHTML;
  const focused = column.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  column.replaceChildren(...document.importNode(next, true).childNodes);
  showTimes();
  if (focused !== null) column.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  return true;
}

/** The id that the page's sign-out goes by. */
function userOf(page) {
  return page.getElementById("sign-out")?.dataset.user;
}
