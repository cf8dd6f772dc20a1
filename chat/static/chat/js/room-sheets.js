// The list of the users who are present.

import { render } from "../vendor/lit-html/lit-html.js";
import { part, stamp } from "./parts.js";
import { avatar } from "./row-templates.js";

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
    toggle.hidden = present === null;
    if (present === null) return;
    const count = present.count.toLocaleString("en");
    for (const place of this.#root.querySelectorAll("[data-role=people-count]")) place.textContent = count;
    toggle.setAttribute("aria-label", `People here: ${count}`);
    part(people, "people-many").hidden = present.users !== null;
    part(people, "people-list").replaceChildren(...(present.users ?? []).map((user) => itemOf(user, me)));
  }
}

/**
 * @param {Person} user
 * @param {Person} me
 */
function itemOf(user, me) {
  const { id, name, status } = user;
  const item = stamp("person");
  part(item, "you").hidden = id !== me.id;
  render(avatar(user), part(item, "avatar"));
  const label = part(item, "name");
  label.textContent = name;
  label.title = status ? `${name}: ${status}` : name; // A long name is cut.
  return item;
}
