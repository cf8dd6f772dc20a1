// The edits that are not saved, above the field for a message: offered again, or with what has become of their messages.

import { gettext } from "../../hubbub/js/texts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { draw } from "./draw.js";
import { copyText } from "./menu-items.js";

/** @import { EditOffer, KeptEdit } from "./edits.js" */

/**
 * @typedef {object} OfferCalls
 * @property {(edit: KeptEdit) => void} resume  the edit goes on in its editor
 * @property {(edit: KeptEdit) => void} move  its text goes on as a new message
 * @property {(edit: KeptEdit) => void} drop
 */

const TEXTS = {
  open: gettext("You have an unsaved edit."),
  unknown: gettext("You have an unsaved edit of an earlier message."),
  changed: gettext("The message was changed meanwhile by you in another window."),
  deleted: gettext("The message of your edit was deleted meanwhile."),
  theirs: gettext("The message now:"),
  mine: gettext("Your text:"),
  resume: gettext("Go on editing"),
  resumeChanged: gettext("Go on with your text"),
  move: gettext("Make it a new message"),
  drop: gettext("Discard your text"),
  copy: gettext("Copy your text"),
  copied: gettext("Copied."),
};

export class EditOffers {
  #place;
  /** @type {OfferCalls} */
  #calls;
  /** @type {EditOffer[]} */
  #shown = [];

  /**
   * @param {HTMLElement} place
   * @param {OfferCalls} calls
   */
  constructor(place, calls) {
    this.#place = place;
    this.#calls = calls;
  }

  /**
   * @param {EditOffer[]} offers  the newest comes last
   * @param {boolean} mayWrite  false: the texts can be copied
   */
  render(offers, mayWrite = true) {
    if (offers.length === 0 && this.#shown.length === 0) return;
    this.#shown = offers;
    this.#place.hidden = offers.length === 0;
    draw(() => offers.map((offer) => this.#offer(offer, mayWrite)), this.#place);
  }

  /**
   * @param {EditOffer} offer
   * @param {boolean} mayWrite
   */
  #offer({ edit, case: { kind, theirs, mine } }, mayWrite) {
    const { drop } = this.#calls;
    return html`<section class="edit-offer" data-kind=${kind} data-edit=${edit.seq}>
      <p>${TEXTS[kind === "saved" ? "open" : kind]}</p>
      ${kind === "changed" ? html`<p class="soft">${TEXTS.theirs}</p><blockquote dir="auto">${theirs}</blockquote>` : nothing}
      <p class="soft">${TEXTS.mine}</p><blockquote dir="auto">${mine}</blockquote>
      <p class="edit-offer-actions">
        ${mayWrite ? this.#going(edit, kind) : copyButton(mine)}
        <button class="text-button" type="button" @click=${() => drop(edit)}>${TEXTS.drop}</button>
      </p>
    </section>`;
  }

  /**
   * The button by which a text goes on.
   *
   * @param {KeptEdit} edit
   * @param {EditOffer["case"]["kind"]} kind
   */
  #going(edit, kind) {
    const { resume, move } = this.#calls;
    if (kind === "deleted")
      return html`<button class="text-button" type="button" @click=${() => move(edit)}>${TEXTS.move}</button>`;
    const label = kind === "changed" ? TEXTS.resumeChanged : TEXTS.resume;
    return html`<button class="text-button" type="button" @click=${() => resume(edit)}>${label}</button>`;
  }
}

/** @param {string} text */
function copyButton(text) {
  const copy = async (/** @type {Event} */ { target }) => {
    if (await copyText(text)) /** @type {HTMLElement} */ (target).textContent = TEXTS.copied;
  };
  return html`<button class="text-button" type="button" @click=${copy}>${TEXTS.copy}</button>`;
}
