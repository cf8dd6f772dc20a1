// The state of one room's page as a value: `reduce` takes an action and returns the next state. No DOM, socket or clock.

import { renamed, withNames } from "./room-people.js";

/** @import { Person, Present } from "../../hubbub/js/types.js" */
/** @import { History, KeptPost, Message, MessageEvent, PendingPost } from "./types.js" */
/** @import { RoomAction, RoomEvent, RoomHere, RoomSnapshot, RoomState } from "./types.js" */

/**
 * The state before the first join.
 *
 * @param {object} page
 * @param {RoomHere} page.room
 * @param {Person} page.me
 * @param {KeptPost[]} [page.pending]  posts that an earlier load of the page got no answer to
 * @returns {RoomState}
 */
export function initial({ room, me, pending = [] }) {
  return {
    room,
    me,
    joined: false,
    messages: [],
    floor: 0,
    more: false,
    loading: false,
    early: {},
    pending: pending.map((post) => ({ ...post, error: post.error ?? null })),
    newFrom: null,
    unseen: 0,
    away: false,
    editing: null,
    present: null,
    closed: null,
  };
}

/**
 * The state after an action.
 *
 * @param {RoomState} state
 * @param {RoomAction} action
 * @returns {RoomState}
 */
export function reduce(state, action) {
  switch (action.type) {
    case "state":
      return afterState(state, action.snapshot, action.isAnew);
    case "events":
      return afterEvents(state, action.events);
    case "present":
      return withPresent(state, action.present, action.named);
    case "joined":
      return { ...state, joined: true, closed: null, room: { ...state.room, role: action.viewer.role } };
    case "closed":
      return { ...state, closed: action.code, editing: null, present: null };
    case "renamed":
      return renamed(state, action.users);
    case "history.asked":
      return { ...state, loading: true, early: {} };
    case "history.failed":
      return { ...state, loading: false };
    case "history.came":
      return afterHistory(state, action.before, action.page);
    case "post.added":
      return { ...state, newFrom: null, pending: [...state.pending, { ...action.post, error: null }] };
    case "post.answered":
      return afterPost(state, action);
    case "post.failed":
      return withPending(state, action.id, { error: action.error });
    case "post.retried":
      return withPending(state, action.id, { error: null });
    case "post.discarded":
      return { ...state, pending: state.pending.filter(({ id }) => id !== action.id) };
    case "edit.opened":
      return { ...state, editing: action.seq };
    case "edit.closed":
      return { ...state, editing: null };
    case "edit.answered":
      return afterChange({ ...state, editing: null }, action, { body: action.body, edited_at: action.at });
    case "delete.answered":
      return afterChange(state, action, { body: "", deleted: true });
    case "restore.answered":
      return afterChange(state, action, { body: action.body, deleted: false });
    case "away":
      return { ...state, away: true };
    case "back":
      return { ...state, away: false, unseen: 0 };
    case "trimmed":
      return trimmed(state, action.keep);
    default:
      return state;
  }
}

/**
 * @param {RoomState} state
 * @param {RoomSnapshot} snapshot
 * @param {boolean} isAnew
 */
function afterState(state, { room, messages, more }, isAnew) {
  const seen = isAnew ? null : (state.messages.at(-1)?.seq ?? null);
  const page = {
    ...state,
    room: { ...room, role: state.room.role },
    messages: [],
    floor: more ? (messages[0]?.seq ?? 0) : 0,
    more,
    early: {},
  };
  const filled = withNames(withMessages(page, messages), messages);
  return seen === null
    ? filled
    : withNewLine(
        filled,
        messages.filter(({ seq }) => seq > seen),
      );
}

/**
 * @param {RoomState} state
 * @param {RoomEvent[]} events
 */
function afterEvents(state, events) {
  /** @type {Map<number, Message>} by seq */
  const messages = new Map();
  let { room } = state;
  for (const event of events) {
    if (hasMessage(event)) messages.set(event.message.seq, event.message);
    else if (event.type === "room.changed") room = { ...room, ...event.changes };
  }
  const next = room === state.room ? state : { ...state, room };
  if (messages.size === 0) return next;
  const arrived = [...messages.values()];
  return withNames(withArrived(next, arrived), arrived);
}

/**
 * @param {RoomEvent} event
 * @returns {event is MessageEvent}
 */
function hasMessage(event) {
  return ["message.posted", "message.edited", "message.deleted"].includes(event.type);
}

