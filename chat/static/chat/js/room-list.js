// The rooms of the user, as the server tells them: pure state, and the topic that brings it.

/** @import { Hubbub } from "../../hubbub/js/hub.js" */
/** @import { FirstAnswer } from "../../hubbub/js/types.js" */
/** @import { RoomEntry, RoomsEvent, RoomsState } from "./types.js" */

/** @typedef {ReadonlyMap<string, RoomEntry>} Rooms  by slug */

/**
 * @param {Rooms} rooms
 * @param {RoomsState | RoomsEvent} news
 * @returns {Rooms}
 */
export function withNews(rooms, news) {
  if (!("type" in news)) return new Map(news.items.map((entry) => [entry.slug, entry]));
  const next = new Map(rooms);
  if (news.type === "moved") for (const entry of news.items) next.set(entry.slug, entry);
  else if (news.type === "gone") for (const slug of news.keys) next.delete(slug);
  return next;
}

/**
 * In the order of lists: archived rooms last, natural order by title.
 *
 * @param {Rooms} rooms
 */
export function inOrder(rooms) {
  return [...rooms.values()].sort(
    (a, b) => Number(a.archived) - Number(b.archived) || (a.sort < b.sort ? -1 : Number(a.sort > b.sort)),
  );
}

/**
 * Joins the list, and calls `changed` with the rooms after each change.
 *
 * @param {Hubbub} hub
 * @param {(rooms: RoomEntry[]) => void} changed
 * @param {FirstAnswer | null} [first]  that the page was made with
 */
export function watchRooms(hub, changed, first = null) {
  /** @type {Rooms} */
  let rooms = new Map();
  const handlers = {
    /** @param {RoomsState} state */
    state(state) {
      rooms = withNews(rooms, state);
      changed(inOrder(rooms));
    },
    /** @param {RoomsEvent[]} events */
    events(events) {
      rooms = events.reduce(withNews, rooms);
      changed(inOrder(rooms));
    },
  };
  return hub.topic("rooms", handlers, { first });
}
