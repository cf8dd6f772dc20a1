// The people who are present: their number in the header, and the list in the slot.

import { gettext } from "../../hubbub/js/texts.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { draw } from "./draw.js";
import { part } from "./parts.js";
import { avatar } from "./row-templates.js";

/** @import { Person, Present } from "../../hubbub/js/types.js" */
/** @import { RoomState } from "./types.js" */

const TEXTS = {
  label: gettext("People here"),
  many: gettext("Too many people to list."),
  you: gettext("you"),
};

export class PeopleList {
  #root;
  /** @type {[Present | null, Person] | null} as they are shown; null before the first answer */
  #shown = null;

  /** @param {HTMLElement} root  of the page */
  constructor(root) {
    this.#root = root;
  }

  /** Another room is shown: those of the former one are not there. */
  forget() {
    if (this.#shown === null) return;
    this.#shown = null;
    for (const place of this.#root.querySelectorAll("[data-role=people-count]")) place.textContent = "";
    draw(() => nothing, part(this.#root, "people-content"));
  }

  /** @param {Pick<RoomState, "present" | "joined" | "me">} state */
  render({ present, joined, me }) {
    if (!joined) return; // Before the first answer the list keeps its space.
    if (this.#shown !== null && this.#shown[0] === present && this.#shown[1] === me) return;
    this.#shown = [present, me];
    const toggle = part(this.#root, "people-toggle");
    toggle.hidden = present === null;
    const count = present?.count.toLocaleString(document.documentElement.lang) ?? "";
    for (const place of this.#root.querySelectorAll("[data-role=people-count]")) place.textContent = count;
    toggle.setAttribute("aria-label", `${TEXTS.label}: ${count}`);
    draw(() => list(present, me), part(this.#root, "people-content"));
  }
}

/**
 * @param {Present | null} present
 * @param {Person} me
 */
function list(present, me) {
  if (present === null) return nothing;
  if (present.users === null) return html`<p class="people-many soft">${TEXTS.many}</p>`;
  const rows = repeat(
    present.users,
    ({ id }) => id,
    (user) => row(user, user.id === me.id),
  );
  return html`<ul data-role="people-list">${rows}</ul>`;
}

/**
 * @param {Person} user
 * @param {boolean} isMe
 */
function row(user, isMe) {
  const { name, status } = user;
  return html`<li class="person">
    ${avatar(user)}
    <span class="person-text">
      <bdi title=${name}>${name}</bdi>
      ${status ? html`<span class="person-status" title=${status} dir="auto">${status}</span>` : nothing}
    </span>
    ${isMe ? html`<span class="person-you" data-role="you">${TEXTS.you}</span>` : nothing}
  </li>`;
}