/**
 * The state with the users present. Messages may have brought newer names than their list, except for the users it names.
 *
 * @param {RoomState} state
 * @param {Present | null} present
 * @param {Person[]} named
 */
function withPresent(state, present, named) {
  return renamed({ ...state, present }, [...(state.present?.users ?? []), ...named]);
}

/**
 * The state with messages in their newest form, inserted or replaced by seq.
 *
 * @param {RoomState} state
 * @param {Message[]} messages
 */
function withArrived(state, messages) {
  const known = new Set(state.messages.map(({ seq }) => seq));
  const inside = messages.filter(({ seq }) => seq >= state.floor);
  const below = messages.filter(({ seq }) => seq < state.floor);
  const early =
    below.length > 0
      ? { ...state.early, ...Object.fromEntries(below.map((message) => [message.seq, message])) }
      : state.early;
  const own = new Set(messages.filter(({ user }) => user.id === state.me.id).map(({ id }) => id));
  const pending = own.size > 0 ? state.pending.filter(({ id }) => !own.has(id)) : state.pending;
  return withNewLine(
    { ...withMessages(state, inside), early, pending },
    inside.filter(({ seq }) => !known.has(seq)),
  );
}

/**
 * Draws the "new" line when other users wrote while the user was away.
 *
 * @param {RoomState} state
 * @param {Message[]} arrived
 */
function withNewLine(state, arrived) {
  if (!state.away) return state;
  const news = arrived.filter(({ user, deleted }) => user.id !== state.me.id && !deleted);
  const [first] = news;
  if (first === undefined) return state;
  return { ...state, newFrom: state.unseen === 0 ? first.seq : state.newFrom, unseen: state.unseen + news.length };
}

/**
 * Adds the messages right before the seq `before`.
 *
 * @param {RoomState} state
 * @param {number} before
 * @param {History} page
 */
function afterHistory(state, before, { messages, more }) {
  const next = { ...state, loading: false, early: {} };
  // A join has replaced the page that these messages precede: here they would leave a hole.
  if (before !== state.floor) return next;
  const floor = more ? (messages[0]?.seq ?? state.floor) : 0;
  // Early messages fill gaps as well: the server leaves out a message that changes while the page is read.
  const early = Object.values(state.early).filter(({ seq }) => seq >= floor);
  return withNames(withMessages({ ...next, floor, more }, [...messages, ...early]), messages);
}

/**
 * Shows the user's own post as the server saved it; its event may still be under way.
 *
 * @param {RoomState} state
 * @param {{ id: string, seq: number, at: string, isKnown: boolean }} answer
 */
function afterPost(state, { id, seq, at, isKnown }) {
  const post = state.pending.find((pending) => pending.id === id);
  if (post === undefined) return state;
  const next = { ...state, pending: state.pending.filter((pending) => pending.id !== id) };
  if (isKnown || seq < state.floor) return next;
  if (state.messages.some((message) => message.seq === seq)) return next;
  return withMessages(next, [{ seq, id, user: state.me, body: post.body, at, edited_at: null, deleted: false }]);
}

/**
 * Shows the user's own edit or deletion at once, unless a later change has arrived already.
 *
 * @param {RoomState} state
 * @param {{ seq: number, isKnown: boolean }} answer
 * @param {Partial<Message>} changes
 */
function afterChange(state, { seq, isKnown }, changes) {
  if (isKnown) return state;
  const messages = state.messages.map((message) => (message.seq === seq ? { ...message, ...changes } : message));
  return { ...state, messages };
}

/**
 * Forgets the oldest messages: a page that is open for days must not grow.
 *
 * @param {RoomState} state
 * @param {number} keep
 */
function trimmed(state, keep) {
  if (state.messages.length <= keep || state.loading) return state;
  const messages = state.messages.slice(-keep);
  return { ...state, messages, floor: messages[0]?.seq ?? state.floor, more: true };
}

/**
 * @param {RoomState} state
 * @param {Message[]} changed
 */
function withMessages(state, changed) {
  if (changed.length === 0) return state;
  const bySeq = new Map(state.messages.map((message) => [message.seq, message]));
  for (const message of changed) bySeq.set(message.seq, message);
  const messages = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
  return { ...state, messages };
}

/**
 * @param {RoomState} state
 * @param {string} id
 * @param {Partial<PendingPost>} changes
 */
function withPending(state, id, changes) {
  return { ...state, pending: state.pending.map((post) => (post.id === id ? { ...post, ...changes } : post)) };
}
