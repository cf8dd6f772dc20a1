// The sections of the list of rooms, from what the server tells of the rooms and of this user's own. Pure.

import { gettext } from "../../hubbub/js/texts.js";
import { unreadIn } from "./reading.js";
import { inOrder } from "./room-list.js";

/** @import { ReadingState, RoomEntry, SidebarRoom, SidebarSection } from "./types.js" */

/** @type {Record<SidebarSection["name"], string>} */
export const SECTIONS = {
  unread: gettext("Unread"),
  favourites: gettext("Favourites"),
  rooms: gettext("Rooms"),
  archived: gettext("Archived"),
};

/**
 * A room as the list shows it.
 *
 * @param {RoomEntry} entry
 * @param {ReadingState} own
 * @param {ReadonlySet<string>} drafts  slugs of rooms with an unsent text
 * @param {number} seen  of the open room: read up to here, though the server may not have it yet
 * @returns {SidebarRoom}
 */
export function shownRoom(entry, own, drafts, seen = 0) {
  const mine = own.rooms[entry.slug];
  return {
    ...entry,
    unread: Math.min(unreadIn(own, entry.slug), Math.max(0, entry.last_seq - seen)),
    muted: mine?.muted === true,
    favourite: mine?.favourite === true,
    draft: drafts.has(entry.slug),
  };
}

/**
 * @param {SidebarRoom} room
 * @returns {SidebarSection["name"]}
 */
export function sectionOf({ archived, unread, muted, favourite }) {
  if (archived) return "archived";
  if (unread > 0 && !muted) return "unread";
  return favourite ? "favourites" : "rooms";
}

/**
 * The sections that have rooms, each in natural order.
 *
 * @param {SidebarRoom[]} rooms
 * @param {{ slug: string, section: SidebarSection["name"] } | null} kept  the open room stays where it was as it was opened
 * @returns {SidebarSection[]}
 */
export function sections(rooms, kept) {
  /** @type {Record<SidebarSection["name"], SidebarRoom[]>} */
  const by = { unread: [], favourites: [], rooms: [], archived: [] };
  for (const room of inOrder(new Map(rooms.map((room) => [room.slug, room])))) {
    const shown = /** @type {SidebarRoom} */ (room);
    by[kept?.slug === shown.slug ? keptIn(shown, kept.section) : sectionOf(shown)].push(shown);
  }
  const names = /** @type {SidebarSection["name"][]} */ (Object.keys(SECTIONS));
  return names.map((name) => ({ name, rooms: by[name] })).filter((section) => section.rooms.length > 0);
}

/**
 * The section of the open room: what is read or comes in it moves it neither out of the unread rooms nor to them.
 *
 * @param {SidebarRoom} room
 * @param {SidebarSection["name"]} section  as the room was opened
 */
function keptIn(room, section) {
  if (section === "unread" && !room.archived) return section;
  return sectionOf({ ...room, unread: 0 });
}

/**
 * The slug of the next room in the list; null: there is no other one.
 *
 * @param {SidebarSection[]} shown
 * @param {string | null} here
 * @param {number} step  1 or -1
 * @param {boolean} onlyUnread
 */
export function neighbour(shown, here, step, onlyUnread) {
  const all = shown.filter(({ name }) => name !== "archived").flatMap(({ rooms }) => rooms);
  const start = all.findIndex(({ slug }) => slug === here);
  for (let count = 1; count <= all.length; count += 1) {
    const from = start < 0 && step < 0 ? all.length : start;
    const room = all[(((from + step * count) % all.length) + all.length) % all.length];
    if (room !== undefined && room.slug !== here && (!onlyUnread || (room.unread > 0 && !room.muted))) return room.slug;
  }
  return null;
}
