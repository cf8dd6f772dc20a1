// The commands in the menu of a room: in the room's header, and in its row of the list.

import { failureOf } from "../../hubbub/js/errors.js";
import { gettext } from "../../hubbub/js/texts.js";
import { openLeave } from "./dialog-leave.js";
import { openMembers } from "./dialog-members.js";
import { openSettings } from "./dialog-settings.js";
import { failureText } from "./failure-texts.js";

/** @import { Page } from "./dialog.js" */
/** @import { MenuItem } from "./menu.js" */

const TEXTS = {
  members: gettext("Members"),
  settings: gettext("Room settings"),
  admin: gettext("Open in the admin"),
  copy: gettext("Copy link"),
  copied: gettext("Link copied."),
  notCopied: gettext("The browser does not allow copying. The address:"),
  read: gettext("Mark as read"),
  mute: gettext("Mute"),
  unmute: gettext("Unmute"),
  favourite: gettext("Add to favourites"),
  unfavourite: gettext("Remove from favourites"),
  leave: gettext("Leave"),
};

/**
 * A room as its menu needs it.
 * @typedef {object} RoomOfMenu
 * @property {string} slug
 * @property {number} last_seq
 * @property {number} unread
 * @property {boolean} muted
 * @property {boolean} favourite
 */

/**
 * @typedef {object} MenuCalls
 * @property {Page} page  of the room
 * @property {string} address  of the room, also without the host
 * @property {string | null} admin  the address that leads to its page in the admin; null: not for this user
 * @property {() => Promise<unknown>} markRead
 * @property {(text: string) => void} notice  shows a sentence
 */

/**
 * The menu in the header of the room that is shown.
 *
 * @param {RoomOfMenu} room
 * @param {MenuCalls} calls
 * @returns {MenuItem[]}
 */
export function roomItems(room, calls) {
  const { page } = calls;
  const settings = { label: TEXTS.settings, icon: "settings", run: () => void openSettings(page) };
  return [
    { label: TEXTS.members, icon: "people", run: () => void openMembers(page) },
    ...(page.room().manages ? [settings] : []),
    ...(calls.admin === null ? [] : [{ label: TEXTS.admin, icon: "open", run: calls.admin }]),
    copyItem(calls),
    ...ownItems(room, calls),
    leaveItem(calls),
  ];
}

/**
 * The menu in the row of a room.
 *
 * @param {RoomOfMenu} room
 * @param {MenuCalls} calls
 * @returns {MenuItem[]}
 */
export function rowItems(room, calls) {
  return [...ownItems(room, calls), copyItem(calls), leaveItem(calls)];
}

/**
 * What is the user's own in the room.
 *
 * @param {RoomOfMenu} room
 * @param {MenuCalls} calls
 * @returns {MenuItem[]}
 */
function ownItems({ unread, muted, favourite }, { page: { send }, markRead, notice }) {
  /** @param {() => Promise<unknown>} command */
  const runs = (command) => () => void command().catch((error) => notice(failureText(failureOf(error))));
  const read = { label: TEXTS.read, icon: "check", run: runs(markRead) };
  return [
    ...(unread > 0 ? [read] : []),
    {
      label: favourite ? TEXTS.unfavourite : TEXTS.favourite,
      icon: favourite ? "star-filled" : "star",
      run: runs(() => send("room.favourite", { on: !favourite })),
    },
    {
      label: muted ? TEXTS.unmute : TEXTS.mute,
      icon: muted ? "bell" : "muted",
      run: runs(() => send("room.mute", { on: !muted })),
    },
  ];
}

/**
 * @param {MenuCalls} calls
 * @returns {MenuItem}
 */
function leaveItem({ page }) {
  return { label: TEXTS.leave, icon: "leave", isDanger: true, run: () => void openLeave(page) };
}

/**
 * @param {MenuCalls} calls
 * @returns {MenuItem}
 */
function copyItem({ address, notice }) {
  const url = new URL(address, location.href).href;
  const run = async () => notice((await copyText(url)) ? TEXTS.copied : `${TEXTS.notCopied} ${url}`);
  return { label: TEXTS.copy, icon: "link", run: () => void run() };
}

/**
 * Copies a text; also on plain http, where scripts have no clipboard.
 *
 * @param {string} text
 * @returns {Promise<boolean>} whether it was copied
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByCommand(text); // No clipboard, or the browser refused it.
  }
}

/** @param {string} text */
function copyByCommand(text) {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return isCopied;
}
