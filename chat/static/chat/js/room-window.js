// The part of a room's messages that its page has: from `floor` on without a hole, to the end of the room, or `detached` from
// it after a jump to an older place. Pure.

import { withNames } from "./room-people.js";

/** @import { History, Message, RoomState } from "./types.js" */

/**
 * Adds the messages right before the seq `before`.
 *
 * @param {RoomState} state
 * @param {number} before
 * @param {History} page
 */
export function afterOlder(state, before, { messages, more }) {
  const next = { ...state, loading: false, early: {} };
  // A join has replaced the page that these messages precede: here they would leave a hole.
  if (before !== state.floor) return next;
  const floor = more ? (messages[0]?.seq ?? state.floor) : 0;
  // Early messages fill gaps as well: the server leaves out a message that changes while the page is read.
  const early = Object.values(state.early).filter(({ seq }) => seq >= floor);
  return withNames(withMessages({ ...next, floor, more }, [...messages, ...early]), messages);
}

/**
 * Adds the messages right after the seq `since` to a detached window. Without `more` it reaches the end of the room again.
 *
 * @param {RoomState} state
 * @param {number} since
 * @param {History} page
 */
export function afterNewer(state, since, { messages, more }) {
  const late = state.late ?? {};
  const next = { ...state, late: null };
  if (!state.detached || since !== (state.messages.at(-1)?.seq ?? 0)) return next;
  const end = more ? (messages.at(-1)?.seq ?? since) : Infinity;
  // As in `afterOlder`: what changed while the page was read is newer there.
  const changed = Object.values(late).filter(({ seq }) => seq > since && seq <= end);
  return withMessages({ ...next, detached: more }, [...messages, ...changed]);
}

/**
 * Replaces the window by the latest page.
 *
 * @param {RoomState} state
 * @param {History} page
 */
export function afterLatest(state, { messages, more }) {
  const late = Object.values(state.late ?? {});
  const floor = more ? (messages[0]?.seq ?? 0) : 0;
  const fresh = { ...state, messages: [], floor, more, detached: false, late: null, early: {}, loading: false };
  return withMessages(
    fresh,
    [...messages, ...late].filter(({ seq }) => seq >= floor),
  );
}

/**
 * Replaces the window by a page around a place. `more`: there are older messages.
 *
 * @param {RoomState} state
 * @param {History} page
 */
export function atPlace(state, { messages, more }) {
  const floor = more ? (messages[0]?.seq ?? 0) : 0;
  const detached = (messages.at(-1)?.seq ?? 0) < state.lastSeq;
  const fresh = { ...state, messages: [], floor, more, detached, late: null, early: {}, loading: false };
  const [first, last] = [messages[0]?.seq ?? 0, detached ? (messages.at(-1)?.seq ?? 0) : Infinity];
  const late = Object.values(state.late ?? {}).filter(({ seq }) => seq >= first && seq <= last);
  return withMessages(fresh, [...messages, ...late]);
}

/**
 * Forgets the oldest messages: a page that is open for days must not grow.
 *
 * @param {RoomState} state
 * @param {number} keep
 */
export function trimmed(state, keep) {
  if (state.messages.length <= keep || state.loading) return state;
  const messages = state.messages.slice(-keep);
  return { ...state, messages, floor: messages[0]?.seq ?? state.floor, more: true };
}

/**
 * @param {RoomState} state
 * @param {Message[]} changed
 */
export function withMessages(state, changed) {
  if (changed.length === 0) return state;
  const last = state.messages.at(-1);
  // Usually one new message: nothing to sort.
  if (last === undefined || changed.every(({ seq }, index) => seq > (changed[index - 1] ?? last).seq)) {
    if (last !== undefined) return { ...state, messages: [...state.messages, ...changed] };
  }
  const bySeq = new Map(state.messages.map((message) => [message.seq, message]));
  for (const message of changed) bySeq.set(message.seq, message);
  const messages = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
  return { ...state, messages };
}
