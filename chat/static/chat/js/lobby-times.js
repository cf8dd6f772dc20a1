// The times in the lobby: hours for today, the day for earlier, in the time zone of the reader.

import { clockTime, dayName, fullTime, shortDay } from "./times.js";

export function showTimes() {
  for (const time of document.querySelectorAll("time")) {
    const name = dayName(time.dateTime);
    time.textContent =
      name === "Today" ? clockTime(time.dateTime) : name === "Yesterday" ? name : shortDay(time.dateTime);
    time.title = fullTime(time.dateTime);
  }
}
