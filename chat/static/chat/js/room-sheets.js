// The two lists beside the log, rooms and people: columns on a wide page, sheets over it on a narrow one.

import { find } from "../../hubbub/js/dom.js";
import { showAvatar } from "./avatars.js";
import { part, stamp } from "./message-rows.js";

/** @import { Person, Present } from "../../hubbub/js/types.js" */
/** @import { RoomState } from "./types.js" */

/** The users who are present. */
export class PeopleList {
  #root;
  /** @type {Present | null | undefined} as it is shown; undefined before the first answer */
  #present;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
  }

  /** @param {RoomState} state */
  render({ present, joined, me }) {
    if (!joined || present === this.#present) return; // Before the first answer the list keeps its space.
    this.#present = present;
    const people = part(this.#root, "people");
    const toggle = part(this.#root, "people-toggle");
    this.#root.classList.toggle("has-people", present !== null);
    toggle.hidden = people.hidden = present === null;
    if (present === null) return;
    const count = present.count.toLocaleString("en");
    for (const place of this.#root.querySelectorAll("[data-role=people-count]")) place.textContent = count;
    toggle.setAttribute("aria-label", `People here: ${count}`);
    part(people, "people-many").hidden = present.users !== null;
    part(people, "people-list").replaceChildren(...(present.users ?? []).map((user) => itemOf(user, me)));
  }
}

/**
 * Makes the buttons of the lists work, and closes sheets that lose the focus.
 *
 * @param {HTMLElement} root
 */
export function wireSheets(root) {
  const wide = matchMedia("(min-width: 56.25rem)");
  const [toggle, people, rooms] = [part(root, "people-toggle"), part(root, "people"), part(root, "rooms")];
  const showExpanded = () => {
    const shown = wide.matches ? !root.classList.contains("hides-people") : people.matches(":popover-open");
    toggle.setAttribute("aria-expanded", String(shown));
  };
  toggle.addEventListener("click", () => {
    if (wide.matches) root.classList.toggle("hides-people");
    else people.togglePopover();
    showExpanded();
  });
  people.addEventListener("toggle", showExpanded);
  // On a wide page the list is a column, so an open sheet closes.
  wide.addEventListener("change", () => {
    people.hidePopover();
    showExpanded();
  });
  showExpanded();
  matchMedia("(min-width: 40rem)").addEventListener("change", () => rooms.hidePopover());
  for (const sheet of [rooms, people]) keepFocusIn(sheet);
}

/**
 * @param {Person} user
 * @param {Person} me
 */
function itemOf(user, me) {
  const { id, name, status } = user;
  const item = stamp("person");
  part(item, "you").hidden = id !== me.id;
  showAvatar(part(item, "avatar"), user);
  const label = part(item, "name");
  label.textContent = name;
  label.title = status ? `${name}: ${status}` : name; // A long name is cut.
  return item;
}

/**
 * A sheet opens with the focus on its close button, and closes when the focus leaves it. The browser handles Escape.
 *
 * @param {HTMLElement} sheet
 */
function keepFocusIn(sheet) {
  sheet.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState === "open") find(sheet, ".sheet-close", HTMLElement).focus();
  });
  sheet.addEventListener("focusout", ({ relatedTarget }) => {
    if (!sheet.matches(":popover-open") || !(relatedTarget instanceof Node)) return;
    if (!sheet.contains(relatedTarget)) sheet.hidePopover();
  });
}
