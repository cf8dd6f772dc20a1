// Which names match what is typed, and in which order. Pure.

/**
 * A room that one can jump to.
 * @typedef {object} JumpEntry
 * @property {string} slug
 * @property {string} title
 * @property {boolean} private
 * @property {boolean} archived
 * @property {number} unread
 * @property {string} [sort]  its place in natural order, by the server
 */

const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/**
 * The entries that match, best first: titles that begin with the text, then those with words that do, then those that have
 * it anywhere; archived rooms after the others, each in natural order. For an empty text all, unread ones first.
 *
 * @template {JumpEntry} Entry
 * @param {readonly Entry[]} entries
 * @param {string} query
 * @returns {Entry[]}
 */
export function findEntries(entries, query) {
  const words = wordsOf(query);
  const ranked = entries.map((entry) => ({ entry, rank: rankOf(entry, words) }));
  return ranked
    .filter(({ rank }) => rank !== null)
    .sort((a, b) => Number(a.rank) - Number(b.rank) || inOrder(a.entry, b.entry))
    .map(({ entry }) => entry);
}

/**
 * @param {JumpEntry} a
 * @param {JumpEntry} b
 */
function inOrder(a, b) {
  if (a.sort === undefined || b.sort === undefined) return order.compare(a.title, b.title);
  return a.sort < b.sort ? -1 : Number(a.sort > b.sort);
}

/**
 * Whether a name has each word of the query somewhere.
 *
 * @param {string} name
 * @param {string} query
 */
export function matches(name, query) {
  const text = folded(name);
  return wordsOf(query).every((word) => text.includes(word));
}

/**
 * @param {JumpEntry} entry
 * @param {string[]} words
 * @returns {number | null} null: it does not match
 */
function rankOf({ title, slug, archived, unread }, words) {
  const late = archived ? 4 : 0;
  if (words.length === 0) return unread > 0 ? late : late + 1;
  const text = wordsOf(title).join(" ");
  if (text.startsWith(words.join(" "))) return late;
  const starts = [...text.split(" "), ...text.split(/[^\p{L}\p{N}]+/u)];
  if (words.every((word) => starts.some((start) => start.startsWith(word)))) return late + 1;
  if (words.every((word) => text.includes(word))) return late + 2;
  return words.every((word) => slug.includes(word)) ? late + 3 : null;
}

/** @param {string} text */
function wordsOf(text) {
  return folded(text).split(/\s+/u).filter(Boolean);
}

/**
 * A text without case and accents.
 *
 * @param {string} text
 */
function folded(text) {
  return text
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase();
}
