// The users present in a topic, by the answers and events that carry them. Pure.

/** @import { Person, Presence, PresenceChange, Present } from "./types.js" */

/**
 * Who is present, by the answer to a join.
 *
 * @param {Presence | null} presence
 * @returns {Present | null}
 */
export function presentAtJoin(presence) {
  if (presence === null) return null;
  return { ...presence, users: presence.users.length === presence.count ? byName(presence.users) : null };
}

/**
 * Who is present after an event. Without `joined` no user is named; the first event that names users again lists all.
 *
 * @param {Present | null} present
 * @param {PresenceChange} event
 * @returns {Present}
 */
export function presentAfter(present, { count, joined, left }) {
  if (!joined) return { count, users: null };
  const gone = new Set(left?.map(({ id }) => id));
  const users = new Map((present?.users ?? []).filter(({ id }) => !gone.has(id)).map((user) => [user.id, user]));
  for (const user of joined) users.set(user.id, user);
  return { count, users: byName([...users.values()]) };
}

/**
 * Who is present after a user got a new name; the same object where that user is not named.
 *
 * @param {Present | null} present
 * @param {Person} user
 */
export function presentRenamed(present, user) {
  if (!present?.users?.some((other) => other.id === user.id && !isShownAlike(other, user))) return present;
  return { ...present, users: byName(present.users.map((other) => (other.id === user.id ? user : other))) };
}

/**
 * Whether others see the same of two states of a user.
 *
 * @param {Person} a
 * @param {Person} b
 */
function isShownAlike(a, b) {
  return a.name === b.name && a.picture === b.picture && a.status === b.status;
}

/** @param {Person[]} users */
export function byName(users) {
  return [...users].sort((a, b) => a.name.localeCompare(b.name) || (String(a.id) < String(b.id) ? -1 : 1));
}
