// The lobby, live: last words are shown as they come. What changes the list itself is rare, and fetched as a page.

import { browser } from "../../hubbub/js/browser.js";
import { find } from "../../hubbub/js/dom.js";
import { Hubbub } from "../../hubbub/js/hub.js";
import { ownIdOf, showOwnName } from "../../hubbub/js/own-name.js";
import { showTimes } from "./lobby-times.js";
import { watchRooms } from "./room-list.js";

/** @import { LastWords, RoomEntry } from "./types.js" */

const FETCH_MS = 300; // Changes of the list that come together share a request.

const column = find(document, "main .column", HTMLElement);
const { socketPath = "", livePath = "" } = column.dataset;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let fetching;

const hub = new Hubbub(
  {
    path: socketPath,
    http: livePath || null,
    hello({ user }) {
      if (user.id === ownIdOf(document)) return true;
      location.reload(); // Another user has signed in with this browser: this page shows the rooms of the former one.
      return false;
    },
    event(frame) {
      if (frame.type === "person.changed" && frame.user.id === ownIdOf(document)) showOwnName(frame.user.name);
    },
  },
  browser(),
);
watchRooms(hub, show);
document.addEventListener("signing-out", () => hub.close());

/** @param {RoomEntry[]} rooms */
function show(rooms) {
  const rows = /** @type {NodeListOf<HTMLElement>} */ (column.querySelectorAll("li[data-slug]"));
  const bySlug = new Map([...rows].map((row) => [row.dataset.slug, row]));
  if (rooms.length !== bySlug.size || !rooms.every((room) => isShown(bySlug.get(room.slug), room))) {
    clearTimeout(fetching);
    fetching = setTimeout(() => document.dispatchEvent(new Event("rooms-changed")), FETCH_MS);
    return;
  }
  for (const room of rooms) showLast(/** @type {HTMLElement} */ (bySlug.get(room.slug)), room.last);
  showTimes();
}

/**
 * Whether the row shows everything of the room but its last words.
 *
 * @param {HTMLElement | undefined} row
 * @param {RoomEntry} room
 */
function isShown(row, room) {
  return (
    row !== undefined &&
    row.querySelector(".lobby-title")?.textContent === room.title &&
    row.hasAttribute("data-private") === room.private &&
    row.hasAttribute("data-archived") === room.archived &&
    (row.querySelector("time") !== null) === (room.last !== null)
  );
}

/**
 * @param {HTMLElement} row
 * @param {LastWords | null} last
 */
function showLast(row, last) {
  const time = row.querySelector("time");
  if (last === null || time === null) return;
  time.dateTime = last.at;
  const place = find(row, "[data-role=last]", HTMLElement);
  if (last.text === null) {
    const deleted = document.createElement("em");
    deleted.textContent = "message deleted";
    place.replaceChildren(deleted);
    return;
  }
  const author = document.createElement("bdi");
  author.className = "lobby-author";
  author.textContent = last.user.name;
  place.replaceChildren(author, `: ${last.text}`);
}
