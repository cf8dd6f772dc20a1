// The open room: its header, its log, the lines above it, and the field for a new message. It decides nothing.

import { find } from "../../hubbub/js/dom.js";
import { gettext, interpolate, ngettext } from "../../hubbub/js/texts.js";
import { Announcements } from "./arrivals.js";
import { Composer } from "./composer.js";
import { whyLocked } from "./composer-lock.js";
import { DraftField } from "./drafts-field.js";
import { EditOffers } from "./edits-view.js";
import { copyAsLines } from "./log-copy.js";
import { LogView } from "./log-view.js";
import { MessageToolbar } from "./message-toolbar.js";
import { part, setText } from "./parts.js";
import { PeopleList } from "./people-list.js";
import { roveRows } from "./roving-rows.js";
import { clockTime, listTime } from "./times.js";

/** @import { Drafts } from "./drafts.js" */
/** @import { RoomSession } from "./room-session.js" */
/** @import { ClosedCode, Place, RoomState, ViewCalls } from "./types.js" */

/** @type {Record<ClosedCode, string>} */
const CLOSED = {
  removed: gettext("You are no longer a member of this room."),
  banned: gettext("You cannot enter this room for now."),
  deleted: gettext("This room was deleted."),
  not_found: gettext("This room does not exist, or you have no access to it."),
};

export class RoomView {
  composer;
  log;
  #root;
  #people;
  #toolbar;
  #field;
  #offers;
  /** @type {RoomSession | null} */
  #session = null;
  #icon;
  #hrefs;
  #announcements;
  /** @type {Pick<RoomState, "room" | "joined"> | null} as its header is shown */
  #head = null;
  /** @type {Map<string, HTMLElement>} by role */
  #parts = new Map();

