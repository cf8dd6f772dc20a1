// The lobby's times in the reader's own zone: the clock for today, the day before that.

import { clockTime, dayName, fullTime, shortDay } from "./times.js";

for (const time of document.querySelectorAll("time")) {
  const name = dayName(time.dateTime);
  time.textContent = name === "Today" ? clockTime(time.dateTime) : name === "Yesterday" ? name : shortDay(time.dateTime);
  time.title = fullTime(time.dateTime);
}
