// A composer in a room where the user may not write: the reason in its place. A half-written text stays, to be copied.

import { gettext } from "../../hubbub/js/texts.js";
import { part } from "./parts.js";

/** @import { Field } from "./composer-field.js" */
/** @import { RoomState } from "./types.js" */

const ARCHIVED = gettext("This room is archived: you can read, but not write.");
const READER = gettext("You are not a member: you can read, but not write. Members see that you are here.");
const CLOSED = gettext("You cannot write here any more.");
const COPIED = gettext("Copied.");
const SELECTED = gettext("The text is selected. Copy it with Ctrl+C or ⌘C.");

/**
 * Why the user may not write in a room; "": they may.
 *
 * @param {Pick<RoomState, "room" | "closed">} state
 */
export function whyLocked({ room, closed }) {
  if (closed !== null) return CLOSED;
  if (room.archived) return ARCHIVED;
  return room.role === "reader" ? READER : "";
}

export class Lock {
  #form;
  #field;
  #why = "";

  /**
   * @param {HTMLElement} form
   * @param {Field} field
   */
  constructor(form, field) {
    this.#form = form;
    this.#field = field;
    part(form, "copy").addEventListener("click", () => this.#copy());
  }

  /** The reason; "": the composer is open. */
  get why() {
    return this.#why;
  }

  set why(why) {
    this.#why = why;
    const isLocked = why !== "";
    const hasText = this.#field.text.trim() !== "";
    this.#form.classList.toggle("is-locked", isLocked);
    this.#form.classList.toggle("has-text", hasText);
    part(this.#form, "lock").hidden = !isLocked;
    part(this.#form, "why").textContent = why;
    part(this.#form, "copy").hidden = !hasText;
    part(this.#form, "copied").textContent = "";
    // A disabled field could not be selected by keyboard.
    this.#field.element.readOnly = isLocked;
    this.#field.element.disabled = isLocked && !hasText;
  }

  async #copy() {
    const area = this.#field.element;
    area.focus();
    area.select();
    part(this.#form, "copied").textContent = (await copied(area.value)) ? COPIED : SELECTED;
  }
}

/**
 * Copies a text, which is selected. Plain http has no clipboard for scripts, and a browser may refuse it.
 *
 * @param {string} text
 */
async function copied(text) {
  try {
    if (navigator.clipboard === undefined) return document.execCommand("copy");
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return document.execCommand("copy");
  }
}
