// The state of one room's page as a value: `reduce` takes an action and returns the next state. No DOM, socket or clock.

import { renamed, withNames } from "./room-people.js";
import { afterLatest, afterNewer, afterOlder, atPlace, trimmed, withMessages } from "./room-window.js";

/** @import { Person, Present } from "../../hubbub/js/types.js" */
/** @import { Message, MessageEvent, PendingPost, Viewer } from "./types.js" */
/** @import { RoomAction, RoomEvent, RoomHere, RoomSnapshot, RoomState } from "./types.js" */

/**
 * The state before the first join.
 *
 * @param {object} page
 * @param {RoomHere} page.room
 * @param {Person} page.me
 * @param {PendingPost[]} [page.pending]  posts without an answer
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
    detached: false,
    late: null,
    lastSeq: 0,
    pending,
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
      return { ...afterJoin(state, action.viewer), joined: true, closed: null };
    case "entered":
      return afterJoin(state, action.viewer);
    case "closed":
      return { ...state, closed: action.code, editing: null, present: null };
    case "renamed":
      return renamed(state, action.users);
    case "history.asked":
      return { ...state, loading: true, early: {} };
    case "history.failed":
      return { ...state, loading: false };
    case "history.came":
      return afterOlder(state, action.before, action.page);
    case "newer.asked":
      return { ...state, late: {} };
    case "newer.failed":
      return { ...state, late: null };
    case "newer.came":
      return withNames(
        withoutSent(afterNewer(state, action.since, action.page), action.page.messages),
        action.page.messages,
      );
    case "latest.came":
      return withNames(withoutSent(afterLatest(state, action.page), action.page.messages), action.page.messages);
    case "place.came":
      return withNames(withoutSent(atPlace(state, action.page), action.page.messages), action.page.messages);
    case "line.drawn":
      return { ...state, newFrom: firstNew(state, action.after) };
    case "line.removed":
      return { ...state, newFrom: null };
    case "stopped":
      return stopped(state);
    case "posts":
      return withPosts(state, action.posts, action.isOwn === true);
    case "post.answered":
      return afterPost(state, action);
    case "edit.opened":
      return { ...state, editing: action.seq };
    case "edit.closed":
      return { ...state, editing: null };
    case "edit.answered":
      return afterChange(state, action, { body: action.body, edited_at: action.at });
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
 * Another room is shown: the line of what was new is gone, and nobody is there.
 *
 * @param {RoomState} state
 */
function stopped(state) {
  const shown = { joined: false, present: null, away: true, newFrom: null, unseen: 0 };
  return { ...state, ...shown, late: null, loading: false };
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
    room: { ...room, role: state.room.role, manages: state.room.manages },
    messages: [],
    floor: more ? (messages[0]?.seq ?? 0) : 0,
    more,
    early: {},
    detached: false,
    late: null,
  };
  const filled = withNames(withoutSent(withMessages(page, messages), messages), messages);
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
  const last = state.messages.at(-1)?.seq ?? 0;
  const isAbove = (/** @type {Message} */ { seq }) => state.detached && seq > last;
  const above = messages.filter(isAbove);
  const inside = messages.filter((message) => message.seq >= state.floor && !isAbove(message));
  const below = messages.filter(({ seq }) => seq < state.floor);
  const early = below.length > 0 ? { ...state.early, ...bySeq(below) } : state.early;
  const late = state.late === null ? null : { ...state.late, ...bySeq(messages) };
  const lastSeq = Math.max(state.lastSeq, ...messages.map(({ seq }) => seq));
  return withNewLine({ ...withoutSent(withMessages(state, inside), messages), early, late, lastSeq }, [
    ...inside.filter(({ seq }) => !known.has(seq)),
    ...above.filter(({ seq }) => seq > state.lastSeq),
  ]);
}

/**
 * The state without the posts that are among these messages.
 *
 * @param {RoomState} state
 * @param {Message[]} messages
 */
function withoutSent(state, messages) {
  const own = new Set(messages.filter(({ user }) => user.id === state.me.id).map(({ id }) => id));
  const pending = state.pending.filter(({ id }) => !own.has(id));
  return pending.length === state.pending.length ? state : { ...state, pending };
}

/** @param {Message[]} messages */
const bySeq = (messages) => Object.fromEntries(messages.map((message) => [message.seq, message]));

/**
 * @param {RoomState} state
 * @param {Viewer} viewer
 */
function afterJoin(state, { role, manages }) {
  const lastSeq = Math.max(state.lastSeq, state.messages.at(-1)?.seq ?? 0);
  return { ...state, lastSeq, room: { ...state.room, role, manages } };
}

/**
 * The seq of the first message after `after` that another user wrote; null where there is none.
 *
 * @param {RoomState} state
 * @param {number} after
 */
function firstNew(state, after) {
  const first = state.messages.find(({ seq, user, deleted }) => seq > after && user.id !== state.me.id && !deleted);
  return first?.seq ?? null;
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
 * Shows the user's own post as the server saved it; its event may still be under way.
 *
 * @param {RoomState} state
 * @param {{ id: string, seq: number, at: string, isKnown: boolean }} answer
 */
function afterPost(state, { id, seq, at, isKnown }) {
  const post = state.pending.find((pending) => pending.id === id);
  if (post === undefined) return state;
  const next = { ...state, pending: state.pending.filter((pending) => pending.id !== id) };
  if (isKnown || seq < state.floor || state.detached) return next;
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
 * The posts that wait, as the outbox has them: not those that an event has brought before their answer.
 *
 * @param {RoomState} state
 * @param {PendingPost[]} posts
 * @param {boolean} isOwn  the user has written one on this page
 */
function withPosts(state, posts, isOwn) {
  const shown = new Set(state.messages.flatMap(({ id, user }) => (user.id === state.me.id ? [id] : [])));
  const pending = posts.filter(({ id }) => !shown.has(id));
  return { ...state, pending, newFrom: isOwn ? null : state.newFrom };
}
