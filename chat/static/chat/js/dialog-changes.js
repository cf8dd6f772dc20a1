// The fields of a room's settings: what this user has changed, and what others change meanwhile. Pure.

/**
 * @typedef {object} Settings
 * @property {string} title
 * @property {string} description
 * @property {boolean} private
 * @property {boolean} archived
 */

/** @typedef {keyof Settings} Name */

const NAMES = /** @type {const} */ (["title", "description", "private", "archived"]);

/**
 * @param {Settings} room
 * @returns {Settings}
 */
export function settingsOf({ title, description, archived, private: isPrivate }) {
  return { title, description, private: isPrivate, archived };
}

/**
 * The fields whose value differs. White space at the ends does not count: the server removes it.
 *
 * @param {Settings} now
 * @param {Settings} before
 * @returns {Partial<Settings>}
 */
export function changesOf(now, before) {
  return Object.fromEntries(
    NAMES.filter((name) => trimmed(now[name]) !== trimmed(before[name])).map((name) => [name, now[name]]),
  );
}

/**
 * What the form shows after the room was changed by somebody else: fields that this user has not changed follow.
 *
 * @param {Settings} shown  in the form
 * @param {Settings} before  the room, as the form knew it
 * @param {Settings} now  the room
 * @returns {Settings}
 */
export function followed(shown, before, now) {
  return { ...now, ...changesOf(shown, before) };
}

/** @param {string | boolean} value */
function trimmed(value) {
  return typeof value === "string" ? value.trim() : value;
}
