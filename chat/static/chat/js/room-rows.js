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
export const rows = (state) => new RoomRows().of(state);

/** The rows of a room that changes: as far as its messages are those of the last time, so are the objects of their rows. */
export class RoomRows {
  #list = new RowList();
  /** @type {unknown[]} */
  #frame = [];
  /** @type {Message[]} */
  #messages = [];
  /** @type {Mark[]} the list before each message */
  #marks = [];

  /**
   * @param {RoomState} state
   * @returns {Row[]}
   */
  of(state) {
    this.#goBack(state);
    for (const message of state.messages.slice(this.#marks.length)) {
      this.#marks.push(this.#list.mark);
      this.#list.add(state, message);
    }
    const end = this.#list.mark;
    addTail(state, this.#list);
    const all = [...this.#list.rows];
    this.#list.goBack(end);
    return all;
  }

  /**
   * Goes back to the first message that is another one than the last time.
   *
   * @param {RoomState} state
   */
  #goBack(state) {
    const frame = frameOf(state);
    const before = this.#messages;
    this.#messages = state.messages;
    if (frame.some((value, index) => value !== this.#frame[index])) {
      this.#frame = frame;
      this.#marks = [];
      this.#list = new RowList();
      addFirst(state, this.#list);
      return;
    }
    let same = 0;
    while (same < this.#marks.length && state.messages[same] === before[same]) same += 1;
    const mark = this.#marks[same];
    if (mark === undefined) return;
    this.#list.goBack(mark);
    this.#marks.length = same;
  }
}

/**
 * What all rows depend on.
 *
 * @param {RoomState} state
 */
function frameOf({ me, room, closed, editing, newFrom, more, loading, joined, messages }) {
  return [me, room, closed, editing, newFrom, more, loading, joined, messages.length > 0];
}

/**
 * @param {RoomState} state
 * @param {RowList} list
 */
function addFirst(state, list) {
  if (state.more) list.rows.push({ kind: "older", key: "older", loading: state.loading });
  else if (state.joined && state.messages.length > 0) list.rows.push({ kind: "beginning", key: "beginning" });
}

/**
 * @param {RoomState} state
 * @param {RowList} list
 */
function addTail(state, list) {
  if (state.detached) list.rows.push({ kind: "newer", key: "newer", loading: state.late !== null });
  for (const post of state.pending) {
    const starts = list.start(state.me, post.at, false, true);
    const key = keyOf({ user: state.me, id: post.id, seq: 0 });
    list.rows.push({ kind: "pending", key, post, user: state.me, starts });
  }
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

/** @typedef {{ day: string, user: Person, ms: number } | null} Last  the day and the group of the last row */
/** @typedef {{ count: number, row: Row | undefined, last: Last }} Mark  a place to go back to; `row`: the last one */

/** Rows under construction: they know the day and the group of the last one. */
class RowList {
  /** @type {Row[]} */
  rows = [];
  /** @type {Last} */
  #last = null;

  /** @returns {Mark} */
  get mark() {
    return { count: this.rows.length, row: this.rows.at(-1), last: this.#last };
  }

  /** @param {Mark} mark */
  goBack({ count, row, last }) {
    this.rows.length = count;
    if (row !== undefined) this.rows[count - 1] = row; // Another deleted message may have been folded into it.
    this.#last = last;
  }

  /**
   * @param {RoomState} state
   * @param {Message} message
   */
  add(state, message) {
    if (!this.fold(message, message.seq === state.newFrom)) this.rows.push(messageRow(state, message, this));
  }

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
    let { ms, day } = timeOf(at);
    // Clocks of servers differ a little, and that of a browser may be days behind: a day never ends twice.
    if (last !== null && (ms < last.ms || (isLocal && ms > last.ms && day > dayOf(Date.now())))) ({ ms, day } = last);
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
    if (!message.deleted || isNew || this.#last === null || timeOf(message.at).day > this.#last.day) return false;
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

/** @param {string} at */
function timeOf(at) {
  const ms = Date.parse(at);
  return { ms, day: dayOf(ms) };
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
