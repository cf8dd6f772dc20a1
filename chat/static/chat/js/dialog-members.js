// The members of a room: who they are, and for those who manage it, inviting, appointing and removing.

import { gettext } from "../../hubbub/js/texts.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";

import { Dialog, focusIn } from "./dialog.js";
import { Pages } from "./dialog-pages.js";
import { menuButton } from "./menu.js";
import { suggested } from "./people-known.js";
import { avatar } from "./row-templates.js";

/** @import { Page } from "./dialog.js" */
/** @import { Member, MembersPage } from "./types.js" */

const LIMIT = 100; // Members in one answer; no room needs more at once.
const TEXTS = {
  heading: gettext("Members"),
  public: gettext("Everybody may read and write here. These belong to the room."),
  invite: gettext("Invite by name"),
  send: gettext("Invite"),
  invited: gettext("Invited:"),
  moderator: gettext("moderator"),
  you: gettext("you"),
  appoint: gettext("Make moderator"),
  dismiss: gettext("Make member"),
  remove: gettext("Remove"),
  question: gettext("Remove from the room?"),
  keep: gettext("Keep"),
};

/** @param {Page} page */
export function openMembers(page) {
  return new Members(page).dialog;
}

class Members {
  dialog;
  #page;
  #send;
  #room;
  /** @type {Pages<Member>} */
  #pages;
  /** @type {string | null} the id of the member of the question */
  #asked = null;
  #invited = "";

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    this.#send = page.send;
    this.#room = page.room();
    this.#pages = new Pages(
      async (fields) => {
        /** @type {MembersPage} */
        const { members, next } = await this.#send("room.members", { limit: LIMIT, ...fields });
        return { items: members, next };
      },
      ({ name }) => name,
    );
    this.dialog = new Dialog({
      name: "members",
      heading: TEXTS.heading,
      content: (dialog) => this.#content(dialog),
      back: () => this.#back(),
    });
    this.#pages.load(this.dialog);
  }

  /** @param {Dialog} dialog */
  #content(dialog) {
    const { manages, private: isPrivate, title } = this.#room;
    return html`
      <p class="dialog-about"><bdi>${title}</bdi></p>
      ${isPrivate ? nothing : html`<p class="soft">${TEXTS.public}</p>`}
      ${this.#pages.field(dialog)}
      <ul class="dialog-list" data-role="members-list" tabindex="-1">
        ${repeat(
          this.#pages.found,
          ({ id }) => id,
          (member) => this.#row(member),
        )}
      </ul>
      ${this.#pages.rest(dialog)}
      ${manages ? this.#invite(dialog) : nothing}`;
  }

  /** @param {Dialog} dialog */
  #invite(dialog) {
    // Without a `name` the field is a search: the dialog closes without a question about it.
    return html`<form class="dialog-invite" @submit=${this.#invites}>
      <label for="invite-name">${TEXTS.invite}</label>
      <div class="dialog-field">
        <input id="invite-name" list="invite-people" maxlength="254" autocomplete="off" autocapitalize="none" required dir="auto">
        <button class="button" aria-disabled=${String(dialog.isBusy)}>${TEXTS.send}</button>
      </div>
      <datalist id="invite-people">${suggested(this.#page.people(), this.#pages.items).map((name) => html`<option value=${name}></option>`)}</datalist>
      <p class="dialog-note" role="status">${this.#invited === "" ? nothing : html`${TEXTS.invited} <bdi>${this.#invited}</bdi>`}</p>
    </form>`;
  }

  /** @param {Member} member */
  #row(member) {
    const isMe = member.id === this.#page.hub.user?.id;
    return html`<li class="member" data-id=${member.id}>
      ${avatar(member)}
      <span class="member-name"><bdi>${member.name}</bdi>
        ${member.role === "moderator" ? html`<span class="chip">${TEXTS.moderator}</span>` : nothing}
        ${isMe ? html`<span class="soft">${TEXTS.you}</span>` : nothing}</span>
      ${this.#room.manages ? this.#actions(member, isMe) : nothing}
    </li>`;
  }

  /**
   * @param {Member} member
   * @param {boolean} isMe  who leaves the room by "Leave"
   */
  #actions(member, isMe) {
    const { id, name, role } = member;
    if (this.#asked === id) {
      return html`<span class="member-actions" role="group" aria-label=${`${TEXTS.question} ${name}`}>${TEXTS.question}
        <button class="text-button" type="button" data-role="keep" @click=${() => this.#back()}>${TEXTS.keep}</button>
        <button class="text-button is-bad" type="button" data-role="remove-now" @click=${() => this.#remove(member)}>${TEXTS.remove}</button></span>`;
    }
    const label = role === "moderator" ? TEXTS.dismiss : TEXTS.appoint;
    const appoint = { label, icon: "settings", run: () => void this.#appoint(member) };
    const remove = { label: TEXTS.remove, icon: "delete", isDanger: true, run: () => this.#ask(id) };
    return menuButton({ label: name, items: () => (isMe ? [appoint] : [appoint, remove]) });
  }

  /** @param {string} id */
  #ask(id) {
    this.#asked = id;
    this.dialog.update();
    focusIn(this.dialog.element, "[data-role=keep]");
  }

  /** Takes the question back. Returns whether there was one. */
  #back() {
    if (this.#asked === null) return false;
    const id = this.#asked;
    this.#asked = null;
    this.dialog.update();
    focusIn(this.dialog.element, `[data-id="${CSS.escape(id)}"] [aria-haspopup]`);
    return true;
  }

  /** @param {Member} member */
  async #appoint({ id, role }) {
    const next = role === "moderator" ? "member" : "moderator";
    await this.dialog.run(async () => this.#put(await this.#send("member.role", { member: id, role: next })));
  }

  /** @param {Member} member */
  async #remove({ id }) {
    const isDone = await this.dialog.run(() => this.#send("member.remove", { member: id }));
    if (!isDone) return;
    this.#asked = null;
    this.#pages.items = this.#pages.items.filter((member) => member.id !== id);
    this.dialog.update();
    focusIn(this.dialog.element, "[data-role=members-list]");
  }

  /** @param {SubmitEvent} event */
  #invites = async (event) => {
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ (this.dialog.element.querySelector("#invite-name"));
    this.#invited = "";
    await this.dialog.run(async () => {
      /** @type {Member} */
      const member = await this.#send("member.invite", { name: input.value });
      this.#put(member);
      this.#invited = member.name;
      input.value = "";
    });
  };

  /**
   * Shows a member as it is now: in its place, or first.
   *
   * @param {Member} member
   */
  #put(member) {
    const { items } = this.#pages;
    const isThere = items.some(({ id }) => id === member.id);
    this.#pages.items = isThere ? items.map((other) => (other.id === member.id ? member : other)) : [member, ...items];
  }
}
