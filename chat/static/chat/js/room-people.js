// The users in a room's state: their names beside messages, and the list of those present. Pure.

/** @import { Person, Presence } from "../../hubbub/js/types.js" */
/** @import { Message, Present, PresenceChanged, RoomState } from "./types.js" */

/**
 * The state in which these users have these names, wherever they are shown.
 *
 * @param {RoomState} state
 * @param {Person[]} users
 * @returns {RoomState}
 */
export function renamed(state, users) {
  if (users.length === 0) return state;
  const names = new Map(users.map(({ id, name }) => [id, name]));
  /** @param {Person} user */
  const now = (user) => {
    const name = user.id === null ? undefined : names.get(user.id);
    return name === undefined || name === user.name ? user : { ...user, name };
  };
  /** @param {Person} user */
  const isOld = (user) => now(user) !== user;
  /** @param {Message} message */
  const written = (message) => (isOld(message.user) ? { ...message, user: now(message.user) } : message);
  const { me, messages, early, present } = state;
  return {
    ...state,
    me: now(me),
    messages: messages.some(({ user }) => isOld(user)) ? messages.map(written) : messages,
    early: Object.fromEntries(Object.entries(early).map(([seq, message]) => [seq, written(message)])),
    present: present?.users?.some(isOld) ? { ...present, users: byName(present.users.map(now)) } : present,
  };
}

/**
 * The state with the names that arrived messages and `users` carry: a user may have been renamed while offline.
 *
 * @param {RoomState} state
 * @param {Message[]} messages
 * @param {Person[]} users
 */
export function withNames(state, messages, users = []) {
  return renamed(state, [...messages.map(({ user }) => user), ...users]);
}

/**
 * The users present, by the answer to a join.
 *
 * @param {Presence | null} presence
 * @returns {Present | null}
 */
export function presentAtJoin(presence) {
  if (presence === null) return null;
  return { ...presence, users: presence.users.length === presence.count ? byName(presence.users) : null };
}

/**
 * The users present after an event. Without `joined` no user is named; the first event that names users again lists all.
 *
 * @param {Present | null} present
 * @param {PresenceChanged} event
 * @returns {Present}
 */
export function presentAfter(present, { count, joined, left = [] }) {
  if (joined === undefined) return { count, users: null };
  const gone = new Set(left.map(({ id }) => id));
  const users = new Map((present?.users ?? []).filter(({ id }) => !gone.has(id)).map((user) => [user.id, user]));
  for (const user of joined) users.set(user.id, user);
  return { count, users: byName([...users.values()]) };
}

/** @param {Person[]} users */
function byName(users) {
  return [...users].sort((a, b) => a.name.localeCompare(b.name) || (String(a.id) < String(b.id) ? -1 : 1));
}
