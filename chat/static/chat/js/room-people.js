// The names of users, wherever a room's state has them. Pure.

import { byName } from "../../hubbub/js/presence.js";

/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { Message, RoomState } from "./types.js" */

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
