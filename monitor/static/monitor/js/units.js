// Numbers as people read them: scaled, one decimal at most. Pure.

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** 1536 -> {text: "1.5", unit: "KiB"} */
export function bytes(count) {
  let unit = 0;
  let value = count;
  // 999.5 would be shown as 1000: one unit up, so that no number has more than three digits.
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return { text: unit === 0 ? String(Math.round(value)) : decimal(value), unit: BYTE_UNITS[unit] };
}

/** "1.5 KiB", with a space that does not break. */
export function bytesText(count) {
  const { text, unit } = bytes(count);
  return `${text}\u00a0${unit}`;
}

/** A value at an axis, in as few signs as it takes: "512 KiB/s", "50 %", "20". `unit`: "bytes", "rate", or what follows a number. */
export function tick(value, unit) {
  if (unit !== "bytes" && unit !== "rate") return unit === "" ? String(value) : `${value}\u00a0${unit}`;
  const { text, unit: scale } = bytes(value);
  return `${text.replace(/\.0$/, "")}\u00a0${scale}${unit === "rate" ? "/s" : ""}`;
}

/** Whether the label of a time, which is `half` seconds wide to each side, ends before `end`. */
export const wholeBefore = (end, half) => (time) => time + half <= end;

/** One decimal below 100, none above: the width stays. */
export function decimal(value) {
  return value < 99.95 ? value.toFixed(1) : String(Math.round(value));
}

/** Used of total in percent; 0 where there is none, as of swap. */
export function percent({ used, total }) {
  return total > 0 ? (used / total) * 100 : 0;
}

/** The two greatest units of a duration: "3 d 4 h". */
export function duration(seconds) {
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

/** Seconds that have passed, in whole numbers: "4 s", "2 min". */
export function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return seconds < 2 * MINUTE ? `${seconds}\u00a0s` : duration(seconds).split(" ")[0];
}
