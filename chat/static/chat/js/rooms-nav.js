// The list of rooms beside a room.

import { copyOf, find } from "../../hubbub/js/dom.js";
import { showRooms } from "./room-list.js";

/** @import { RoomEntry } from "./types.js" */

export class RoomsNav {
  #list;
  #row;
  #path;
  #here;

  /**
   * @param {Document} page
   * @param {string} path  of a room, with `slug` in the place of its slug
   * @param {string} here  the slug of the page's own room
   */
  constructor(page, path, here) {
    this.#list = find(page, "#rooms ul", HTMLElement);
    this.#row = find(page, "#rooms-row", HTMLTemplateElement);
    this.#path = path;
    this.#here = here;
  }

  /** @param {RoomEntry[]} rooms  in order */
  show(rooms) {
    showRooms(this.#list, rooms, {
      make: (room) => this.#make(room),
      show: (element, room) => this.#show(element, room),
    });
  }

  /** @param {RoomEntry} room */
  #make(room) {
    const element = copyOf(this.#row);
    const link = find(element, "a", HTMLAnchorElement);
    link.setAttribute("href", this.#path.replace(/slug(?=\/?$)/, room.slug));
    if (room.slug === this.#here) link.setAttribute("aria-current", "page");
    return element;
  }

  /**
   * @param {HTMLElement} element
   * @param {RoomEntry} room
   */
  #show(element, room) {
    const title = find(element, "[data-role=room-title]", HTMLElement);
    if (title.textContent !== room.title) title.textContent = room.title;
    find(element, "[data-role=room-private]", HTMLElement).hidden = !room.private;
    find(element, "[data-role=room-archived]", HTMLElement).hidden = !room.archived;
  }
}
