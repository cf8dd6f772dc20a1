// The dialog for a new room.

import { failureOf } from "../../hubbub/js/errors.js";
import { newId } from "../../hubbub/js/new-id.js";
import { gettext } from "../../hubbub/js/texts.js";
import { html } from "../vendor/lit-html/lit-html.js";
import { Dialog } from "./dialog.js";

/** @import { Page } from "./dialog.js" */
/** @import { Fields } from "./dialog-fields.js" */
/** @import { RoomMade } from "./types.js" */

// After these the attempt may have made the room, or may still make it when it is sent again.
const UNDECIDED = new Set(["disconnected", "unavailable", "internal", "rate_limited"]);
const TEXTS = {
  heading: gettext("New room"),
  title: gettext("Title"),
  description: gettext("Description"),
  private: gettext("Private: members only"),
  make: gettext("Make the room"),
};

/** @param {Page} page */
export function openCreate(page) {
  const make = maker((address, command, fields) => page.hub.send(address, command, fields));
  return new Dialog({
    name: "create",
    heading: TEXTS.heading,
    content: () => html`
      <label for="create-title">${TEXTS.title}</label>
      <input id="create-title" name="title" maxlength="80" required dir="auto" autocomplete="off">
      <label for="create-description">${TEXTS.description}</label>
      <input id="create-description" name="description" maxlength="200" dir="auto" autocomplete="off">
      <label class="dialog-check"><input type="checkbox" name="private"> ${TEXTS.private}</label>`,
    submit: {
      label: TEXTS.make,
      run: async (fields) => page.goTo(await make(fields)),
    },
  });
}

/**
 * Makes one room, however often it has to be tried.
 *
 * An attempt without an answer may have made the room. The server then gives its answer again to the same command with the
 * same id, so that attempt is repeated first; fields that were changed since are changed in the room that exists.
 *
 * @param {(address: string, command: string, fields: Fields) => Promise<any>} send
 * @returns {(fields: Fields) => Promise<string>} resolves with the slug
 */
export function maker(send) {
  /** @type {Fields | null} the attempt without an answer */
  let open = null;
  return async function make(fields) {
    const attempt = open ?? { id: newId(), ...fields };
    open = attempt;
    let slug;
    try {
      slug = /** @type {RoomMade} */ (await send("lobby", "room.create", attempt)).slug;
    } catch (error) {
      if (UNDECIDED.has(failureOf(error).code)) throw error;
      open = null; // It has made no room.
      if (isOf(attempt, fields)) throw error;
      return make(fields);
    }
    const changed = Object.entries(fields).filter(([name, value]) => attempt[name] !== value);
    if (changed.length > 0) await send(`room/${slug}`, "room.change", Object.fromEntries(changed));
    return slug;
  };
}

/**
 * @param {Fields} attempt
 * @param {Fields} fields
 */
function isOf(attempt, fields) {
  return Object.entries(fields).every(([name, value]) => attempt[name] === value);
}
