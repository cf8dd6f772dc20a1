// The commands in the menu of a room: in the room's header, and in its row of the list.

import { failureOf } from "../../hubbub/js/errors.js";
import { openLeave } from "./dialog-leave.js";
import { openMembers } from "./dialog-members.js";
import { openSettings } from "./dialog-settings.js";
import { failureText } from "./failure-texts.js";

/** @import { Page } from "./dialog.js" */
/** @import { MenuItem } from "./menu.js" */

const TEXTS = {
  members: "Members",
  settings: "Room settings",
  copy: "Copy link",
  copied: "Link copied.",
  notCopied: "The browser does not allow copying. The address:",
  read: "Mark as read",
  mute: "Mute",
  unmute: "Unmute",
  favourite: "Add to favourites",
  unfavourite: "Remove from favourites",
  leave: "Leave",
};

/**
 * A room as its menu needs it.
 * @typedef {object} RoomOfMenu
 * @property {string} slug
 * @property {string} title
 * @property {boolean} private
 * @property {string} address  of its page, also without the host
 * @property {number} unread
 * @property {number} last_seq
 * @property {number} read_version
 * @property {boolean} muted
 * @property {boolean} favourite
 */

/**
 * @typedef {object} MenuCalls
 * @property {Page} page
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
    copyItem(room, calls),
    ...ownItems(room, calls),
    { label: TEXTS.leave, icon: "leave", isDanger: true, run: () => void openLeave(page) },
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
  const { page } = calls;
  const isShown = page.room()?.slug === room.slug;
  const leave = () => {
    if (isShown) openLeave(page);
    else openLeave({ hub: page.hub, send: sender(room, page), room: () => asShown(room), goTo: () => {} });
  };
  return [
    ...ownItems(room, calls),
    copyItem(room, calls),
    { label: TEXTS.leave, icon: "leave", isDanger: true, run: leave },
  ];
}

/**
 * What is the user's own in the room.
 *
 * @param {RoomOfMenu} room
 * @param {MenuCalls} calls
 * @returns {MenuItem[]}
 */
function ownItems(room, { page, notice }) {
  const { unread, last_seq: seq, read_version: version, muted, favourite } = room;
  const send = sender(room, page);
  /**
   * @param {string} command
   * @param {Record<string, unknown>} fields
   */
  const sends = (command, fields) => () =>
    void send(command, fields).catch((error) => notice(failureText(failureOf(error))));
  const read = { label: TEXTS.read, icon: "check", run: sends("room.read", { seq, version }) };
  return [
    ...(unread > 0 ? [read] : []),
    {
      label: muted ? TEXTS.unmute : TEXTS.mute,
      icon: muted ? "bell" : "bell-off",
      run: sends("room.mute", { on: !muted }),
    },
    {
      label: favourite ? TEXTS.unfavourite : TEXTS.favourite,
      icon: favourite ? "star-filled" : "star",
      run: sends("room.favourite", { on: !favourite }),
    },
  ];
}

/**
 * @param {RoomOfMenu} room
 * @param {MenuCalls} calls
 * @returns {MenuItem}
 */
function copyItem({ address }, { notice }) {
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

/**
 * @param {RoomOfMenu} room
 * @param {Page} page
 * @returns {Page["send"]}
 */
function sender({ slug }, { hub }) {
  return (command, fields) => hub.send(`room/${slug}`, command, fields);
}

/**
 * @param {RoomOfMenu} room
 * @returns {ReturnType<Page["room"]>}
 */
function asShown({ slug, title, private: isPrivate }) {
  return { slug, title, description: "", archived: false, private: isPrivate, role: "member", manages: false };
}
