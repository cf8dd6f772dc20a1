// The rows of the log as lit-html templates. Text goes in as text, never as markup.

import { gettext, interpolate, ngettext } from "../../hubbub/js/texts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { initialsOf, pictureOf, tintOf } from "./avatars.js";
import { clockTime, dayName, fullTime } from "./times.js";

/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { TemplateResult } from "../vendor/lit-html/lit-html.js" */
/** @import { MessageRow, PendingRow, Row } from "./types.js" */

/**
 * What the rows need of the log.
 * @typedef {object} RowParts
 * @property {(row: MessageRow | PendingRow) => HTMLElement} body  the element of the text, the same while the text is
 * @property {(row: MessageRow) => HTMLElement} editor  the form in which the text is edited
 * @property {() => void} older
 * @property {() => void} newer
 * @property {(id: string) => void} retry
 * @property {(id: string) => void} discard
 */

/**
 * @param {Row} row
 * @param {RowParts} parts
 * @returns {TemplateResult}
 */
export function rowTemplate(row, parts) {
  switch (row.kind) {
    case "message":
      return messageTemplate(row, parts);
    case "pending":
      return pendingTemplate(row, parts);
    case "deleted": {
      const words = ngettext("%(n)s message deleted", "%(n)s messages deleted", row.count);
      const text = interpolate(words, { n: row.count });
      return html`<article class="message is-deleted is-run" data-seq=${row.seq} data-first=${row.first} tabindex="-1" aria-label=${text}>
        <div class="message-content"><div class="message-body">${text}</div></div></article>`;
    }
    case "day":
      return html`<h2 class="day"><span>${dayName(row.at)}</span></h2>`;
    case "new":
      return html`<p class="day is-new"><span>${gettext("New")}</span></p>`;
    case "older":
      return html`<p class="older"><button class="text-button" type="button" @click=${parts.older}>${
        row.loading ? gettext("Loading…") : gettext("Older messages")
      }</button></p>`;
    case "newer":
      return html`<p class="older"><button class="text-button" type="button" @click=${parts.newer}>${
        row.loading ? gettext("Loading…") : gettext("Newer messages")
      }</button></p>`;
    default:
      return html`<p class="older">${gettext("This is the start of the room.")}</p>`;
  }
}

/**
 * @param {MessageRow} row
 * @param {RowParts} parts
 */
function messageTemplate(row, parts) {
  const { message, own, editing } = row;
  const { user, at, seq, deleted } = message;
  return article(row, {
    name: `${own ? " is-own" : ""}${deleted ? " is-deleted" : ""}${editing ? " is-edited-now" : ""}`,
    label: `${user.name}, ${clockTime(at)}`,
    seq,
    user,
    at,
    own,
    body: editing ? parts.editor(row) : parts.body(row),
  });
}

/**
 * @param {PendingRow} row
 * @param {RowParts} parts
 */
function pendingTemplate(row, parts) {
  const { post, user } = row;
  return article(row, {
    name: ` is-own ${post.error === null ? "is-pending" : "is-failed"}`,
    label: interpolate(gettext("%(name)s, not sent yet"), { name: user.name }),
    user,
    at: post.at,
    own: true,
    body: parts.body(row),
    below: post.error === null ? sending : failed(row, parts),
  });
}

const sending = html`<p class="sending is-delayed"><svg class="icon" aria-hidden="true"><use href="#icon-clock"/></svg>${gettext("Sending…")}</p>`;

/**
 * One template for messages and for posts that wait: as a post is saved, its element stays, with the focus in it.
 *
 * @param {MessageRow | PendingRow} row
 * @param {{ name: string, label: string, seq?: number, user: Person, at: string, own: boolean, body: HTMLElement, below?: unknown }} parts
 */
function article({ starts }, { name, label, seq, user, at, own, body, below = nothing }) {
  return html`<article class=${`message${starts ? " is-start" : ""}${name}`} data-seq=${seq ?? nothing} tabindex="-1" aria-label=${label}>
    ${starts ? avatar(user) : nothing}
    ${starts ? nothing : gutter(at)}
    <div class="message-content">
      ${starts ? head(user, at, own) : nothing}
      ${body}
      ${below}
    </div>
  </article>`;
}

/**
 * @param {PendingRow} row
 * @param {RowParts} parts
 */
function failed({ post }, parts) {
  // A frame that is too long would close the connection again.
  const again = html`<button class="text-button" type="button" data-role="retry" @click=${() => parts.retry(post.id)}>${gettext("Send again")}</button>`;
  return html`<p class="failed" role="alert">
    <svg class="icon" aria-hidden="true"><use href="#icon-warning"/></svg><span>${gettext("Not sent.")} ${post.error?.text}</span>
    ${post.error?.code === "too_long" ? nothing : again}
    <button class="text-button" type="button" data-role="discard" @click=${() => parts.discard(post.id)}>${gettext("Discard")}</button>
  </p>`;
}

/**
 * @param {Person} user
 * @param {string} at
 * @param {boolean} own
 */
function head({ name }, at, own) {
  return html`<p class="message-head"><span class="message-name"><bdi data-role="name">${name}</bdi></span>${
    own ? html`<span class="message-you">· ${gettext("you")}</span>` : nothing
  } <time datetime=${at} title=${fullTime(at)}>${clockTime(at)}</time></p>`;
}

/** @param {string} at */
const gutter = (at) =>
  html`<time class="message-gutter" aria-hidden="true" datetime=${at} title=${fullTime(at)}>${clockTime(at)}</time>`;

/**
 * The picture of a user, or initials in a colour of the name.
 *
 * @param {Person} user
 */
export function avatar(user) {
  const picture = pictureOf(user);
  const tint = user.id === null ? "is-gone" : `tint-${tintOf(user.name)}`;
  return html`<span class=${`avatar ${tint}${picture === null ? "" : " is-picture"}`} aria-hidden="true">${initialsOf(user.name)}${
    picture === null ? nothing : html`<img alt="" loading="lazy" src=${picture} @load=${shown} @error=${hidden}>`
  }</span>`;
}

/** @param {Event} event  of an image: initials would shine through it */
const shown = ({ target }) => /** @type {HTMLElement} */ (target).parentElement?.classList.add("has-picture");

/** @param {Event} event */
function hidden({ target }) {
  const image = /** @type {HTMLElement} */ (target);
  image.hidden = true;
  image.parentElement?.classList.remove("has-picture");
}
