// The names and pictures of users, wherever a room's state has them. Pure.

import { byName } from "../../hubbub/js/presence.js";

/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { Message, RoomState } from "./types.js" */

/**
 * The state in which these users have these names and pictures, wherever they are shown.
 *
 * @param {RoomState} state
 * @param {Person[]} users
 * @returns {RoomState}
 */
export function renamed(state, users) {
  if (users.length === 0) return state;
  const latest = new Map(users.map((user) => [user.id, user]));
  /** @param {Person} user */
  const now = (user) => {
    const other = user.id === null ? undefined : latest.get(user.id);
    if (other === undefined || (other.name === user.name && other.picture === user.picture)) return user;
    const { picture: _, ...rest } = user;
    return { ...rest, name: other.name, ...(other.picture ? { picture: other.picture } : {}) };
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
 * The state with the names that arrived messages carry: a user may have been renamed while offline.
 *
 * @param {RoomState} state
 * @param {Message[]} messages
 */
export function withNames(state, messages) {
  return renamed(
    state,
    messages.map(({ user }) => user),
  );
}
