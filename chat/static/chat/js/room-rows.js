// The rows of the log from a room's state, and the user's allowed actions. Pure.

/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { Message, RoomState, Row } from "./types.js" */

const GROUP_MS = 5 * 60 * 1000; // Messages of one user this close together form a group.

/**
 * The rows of the log, from top to bottom.
 *
 * @param {RoomState} state
 * @returns {Row[]}
 */
export function rows(state) {
  /** @type {Row[]} */
  const list = [];
  if (state.more) list.push({ kind: "older", key: "older", loading: state.loading });
  else if (state.joined && state.messages.length > 0) list.push({ kind: "beginning", key: "beginning" });
  /** @type {{ day: string, user: Person, ms: number } | null} */
  let last = null;
  /**
   * Adds the lines that belong above a message. Returns whether the message starts a group.
   *
   * @param {Person} user
   * @param {string} at
   * @param {boolean} isNew
   */
  const addLines = (user, at, isNew) => {
    const day = dayOf(at);
    const isNewDay = last === null || last.day !== day;
    if (isNewDay) list.push({ kind: "day", key: `day-${day}`, at });
    if (isNew) list.push({ kind: "new", key: "new" });
    const continues =
      last !== null &&
      !isNewDay &&
      !isNew &&
      user.id !== null &&
      last.user.id === user.id &&
      Date.parse(at) - last.ms < GROUP_MS;
    last = { day, user, ms: Date.parse(at) };
    return !continues;
  };
  for (const message of state.messages) {
    const own = message.user.id !== null && message.user.id === state.me.id;
    const isOpen = !message.deleted && mayWrite(state);
    list.push({
      kind: "message",
      key: `message-${message.seq}`,
      message,
      starts: addLines(message.user, message.at, message.seq === state.newFrom),
      own,
      mayEdit: own && isOpen,
      mayDelete: (own || state.room.role === "moderator") && isOpen,
      editing: state.editing === message.seq && !message.deleted,
    });
  }
  for (const post of state.pending) {
    const starts = addLines(state.me, post.at, false);
    list.push({ kind: "pending", key: `pending-${post.id}`, post, user: state.me, starts });
  }
  return list;
}

/**
 * Whether the user may write here: readers may not, nor anybody in an archived or closed room.
 *
 * @param {Pick<RoomState, "room" | "closed">} state
 */
export const mayWrite = ({ room, closed }) => !room.archived && room.role !== "reader" && closed === null;

/**
 * The user's latest message that can still be edited.
 *
 * @param {RoomState} state
 * @returns {Message | null}
 */
export function lastOwn(state) {
  if (!mayWrite(state)) return null;
  return state.messages.findLast(({ user, deleted }) => user.id === state.me.id && !deleted) ?? null;
}

/**
 * The day in the time zone of the reader.
 *
 * @param {string} at
 */
function dayOf(at) {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}
