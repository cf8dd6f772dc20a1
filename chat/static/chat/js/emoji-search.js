// Finds emoji by name, and goes from one to the next by the arrow keys. Pure.

/** @import { Emoji } from "../vendor/emoji/emoji.js" */
/** @typedef {[name: string, emoji: Emoji[]][]} Groups */

const MAX_FOUND = 72;
const NO_MATCH = 4;

/**
 * The emoji whose name or words have each word of a query, the best first: also `:tada:` and `thumbs_up`.
 *
 * @param {Groups} groups
 * @param {string} query
 * @returns {Emoji[]}
 */
export function search(groups, query) {
  const wanted = query.toLowerCase().replace(/[:_]/g, " ").trim().split(/\s+/);
  const found = groups.flatMap(([, emoji]) =>
    emoji.map((entry) => ({ entry, rank: Math.max(...wanted.map((word) => rankOf(entry, word))) })),
  );
  return found
    .filter(({ rank }) => rank < NO_MATCH)
    .sort((a, b) => a.rank - b.rank)
    .slice(0, MAX_FOUND)
    .map(({ entry }) => entry);
}

/**
 * 0: the name begins with the word; 1: a word of the name does; 2: it is another word for it; 3: another word begins with it.
 *
 * @param {Emoji} emoji
 * @param {string} word
 */
function rankOf([sign, name, words], word) {
  const small = name.toLowerCase();
  if (small.startsWith(word) || sign === word) return 0;
  if (small.split(/[\s-]/).some((part) => part.startsWith(word))) return 1;
  const others = words.split(" ");
  if (others.includes(word)) return 2;
  return others.some((part) => part.toLowerCase().startsWith(word)) ? 3 : NO_MATCH;
}

/**
 * Where an arrow key leads in groups that are drawn in rows, each from a new row on.
 *
 * @param {number} at  counted over all groups; -1: nowhere yet
 * @param {"left" | "right" | "up" | "down"} direction  on the page, from left to right
 * @param {number[]} sizes  of the groups
 * @param {number} columns
 * @returns {number}
 */
export function step(at, direction, sizes, columns) {
  const count = sizes.reduce((sum, size) => sum + size, 0);
  if (at < 0 || count === 0) return count === 0 ? -1 : 0;
  if (direction === "left") return Math.max(0, at - 1);
  if (direction === "right") return Math.min(count - 1, at + 1);
  const rows = rowsOf(sizes, columns);
  const row = rows.findIndex(({ start, length }) => at >= start && at < start + length);
  const next = rows[row + (direction === "down" ? 1 : -1)];
  if (next === undefined) return at;
  return next.start + Math.min(at - (rows[row]?.start ?? 0), next.length - 1);
}

/**
 * @param {number[]} sizes
 * @param {number} columns
 */
function rowsOf(sizes, columns) {
  const rows = [];
  let start = 0;
  for (const size of sizes) {
    for (let done = 0; done < size; done += columns) {
      rows.push({ start: start + done, length: Math.min(columns, size - done) });
    }
    start += size;
  }
  return rows;
}
