// The menus of rooms, the dialogs, and the field "Jump to…" of the page, wired.

import { openBrowse } from "./dialog-browse.js";
import { openCreate } from "./dialog-create.js";
import { Jump } from "./jump.js";
import { toggleMenu, wireMenu } from "./menu.js";
import { roomItems, rowItems } from "./menu-items.js";
import { part } from "./parts.js";
import { peopleOf } from "./people-known.js";

/** @import { Hubbub } from "../../hubbub/js/hub.js" */
/** @import { Page, RoomOfPage } from "./dialog.js" */
/** @import { MenuCalls } from "./menu-items.js" */
/** @import { OwnStates } from "./own-states.js" */
/** @import { RoomSession } from "./room-session.js" */
/** @import { SidebarRoom } from "./types.js" */

/**
 * What dialogs and menus need of the page.
 * @typedef {object} DialogCalls
 * @property {Hubbub} hub
 * @property {() => RoomSession | null} page  the open room
 * @property {() => RoomSession[]} sessions  of all rooms that the page keeps
 * @property {(slug: string | null) => void} go  shows a room, or the list of rooms
 * @property {(slug: string) => string} addressOf
 * @property {() => SidebarRoom[]} rooms  of the list
 * @property {string | null} adminPath  of a room in the admin, with `slug` in the place of its slug
 * @property {OwnStates} own
 * @property {(text: string) => void} notice  shows a sentence
 */

/**
 * Makes the buttons of menus and dialogs work.
 *
 * @param {HTMLElement} root
 * @param {DialogCalls} calls
 */
export function wireDialogs(root, calls) {
  const { hub, go } = calls;
  const lobby = { ...pageOf(null, calls), goTo: go };
  const createButton = root.querySelector("[data-role=create-open]");
  const create = () => void openCreate(lobby);
  const browse = () => void openBrowse(lobby);
  createButton?.addEventListener("click", create);
  part(root, "browse-open").addEventListener("click", browse);
  const menuButton = part(root, "room-menu");
  wireMenu(menuButton, {
    label: menuButton.getAttribute("aria-label") ?? "",
    items() {
      const session = calls.page();
      return session === null ? [] : roomItems(knownRoom(session, calls), menuCalls(session.slug, calls));
    },
  });
  const jump = new Jump(part(root, "jump-to"), {
    entries: calls.rooms,
    goTo: go,
    browse,
    create: createButton === null ? null : create,
  });
  return {
    hub,
    jump,
    lobby,
    /**
     * The menu of a row in the list.
     *
     * @param {SidebarRoom} room
     * @param {HTMLElement} button
     */
    menu: (room, button) =>
      toggleMenu(button, { label: room.title, items: () => rowItems(room, menuCalls(room.slug, calls)) }),
  };
}

/**
 * The room as the list has it; a room that is not on the list has nothing of the user's own.
 *
 * @param {RoomSession} session
 * @param {DialogCalls} calls
 */
function knownRoom({ slug, state }, { rooms }) {
  const entry = rooms().find((room) => room.slug === slug);
  return entry ?? { slug, last_seq: state.lastSeq, unread: 0, muted: false, favourite: false };
}

/**
 * @param {string} slug
 * @param {DialogCalls} calls
 * @returns {MenuCalls}
 */
function menuCalls(slug, calls) {
  const { addressOf, adminPath, notice, own, page } = calls;
  const room = pageOf(slug, calls);
  return {
    page: room,
    address: addressOf(slug),
    admin: adminPath?.replace(/slug(?=\/manage\/$)/, encodeURIComponent(slug)) ?? null,
    notice,
    async markRead() {
      const here = page();
      if (here?.slug === slug) {
        here.reading.markRead();
        return;
      }
      const version = own.state.rooms[slug]?.read_version ?? 0;
      const stored = await room.send("room.read", { seq: own.state.last[slug] ?? 0, version });
      own.answered(slug, stored.seq, stored.version);
    },
  };
}

/**
 * The page as the dialogs of a room see it: also when another room is shown since.
 *
 * @param {string | null} slug
 * @param {DialogCalls} calls
 * @returns {Page}
 */
function pageOf(slug, { hub, page, sessions, go, rooms }) {
  return {
    hub,
    send: (command, fields) => hub.send(`room/${slug}`, command, fields),
    room() {
      const here = page();
      if (here === null || here.slug !== slug) return listed(rooms().find((room) => room.slug === slug));
      const { room } = here.state;
      return { ...room, private: room.private === true, manages: room.manages || room.role === "moderator" };
    },
    people: () => peopleOf(sessions().map(({ state }) => state)),
    // A room that was left is shown no longer, but another one stays.
    goTo: (next) => (next !== null || page()?.slug === slug) && go(next),
  };
}

/**
 * What the list knows of a room that is not shown.
 *
 * @param {SidebarRoom | undefined} room
 * @returns {RoomOfPage}
 */
function listed(room) {
  const { slug = "", title = "", archived = false, private: isPrivate = false } = room ?? {};
  return { slug, title, description: "", archived, private: isPrivate, role: "member", manages: false };
}
