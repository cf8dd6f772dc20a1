// What is read of each room: a pure state, by the pages of `person/<id>`, the moves of the list, and a room's join.

/** @import { OwnState, PersonRoom, ReadingState } from "./types.js" */

/** @type {ReadingState} */
export const NOTHING_READ = { rooms: {}, last: {} };

/**
 * The state of the topic `person/<id>`: it replaces what was known of the rooms.
 *
 * @param {ReadingState} state
 * @param {Record<string, OwnState>} rooms  by slug
 * @returns {ReadingState}
 */
export function known(state, rooms) {
  return { ...state, rooms: { ...rooms } };
}

/**
 * The events `person.room`, in order.
 *
 * @param {ReadingState} state
 * @param {PersonRoom[]} events
 * @returns {ReadingState}
 */
export function told(state, events) {
  const rooms = { ...state.rooms };
  for (const { room, read_seq, read_version, muted, favourite, left } of events) {
    rooms[room] = { read_seq, read_version, muted, favourite, left };
  }
  return { ...state, rooms };
}

/**
 * Entries of the list of rooms, or of an event `rooms.moved`: how far the rooms go.
 *
 * @param {ReadingState} state
 * @param {{ slug: string, last_seq: number }[]} entries
 * @returns {ReadingState}
 */
export function moved(state, entries) {
  const last = { ...state.last };
  for (const { slug, last_seq } of entries) last[slug] = Math.max(last[slug] ?? 0, last_seq);
  return { ...state, last };
}

/**
 * The pair that a join or a command has answered. An older answer changes nothing.
 *
 * @param {ReadingState} state
 * @param {string} slug
 * @param {number} seq
 * @param {number} version
 * @returns {ReadingState}
 */
export function answered(state, slug, seq, version) {
  const mine = state.rooms[slug];
  const known = mine?.read_version ?? 0;
  if (mine !== undefined && (version < known || (version === known && seq <= (mine.read_seq ?? 0)))) return state;
  return { ...state, rooms: { ...state.rooms, [slug]: { ...mine, read_seq: seq, read_version: version } } };
}

/**
 * The number of unread messages. A room that was never entered has none.
 *
 * @param {ReadingState} state
 * @param {string} slug
 */
export function unreadIn(state, slug) {
  const mine = state.rooms[slug];
  return mine === undefined ? 0 : Math.max(0, (state.last[slug] ?? 0) - (mine.read_seq ?? 0));
}

/**
 * Unread messages by slug, of the rooms that have any.
 *
 * @param {ReadingState} state
 * @returns {Record<string, number>}
 */
export function unreadByRoom(state) {
  const counts = Object.keys(state.rooms).map((slug) => /** @type {const} */ ([slug, unreadIn(state, slug)]));
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}