  /**
   * @param {HTMLElement} root
   * @param {ViewCalls} calls
   * @param {Drafts} drafts
   */
  constructor(root, calls, drafts) {
    this.#root = root;
    const list = part(root, "rows");
    const log = part(root, "log");
    this.log = new LogView(log, list, {
      ...calls,
      retry: (id) => this.#open.writing.retry(id),
      discard: (id) => this.#open.writing.discard(id),
      older: () => this.#session?.reading.older(),
      newer: () => this.#session?.reading.newer(),
      seen: (seq) => this.#session?.reading.seen(seq),
      save: (seq, body, problem) => this.#open.writing.save(seq, body, problem),
      cancel: () => this.#open.writing.stopEditing(),
      edited: (message, text) => this.#open.writing.edited(message, text),
      editOf: (seq) => this.#open.writing.editOf(seq),
    });
    this.#toolbar = new MessageToolbar(list, {
      row: (seq) => this.log.row(seq),
      edit: (seq) => this.#open.writing.edit(seq),
      remove: (seq) => this.#remove(seq),
      link: calls.link,
      unread: (seq) => this.#open.reading.markUnread(seq),
      back: () => this.composer.focus(),
    });
    copyAsLines(list, (seq) => this.log.row(seq));
    roveRows(log, list);
    this.#announcements = new Announcements(part(root, "status"));
    this.#people = new PeopleList(root);
    this.#icon = find(document, "link[rel=icon]", HTMLLinkElement);
    const unread = new URL(this.#icon.dataset.unreadHref ?? "", location.href).href;
    this.#hrefs = { read: this.#icon.href, unread };
    this.composer = new Composer(part(root, "composer"), {
      send: (body) => calls.post(body),
      changed: (text) => {
        this.#field.typed(text);
        this.#session?.typed(text);
      },
    });
    this.#field = new DraftField(this.composer, drafts, part(root, "composer"));
    this.#offers = new EditOffers(part(root, "edit-offers"), {
      resume: (edit) => this.#open.writing.resume(edit),
      move: (edit) => this.#open.writing.move(edit),
      drop: (edit) => this.#open.writing.drop(edit),
    });
    this.#listen(calls);
  }

  get #open() {
    if (this.#session === null) throw new Error("no room is shown");
    return this.#session;
  }

  /**
   * Shows another room.
   *
   * @param {RoomSession} session
   */
  show(session) {
    this.#session = session;
    this.#closeDialogs();
    this.#people.forget();
    this.#announcements.start(session.state);
    this.#field.show(session.writing.draft);
    this.typing(session.typing);
    this.log.render(session.state, false);
    this.log.place = session.place;
    this.render();
  }

  /** No room is shown. */
  hide() {
    this.#session = null;
    this.#closeDialogs();
    document.title = document.title.replace(/^\(\d+\) /, "");
    if (this.#icon.href !== this.#hrefs.read) this.#icon.href = this.#hrefs.read;
  }

  /** Shows the state of the session as it is now. */
  render() {
    if (this.#session === null) return;
    const { state, limit } = this.#session;
    this.#root.dataset.ready = String(state.joined);
    this.#renderHead(state);
    this.log.limit = this.composer.limit = limit;
    this.log.render(state);
    this.#toolbar.renew();
    this.#people.render(state);
    this.#offers.render(this.#session.writing.offers, whyLocked(state) === "");
    this.#renderStates(state);
    this.#renderNews();
    this.#renderUnseen(state.unseen);
    this.#announcements.render(state);
  }

  /**
   * Opens the log at a place.
   *
   * @param {Place | null} place  null: at the end
   */
  openAt(place) {
    if (place === null) this.log.toEnd();
    else if (place.offset === null) {
      const row = this.log.toMessage(place.seq);
      if (place.isTarget && row !== null) {
        row.classList.add("is-target");
        row.focus({ preventScroll: true });
        row.addEventListener("animationend", () => row.classList.remove("is-target"), { once: true });
      }
    } else this.log.place = place;
  }

  /**
   * Shows the band above the log.
   *
   * @param {string} text  empty: the band is hidden
   * @param {string} [action]  the words of its button, which connects
   */
  strip(text, action) {
    for (const name of ["", "list-"]) {
      setText(this.#part(`${name}strip-text`), text);
      this.#part(`${name}strip`).classList.toggle("is-shown", text !== "");
      this.#part(`${name}again`).hidden = action === undefined;
      this.#part(`${name}again`).textContent = action ?? "";
    }
  }

  /** @param {string} text  who is typing; empty: nobody */
  typing(text) {
    setText(this.#part("typing"), text);
  }

  /** @param {RoomState} state */
  #renderHead({ room, joined }) {
    if (room === this.#head?.room && joined === this.#head.joined) return;
    this.#head = { room, joined };
    const kind = room.private ? gettext("Private room") : gettext("Public room");
    setText(this.#part("title"), room.title);
    // Never an empty line: the name would stand too high. Of a room that is not joined yet, nothing is known.
    setText(this.#part("description"), room.description || (joined ? kind : ""));
    this.#part("private").hidden = !room.private;
    const label = interpolate(gettext("Messages in %(room)s"), { room: room.title });
    if (this.#part("log").getAttribute("aria-label") !== label) this.#part("log").setAttribute("aria-label", label);
  }

  /** @param {RoomState} state */
  #renderStates(state) {
    const { archived, role } = state.room;
    const isEmpty = state.messages.length + state.pending.length === 0;
    this.#part("empty").hidden = !state.joined || archived || role === "reader" || !isEmpty;
    this.composer.locked = whyLocked(state);
    this.#part("closed").hidden = state.closed === null;
    // No `:has()`: it would be looked for in hundreds of rows after each change.
    this.#root.classList.toggle("is-closed", state.closed !== null);
    this.#root.classList.toggle("is-editing", this.log.isEditing);
    setText(this.#part("closed-text"), CLOSED[state.closed ?? "removed"] ?? CLOSED.removed);
  }

  #renderNews() {
    const news = this.#session?.reading.news ?? null;
    this.#part("news").hidden = news === null;
    if (news === null) return;
    const [day, clock] = [listTime(news.since), clockTime(news.since)];
    const since = day === clock ? clock : `${day}, ${clock}`;
    const text = ngettext("%(n)s new since %(time)s", "%(n)s new since %(time)s", news.count);
    setText(this.#part("news-text"), interpolate(text, { n: news.count, time: since }));
  }

  /** @param {number} unseen */
  #renderUnseen(unseen) {
    const jump = this.#part("jump");
    jump.hidden = this.log.isAtEnd;
    const text = interpolate(ngettext("%(n)s new message", "%(n)s new messages", unseen), { n: unseen });
    setText(this.#part("jump-text"), unseen > 0 ? text : gettext("Latest"));
    jump.classList.toggle("is-new", unseen > 0);
    const title = `${unseen > 0 ? `(${unseen}) ` : ""}${this.#open.state.room.title} · Hubbub`;
    if (document.title !== title) document.title = title;
    const href = unseen > 0 ? this.#hrefs.unread : this.#hrefs.read;
    if (this.#icon.href !== href) this.#icon.href = href;
  }

  /** @param {number} seq */
  #remove(seq) {
    if (this.log.row(seq)?.own) {
      this.#open.writing.remove(seq);
      return;
    }
    const dialog = find(this.#root, "[data-role=delete-dialog]", HTMLDialogElement);
    const { writing } = this.#open; // The message is one of this room, also when another one is shown meanwhile.
    dialog.returnValue = "";
    dialog.onclose = () => {
      if (dialog.returnValue === "delete") writing.remove(seq);
    };
    dialog.showModal();
  }

  /** @param {ViewCalls} calls */
  #listen(calls) {
    this.#part("jump").addEventListener("click", async () => {
      await this.#open.reading.latest();
      calls.moved();
      this.composer.focus();
    });
    this.#part("news-latest").addEventListener("click", () => this.#open.reading.latest());
    this.#part("news-read").addEventListener("click", () => this.#open.reading.markRead());
    for (const name of ["again", "list-again"]) this.#part(name).addEventListener("click", calls.again);
    this.#part("composer").addEventListener("keydown", (event) => {
      if (event.key !== "ArrowUp" || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      if (this.composer.text === "" && this.#editLast()) event.preventDefault();
    });
  }

  /** Questions about a message of the former room. */
  #closeDialogs() {
    for (const dialog of document.querySelectorAll("dialog.sheet[open], [data-role=delete-dialog][open]")) {
      /** @type {HTMLDialogElement} */ (dialog).close();
    }
  }

  /** Edits the user's last message when it is in sight, else shows it first. */
  #editLast() {
    const message = this.#open.writing.lastOwn;
    if (message === null) return false;
    if (this.log.shows(message.seq)) this.#open.writing.edit(message.seq);
    else this.log.toMessage(message.seq);
    return true;
  }

  /**
   * The elements of the frame stay: to look for them would go through hundreds of rows each time.
   *
   * @param {string} role
   */
  #part(role) {
    const known = this.#parts.get(role);
    if (known !== undefined) return known;
    const found = part(this.#root, role);
    this.#parts.set(role, found);
    return found;
  }
}
