// The account page's times in the reader's own zone; one's name as it is when the page comes into sight again.

import { onReturn } from "../../hubbub/js/fetched.js";
import { takeOwnName } from "../../hubbub/js/own-name.js";
import { exactTime, fullTime, shortTime } from "../../chat/js/times.js";

for (const time of document.querySelectorAll("time")) {
  // Two browsers of one kind may have signed in within a minute: their seconds tell them apart.
  time.textContent = "seconds" in time.dataset ? exactTime(time.dateTime) : shortTime(time.dateTime);
  time.title = fullTime(time.dateTime);
}

onReturn(document.querySelector("a.brand").href, 5_000, takeOwnName);
