// The lobby: times in the reader's own zone (the clock for today, the day before that), and a list that keeps itself new.

import { pageAt } from "../../realtime/js/fetched.js";
import { showOwnName } from "../../realtime/js/own-name.js";
import { clockTime, dayName, fullTime, shortDay } from "./times.js";

const EVERY_MS = 5_000; // While the page is in sight.

const column = document.querySelector("main .column");
let shown = null; // The list as it was last sent.

showTimes();
setInterval(() => document.visibilityState === "visible" && refresh(), EVERY_MS);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());

function showTimes() {
  for (const time of document.querySelectorAll("time")) {
    const name = dayName(time.dateTime);
    time.textContent = name === "Today" ? clockTime(time.dateTime) : name === "Yesterday" ? name : shortDay(time.dateTime);
    time.title = fullTime(time.dateTime);
  }
}

/** Titles, last words and one's own name as they are now. What fails is tried again at the next turn. */
async function refresh() {
  const page = await pageAt(location.href);
  if (page === null) return;
  const next = page.querySelector("main .column");
  const name = page.querySelector("[data-own-name]");
  if (next === null || name === null) return;
  showOwnName(name.textContent);
  if (next.outerHTML === shown) return;
  shown = next.outerHTML;
  const focused = column.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  column.replaceChildren(...document.importNode(next, true).childNodes);
  showTimes();
  if (focused !== null) column.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
}
