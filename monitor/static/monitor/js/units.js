// Numbers for readers: scaled, with one decimal at most. Pure.

import { locale } from "../../hubbub/js/locale.js";

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const PLAIN = new Intl.NumberFormat(locale, { maximumFractionDigits: 3, useGrouping: false });
const ONE_DECIMAL = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/**
 * A scaled number of bytes: 1536 is { text: "1.5", unit: "KiB" }.
 *
 * @param {number} count
 */
export function bytes(count) {
  let unit = 0;
  let value = count;
  // 999.5 would be shown as 1000: no number has more than three digits before its point.
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return { text: unit === 0 ? String(Math.round(value)) : decimal(value), unit: BYTE_UNITS[unit] ?? "" };
}

/**
 * "1.5 KiB", with a no-break space.
 *
 * @param {number} count
 */
export function bytesText(count) {
  const { text, unit } = bytes(count);
  return `${text}\u00a0${unit}`;
}

/**
 * A value at an axis, as short as possible: "512 KiB/s", "50 %", "20".
 *
 * @param {number} value
 * @param {string} unit  "bytes", "rate" (bytes per second), or the text after the number
 */
export function tick(value, unit) {
  if (unit !== "bytes" && unit !== "rate")
    return unit === "" ? PLAIN.format(value) : `${PLAIN.format(value)}\u00a0${unit}`;
  const { text, unit: scale } = bytes(value);
  return `${text.replace(/[.,]0$/, "")}\u00a0${scale}${unit === "rate" ? "/s" : ""}`;
}

/**
 * Makes a test of whether the label of a time ends before `end`. All in seconds.
 *
 * @param {number} end
 * @param {number} half  half the width of a label
 * @returns {(time: number) => boolean}
 */
export const endsBefore = (end, half) => (time) => time + half <= end;

/**
 * One decimal below 100, none above: the width stays.
 *
 * @param {number} value
 */
export function decimal(value) {
  return value < 99.95 ? ONE_DECIMAL.format(value) : String(Math.round(value));
}

/**
 * The used part in percent; 0 where the total is 0, such as without swap.
 *
 * @param {{ used: number, total: number }} usage
 */
export function percent({ used, total }) {
  return total > 0 ? (used / total) * 100 : 0;
}

/**
 * The two largest units of a duration: "3 d 4 h".
 *
 * @param {number} seconds
 */
export function duration(seconds) {
  /** @type {[count: number, unit: string][]} */
  const parts = [
    [Math.floor(seconds / DAY), "d"],
    [Math.floor((seconds % DAY) / HOUR), "h"],
    [Math.floor((seconds % HOUR) / MINUTE), "min"],
    [Math.floor(seconds % MINUTE), "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return "0\u00a0s";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}\u00a0${unit}`)
    .join(" ");
}

/**
 * An age in one unit: "4 s", "2 min".
 *
 * @param {number} ms
 */
export function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return seconds < 2 * MINUTE ? `${seconds}\u00a0s` : (duration(seconds).split(" ")[0] ?? "");
}
