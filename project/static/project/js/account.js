// The account page's times in the reader's own zone; one's name as it is when the page comes into sight again.

import { onReturn } from "../../hubbub/js/fetched.js";
import { takeOwnName } from "../../hubbub/js/own-name.js";
import { fullTime, shortTime } from "../../chat/js/times.js";

for (const time of document.querySelectorAll("time")) {
  time.textContent = shortTime(time.dateTime);
  time.title = fullTime(time.dateTime);
}

onReturn(document.querySelector("a.brand").href, 5_000, takeOwnName);
