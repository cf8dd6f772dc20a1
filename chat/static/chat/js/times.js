// Times in the time zone of the reader, in the language of the page, by the clock that the reader has chosen.

import { hours, locale, renewHours } from "../../hubbub/js/locale.js";
import { gettext } from "../../hubbub/js/texts.js";

const day = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
const dayAndYear = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const short = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const shortAndYear = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
let { clock, full, shortAndClock, exact } = formats();

/** With an hour: by the clock that the reader has chosen. */
function formats() {
  return {
    clock: new Intl.DateTimeFormat(locale, hours),
    full: new Intl.DateTimeFormat(locale, {
      weekday: "long",
      day: "numeric",
      month: "long",
      year: "numeric",
      ...hours,
      second: "2-digit",
      timeZoneName: "short",
    }),
    // Not `timeStyle`: some languages would have a zero before the hour of a clock of 12 hours.
    shortAndClock: new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", ...hours }),
    exact: new Intl.DateTimeFormat(locale, {
      day: "numeric",
      month: "short",
      year: "numeric",
      ...hours,
      second: "2-digit",
    }),
  };
}

/** The reader has chosen another clock. */
export function renewClock() {
  renewHours();
  ({ clock, full, shortAndClock, exact } = formats());
}

/** @typedef {string | number | Date} Time  as ISO 8601, as milliseconds since 1970, or as a date */

/** @param {Time} at */
export const clockTime = (at) => clock.format(new Date(at));
/** @param {Time} at */
export const shortDay = (at) => short.format(new Date(at));
/** @param {Time} at */
export const shortTime = (at) => shortAndClock.format(new Date(at));
/** @param {Time} at */
export const exactTime = (at) => exact.format(new Date(at));
/** @param {Time} at */
export const fullTime = (at) => full.format(new Date(at));

/**
 * A time in a narrow column: as much of it as tells it from others near to it.
 *
 * @param {Time} at
 */
export function listTime(at, now = new Date()) {
  const date = new Date(at);
  const name = dayName(at, now);
  if (name === gettext("Today")) return clock.format(date);
  if (name === gettext("Yesterday")) return name;
  return (date.getFullYear() === now.getFullYear() ? short : shortAndYear).format(date);
}

/**
 * "Today", "Yesterday", or the date.
 *
 * @param {Time} at
 */
export function dayName(at, now = new Date()) {
  const date = new Date(at);
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (date.toDateString() === now.toDateString()) return gettext("Today");
  if (date.toDateString() === yesterday.toDateString()) return gettext("Yesterday");
  return (date.getFullYear() === now.getFullYear() ? day : dayAndYear).format(date);
}
