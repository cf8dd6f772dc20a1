// The settings of a room. Sends what this user has changed, and shows what somebody else changes meanwhile.

import { gettext } from "../../hubbub/js/texts.js";
import { live } from "../vendor/lit-html/directives/live.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { Dialog } from "./dialog.js";
import { changesOf, followed, settingsOf } from "./dialog-changes.js";

/** @import { Page } from "./dialog.js" */
/** @import { Name, Settings } from "./dialog-changes.js" */

const LOOK_MS = 500; // Between two comparisons with the room.
const TEXTS = {
  heading: gettext("Room settings"),
  title: gettext("Title"),
  description: gettext("Description"),
  private: gettext("Private: members only"),
  archived: gettext("Archived: nobody can write"),
  save: gettext("Save"),
  followed: gettext("Somebody else has changed this just now."),
  conflict: gettext("Somebody else has changed this just now, to:"),
  empty: gettext("(nothing)"),
};

/** @param {Page} page */
export function openSettings(page) {
  const { send } = page;
  const { slug } = page.room();
  let room = settingsOf(page.room());
  let shown = room;
  /** @type {Set<Name>} changed by somebody else since the dialog was opened */
  const foreign = new Set();

  /** @param {Name} name */
  const note = (name) => {
    const isConflict = name in changesOf(shown, room);
    if (!foreign.has(name)) return nothing;
    if (!isConflict || typeof room[name] === "boolean") return html`${TEXTS.followed}`;
    return html`${TEXTS.conflict} <bdi>${room[name] || TEXTS.empty}</bdi>`;
  };
  /**
   * @param {"title" | "description"} name
   * @param {number} length
   */
  const text = (name, length) => html`
    <label for=${`settings-${name}`}>${TEXTS[name]}</label>
    <input id=${`settings-${name}`} name=${name} maxlength=${length} ?required=${name === "title"} dir="auto" autocomplete="off"
      aria-describedby=${`settings-${name}-note`} .defaultValue=${room[name]} .value=${live(shown[name])}>
    <p class="dialog-note" id=${`settings-${name}-note`} role="status">${note(name)}</p>`;
  /** @param {"private" | "archived"} name */
  const check = (name) => html`
    <label class="dialog-check"><input type="checkbox" name=${name} .defaultChecked=${room[name]} .checked=${live(shown[name])}>
      ${TEXTS[name]}</label>
    <p class="dialog-note" role="status">${note(name)}</p>`;

  /** @param {Event} event */
  const typed = ({ target }) => {
    const input = /** @type {HTMLInputElement} */ (target);
    shown = { ...shown, [input.name]: input.type === "checkbox" ? input.checked : input.value };
  };
  const dialog = new Dialog({
    name: "settings",
    heading: TEXTS.heading,
    content: () =>
      html`<div @input=${typed}>${text("title", 80)}${text("description", 200)}${check("private")}${check("archived")}</div>`,
    submit: {
      label: TEXTS.save,
      async run(fields) {
        const changes = changesOf(/** @type {Settings} */ (/** @type {unknown} */ (fields)), room);
        if (Object.keys(changes).length > 0) await send("room.change", changes);
      },
    },
    closed: () => clearInterval(timer),
  });
  const timer = setInterval(() => {
    const here = page.room();
    if (here?.slug !== slug || dialog.isBusy) return; // What is being saved comes back as a change.
    const now = settingsOf(here);
    const names = /** @type {Name[]} */ (Object.keys(changesOf(now, room)));
    if (names.length === 0) return;
    for (const name of names) foreign.add(name);
    shown = followed(shown, room, now);
    room = now;
    dialog.update();
  }, LOOK_MS);
  return dialog;
}
