// The rows of the log from a room's state, and the user's allowed actions. Pure.

/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { Message, MessageRow, RoomState, Row } from "./types.js" */

const GROUP_MS = 5 * 60 * 1000; // Messages of one user this close together form a group.

/**
 * The rows of the log, from top to bottom.
 *
 * @param {RoomState} state
 * @returns {Row[]}
 */
export function rows(state) {
  const list = new RowList();
  if (state.more) list.rows.push({ kind: "older", key: "older", loading: state.loading });
  else if (state.joined && state.messages.length > 0) list.rows.push({ kind: "beginning", key: "beginning" });
  for (const message of state.messages) {
    if (!list.fold(message, message.seq === state.newFrom)) list.rows.push(messageRow(state, message, list));
  }
  if (state.detached) list.rows.push({ kind: "newer", key: "newer", loading: state.late !== null });
  for (const post of state.pending) {
    const starts = list.start(state.me, post.at, false, true);
    const key = keyOf({ user: state.me, id: post.id, seq: 0 });
    list.rows.push({ kind: "pending", key, post, user: state.me, starts });
  }
  return list.rows;
}

/**
 * @param {RoomState} state
 * @param {Message} message
 * @param {RowList} list
 * @returns {MessageRow}
 */
function messageRow(state, message, list) {
  const own = message.user.id !== null && message.user.id === state.me.id;
  const isOpen = !message.deleted && mayWrite(state);
  return {
    kind: "message",
    key: keyOf(message),
    message,
    starts: list.start(message.user, message.at, message.seq === state.newFrom, false),
    own,
    mayEdit: own && isOpen,
    mayDelete: (own || state.room.role === "moderator") && isOpen,
    editing: state.editing === message.seq && !message.deleted,
  };
}

/** Rows under construction: they know the day and the group of the last one. */
class RowList {
  /** @type {Row[]} */
  rows = [];
  /** @type {{ day: string, user: Person, ms: number } | null} */
  #last = null;

  /**
   * Adds the lines that belong above a message. Returns whether the message starts a group.
   *
   * @param {Person} user
   * @param {string} at
   * @param {boolean} isNew
   * @param {boolean} isLocal  by the clock of this browser, which may be wrong
   */
  start(user, at, isNew, isLocal) {
    const last = this.#last;
    let ms = Date.parse(at);
    // Clocks of servers differ a little, and that of a browser may be days behind: a day never ends twice.
    if (last !== null && (ms < last.ms || (isLocal && ms > last.ms && dayOf(ms) > dayOf(Date.now())))) ms = last.ms;
    const day = dayOf(ms);
    const isNewDay = last === null || last.day !== day;
    if (isNewDay) this.rows.push({ kind: "day", key: `day-${day}`, at: new Date(ms).toISOString() });
    if (isNew) this.rows.push({ kind: "new", key: "new" });
    this.#last = { day, user, ms };
    return !(
      last !== null &&
      !isNewDay &&
      !isNew &&
      user.id !== null &&
      last.user.id === user.id &&
      ms - last.ms < GROUP_MS
    );
  }

  /**
   * Adds a deleted message to the row of the deleted ones right before it. Returns whether there is one.
   *
   * @param {Message} message
   * @param {boolean} isNew
   */
  fold(message, isNew) {
    const before = this.rows.at(-1);
    if (!message.deleted || isNew || this.#last === null || dayOf(Date.parse(message.at)) > this.#last.day)
      return false;
    const start = this.#last;
    if (before?.kind === "deleted") {
      this.rows[this.rows.length - 1] = { ...before, count: before.count + 1, seq: message.seq };
    } else if (before?.kind === "message" && before.message.deleted) {
      const { key, message: first } = before;
      this.rows[this.rows.length - 1] = { kind: "deleted", key, first: first.seq, seq: message.seq, count: 2 };
    } else return false;
    // The next message shows its author: the row between says nothing of people.
    this.#last = { ...start, user: { id: null, name: "" } };
    return true;
  }
}

/**
 * A text that stays the same from the post that waits to the message that was saved.
 *
 * @param {Pick<Message, "user" | "id" | "seq">} message
 */
export function keyOf({ user, id, seq }) {
  return user.id === null ? `seq-${seq}` : `${user.id}-${id}`;
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
 * The day in the time zone of the reader; days compare as texts.
 *
 * @param {number} ms
 */
function dayOf(ms) {
  const date = new Date(ms);
  const [month, day] = [date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0"));
  return `${date.getFullYear()}-${month}-${day}`;
}
