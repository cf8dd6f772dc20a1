// The public rooms that are not on the user's list. A click brings one back and opens it.

import { gettext } from "../../hubbub/js/texts.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { Dialog } from "./dialog.js";
import { Pages } from "./dialog-pages.js";

/** @import { Page } from "./dialog.js" */
/** @import { ListedRoom, RoomsPage } from "./types.js" */

const LIMIT = 100;
const TEXTS = {
  heading: gettext("Browse rooms"),
  none: gettext("Every public room is on your list."),
  about: gettext("Public rooms that are not on your list:"),
  archived: gettext("archived"),
};

/** @param {Page} page */
export function openBrowse(page) {
  const { hub, goTo } = page;
  /** @type {Pages<ListedRoom>} */
  const pages = new Pages(
    async (fields) => {
      /** @type {RoomsPage} */
      const { rooms, next } = await hub.send("lobby", "rooms.browse", { limit: LIMIT, ...fields });
      return { items: rooms, next };
    },
    ({ title }) => title,
  );
  /** @param {string} slug */
  const enter = async (slug) => {
    if (!(await dialog.run(() => hub.send(`room/${slug}`, "room.return")))) return;
    dialog.close();
    goTo(slug);
  };
  /** @param {ListedRoom} room */
  const row = ({ slug, title, description, archived }) => html`<li>
    <button class="browse-room" type="button" data-slug=${slug} @click=${() => enter(slug)}>
      <span class="browse-title"><bdi>${title}</bdi>${archived ? html` <span class="chip">${TEXTS.archived}</span>` : nothing}</span>
      ${description === "" ? nothing : html`<span class="soft" dir="auto">${description}</span>`}
    </button></li>`;
  const dialog = new Dialog({
    name: "browse",
    heading: TEXTS.heading,
    content: (dialog) => html`
      ${pages.items.length + (pages.isEmpty ? 1 : 0) === 0 ? nothing : html`<p class="soft">${pages.isEmpty ? TEXTS.none : TEXTS.about}</p>`}
      ${pages.field(dialog)}
      <ul class="dialog-list" data-role="browse-list">${repeat(pages.found, ({ slug }) => slug, row)}</ul>
      ${pages.rest(dialog)}`,
  });
  pages.load(dialog);
  return dialog;
}
