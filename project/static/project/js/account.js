// The account page: times in the time zone of the reader, and the own name as it is when the page becomes visible again.

import { exactTime, fullTime, shortTime } from "../../chat/js/times.js";
import { find } from "../../hubbub/js/dom.js";
import { onReturn } from "../../hubbub/js/fetched.js";
import { takeOwnName } from "../../hubbub/js/own-name.js";

const NAME_MS = 5_000; // Between two requests for the name.

for (const time of document.querySelectorAll("time")) {
  // Seconds distinguish two sign-ins of the same kind of browser within a minute.
  time.textContent = "seconds" in time.dataset ? exactTime(time.dateTime) : shortTime(time.dateTime);
  time.title = fullTime(time.dateTime);
}

onReturn(find(document, "a.brand", HTMLAnchorElement).href, NAME_MS, takeOwnName);
