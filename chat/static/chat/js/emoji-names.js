// The names of emoji in the language of the page. They are loaded with the list; English pages load none.

import english from "../vendor/emoji/emoji.js";

/** @import { Emoji } from "../vendor/emoji/emoji.js" */
/** @import { Groups } from "./emoji-search.js" */
/** @typedef {[name: string, words: string][]} Names  of all emoji, in the order of the list */

/** @type {Record<string, () => Promise<{ default: Names }>>} by language */
const NAMES = { de: () => import("../vendor/emoji/emoji-de.js") };

/** @type {Promise<Groups> | null} */
let loaded = null;

/**
 * The groups with the names of a language, or with the English ones where it has none or they are not to be had now.
 *
 * @param {string} language  such as "de-AT"
 * @returns {Promise<Groups>}
 */
export function emojiIn(language) {
  const load = NAMES[language.split("-")[0] ?? ""];
  if (load === undefined) return Promise.resolve(english);
  loaded ??= load().then(
    ({ default: names }) => named(english, names),
    () => {
      loaded = null; // The next opening tries again.
      return english;
    },
  );
  return loaded;
}

/**
 * Groups whose emoji have other names. The English names still find them: `:tada:` is known in all languages.
 *
 * @param {Groups} groups
 * @param {Names} names
 * @returns {Groups}
 */
export function named(groups, names) {
  let at = 0;
  return groups.map(([group, emoji]) => [
    group,
    emoji.map(([sign, name, words]) => {
      const [own, more] = names[at++] ?? [name, ""];
      return /** @type {Emoji} */ ([sign, own, `${more} ${name} ${words}`.trim()]);
    }),
  ]);
}
