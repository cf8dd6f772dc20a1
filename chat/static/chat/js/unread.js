// The live list of rooms beside a room with its unread numbers, and the reports of what is read on this page.

import { find } from "../../hubbub/js/dom.js";
import { OwnStates } from "./own-states.js";
import { ReadReports } from "./read-reports.js";
import { watchRooms } from "./room-list.js";
import { RoomsNav } from "./rooms-nav.js";

/** @import { Hubbub } from "../../hubbub/js/hub.js" */
/** @import { RoomTopic } from "./room-topic.js" */

/**
 * @param {object} page
 * @param {Hubbub} page.hub
 * @param {RoomTopic} page.room
 * @param {string} page.slug  of the room
 * @param {string} page.userId
 * @param {string} page.roomPath  of a room, with `slug` in the place of its slug
 * @param {() => boolean} page.isJoined
 */
export function showUnread({ hub, room, slug, userId, roomPath, isJoined }) {
  const nav = new RoomsNav(document, roomPath, slug);
  const own = new OwnStates(hub, userId, find(document, "#rooms", HTMLElement), (rooms) => {
    const mine = rooms[slug];
    if (mine !== undefined) reports.stored(mine.read_seq ?? 0, mine.read_version ?? 0);
  });
  const reports = new ReadReports({
    async send(seq, version) {
      const stored = await room.read(seq, version);
      own.answered(slug, stored.seq, stored.version);
      return stored;
    },
    isLooking: () => isJoined() && document.visibilityState === "visible" && document.hasFocus(),
    now: () => performance.now(),
    later: (run, ms) => setTimeout(run, ms),
  });
  watchRooms(hub, (rooms) => {
    nav.show(rooms);
    own.moved(rooms);
  });
  addEventListener("focus", () => reports.look());
  addEventListener("blur", () => reports.leave());
  addEventListener("pagehide", () => reports.leave());
  return { own, reports };
}
