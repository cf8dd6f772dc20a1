// The state of one room's page as a value: `reduce` takes an action and returns the next state. No DOM, socket or clock.

import { presentAfter, presentAtJoin } from "../../hubbub/js/presence.js";
import { renamed, withNames } from "./room-people.js";

/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { History, Joined, KeptPost, Message, PendingPost, Posted } from "./types.js" */
/** @import { RoomAction, RoomEvent, RoomInfo, RoomState } from "./types.js" */

/**
 * The state before the first join.
 *
 * @param {object} page
 * @param {RoomInfo} page.room
 * @param {Person} page.me
 * @param {KeptPost[]} [page.pending]  posts that an earlier load of the page got no answer to
 * @returns {RoomState}
 */
export function initial({ room, me, pending = [] }) {
  return {
    room,
    me,
    joined: false,
    epoch: null,
    position: null,
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
    case "joined":
      return afterJoin(state, action.answer);
    case "closed":
      return { ...state, closed: action.code, editing: null, present: null };
    case "event":
      return afterEvent(state, action.frame);
    case "renamed":
      return renamed(state, action.users);
    case "history.asked":
      return { ...state, loading: true, early: {} };
    case "history.failed":
      return { ...state, loading: false };
    case "history.came":
      return afterHistory(state, action.before, action.answer);
    case "post.added":
      return { ...state, newFrom: null, pending: [...state.pending, { ...action.post, error: null }] };
    case "post.answered":
      return afterPost(state, action.id, action.answer);
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
 * @param {Joined} answer
 */
function afterJoin(state, answer) {
  const known = state.epoch === answer.epoch ? (state.messages.at(-1)?.seq ?? null) : null;
  const next = {
    ...state,
    joined: state.joined || !answer.partial, // After a part the page joins again; events arrive after the last part only.
    closed: null,
    room: answer.room,
    epoch: answer.epoch,
    position: answer.position,
    present: answer.partial ? state.present : presentAtJoin(answer.present),
  };
  const users = answer.partial ? [] : (answer.present?.users ?? []);
  if (answer.complete) return withNames(withArrived(next, answer.messages), answer.messages, users);
  const page = {
    ...next,
    messages: [],
    floor: answer.more ? (answer.messages[0]?.seq ?? 0) : 0,
    more: answer.more,
    early: {},
  };
  const filled = withNames(withMessages(page, answer.messages), answer.messages, users);
  const seen = known ?? answer.read ?? null;
  return seen === null
    ? filled
    : withNewLine(
        filled,
        answer.messages.filter(({ seq }) => seq > seen),
      );
}

/**
 * @param {RoomState} state
 * @param {RoomEvent} frame
 */
function afterEvent(state, frame) {
  if (frame.room !== state.room.slug || !state.joined) return state;
  switch (frame.type) {
    case "message.posted":
    case "message.edited":
    case "message.deleted":
      if (isKnown(state, frame.position)) return state;
      return withNames(withArrived({ ...state, position: frame.position }, [frame.message]), [frame.message]);
    case "room.changed":
      if (isKnown(state, frame.position)) return state;
      return { ...state, position: frame.position, room: { ...state.room, ...frame.changes } };
    case "room.closed":
      return reduce(state, { type: "closed", code: frame.code });
    case "presence.changed":
      return renamed({ ...state, present: presentAfter(state.present, frame) }, frame.joined ?? []);
    default:
      return state;
  }
}

/**
 * Whether the state includes the change at this position.
 *
 * @param {RoomState} state
 * @param {number} position
 */
function isKnown(state, position) {
  return position <= (state.position ?? 0);
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
 * @param {Pick<History, "messages" | "more">} answer
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
 * @param {string} id
 * @param {Pick<Posted, "seq" | "position" | "at">} answer
 */
function afterPost(state, id, { seq, position, at }) {
  const post = state.pending.find((pending) => pending.id === id);
  if (post === undefined) return state;
  const next = { ...state, pending: state.pending.filter((pending) => pending.id !== id) };
  if (state.position === null || isKnown(state, position) || seq < state.floor) return next;
  if (state.messages.some((message) => message.seq === seq)) return next;
  return withMessages(next, [{ seq, id, user: state.me, body: post.body, at, edited_at: null, deleted: false }]);
}

/**
 * Shows the user's own edit or deletion at once, unless a later change has arrived already.
 *
 * @param {RoomState} state
 * @param {{ seq: number, answer: { position: number } }} action
 * @param {Partial<Message>} changes
 */
function afterChange(state, { seq, answer }, changes) {
  if (isKnown(state, answer.position)) return state;
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
