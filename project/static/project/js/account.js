// The account page's times in the reader's own zone.

import { fullTime, shortTime } from "../../chat/js/times.js";

for (const time of document.querySelectorAll("time")) {
  time.textContent = shortTime(time.dateTime);
  time.title = fullTime(time.dateTime);
}
