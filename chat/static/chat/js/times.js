// Times in the time zone and language of the reader.

/**
 * A format of hours and minutes; a clock of 12 hours has no zero before the hour.
 *
 * @param {Intl.LocalesArgument} locales  undefined: the browser's
 */
export function clockIn(locales) {
  const hours = new Intl.DateTimeFormat(locales, { hour: "numeric" }).resolvedOptions().hour12 ? "numeric" : "2-digit";
  return new Intl.DateTimeFormat(locales, { hour: hours, minute: "2-digit" });
}

const clock = clockIn(undefined);
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayAndYear = new Intl.DateTimeFormat(undefined, {
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
});
const short = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const shortAndClock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

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
 * "Today", "Yesterday", or the date.
 *
 * @param {Time} at
 */
export function dayName(at, now = new Date()) {
  const date = new Date(at);
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (date.toDateString() === now.toDateString()) return "Today";
  if (date.toDateString() === yesterday.toDateString()) return "Yesterday";
  return (date.getFullYear() === now.getFullYear() ? day : dayAndYear).format(date);
}
