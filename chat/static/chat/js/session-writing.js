// What the user writes in one room: drafts, posts, edits, deletions. Nothing of it is lost while its room is not shown.

import { failureOf } from "../../hubbub/js/errors.js";
import { gettext } from "../../hubbub/js/texts.js";
import { clean } from "./body.js";
import { Edits, editCase } from "./edits.js";
import { failureText } from "./failure-texts.js";
import { lastOwn } from "./room-rows.js";
import { Saves } from "./saves.js";

/** @import { KeptEdit } from "./edits.js" */
/** @import { RoomSession } from "./room-session.js" */
/** @import { RoomEvent, SessionCalls } from "./types.js" */
/** @import { PageText } from "./unsent-page.js" */

export class Writing {
  #session;
  #calls;
  #outbox;
  #edits;
  #saves = new Saves();
  /** @type {number | null} the seq of the message whose edit was last refused, or got no answer */
  #failed = null;
  /** The text in the field for a new message. */
  draft;

  /**
   * @param {RoomSession} session
   * @param {PageText} text  of this page
   * @param {SessionCalls} calls
   */
  constructor(session, { userId, drafts, outbox, store, tab, editing }, calls) {
    this.#session = session;
    this.#calls = calls;
    this.#outbox = outbox;
    this.#edits = new Edits(userId, session.slug, store, tab, editing);
    this.#edits.onChange(() => calls.changed(session));
    this.draft = drafts.room(session.slug);
  }

  /** Posts without an answer, now; later changes come as actions. */
  start() {
    return this.#outbox.show(this.#session.slug, {
      changed: (posts) => this.#session.change({ type: "posts", posts }),
      answered: (id, { seq, at, position }) => {
        const isKnown = this.#session.isKnown(position);
        this.#session.change({ type: "post.answered", id, seq, at, isKnown });
      },
    });
  }

  /** The page forgets the room. */
  end() {
    this.#outbox.hide(this.#session.slug);
    this.#edits.end();
  }

  /** @param {string} body */
  post(body) {
    const { slug } = this.#session;
    this.#outbox.add(slug, body);
    this.draft.sent();
    this.#session.change({ type: "posts", posts: this.#outbox.posts(slug), isOwn: true });
  }

  /** @param {string} id */
  retry(id) {
    this.#outbox.retry(this.#session.slug, id);
  }

  /** @param {string} id */
  discard(id) {
    this.#outbox.discard(this.#session.slug, id);
  }

  /** The user's last message, if it can be edited. */
  get lastOwn() {
    return lastOwn(this.#session.state);
  }

  /** @param {number} seq */
  edit(seq) {
    this.#session.change({ type: "edit.opened", seq });
  }

  /** @param {number} seq */
  editOf(seq) {
    return this.#edits.of(seq)?.text ?? null;
  }

  /**
   * @param {{ seq: number, body: string }} message  as it was when the edit began
   * @param {string} text
   */
  edited({ seq, body }, text) {
    this.#edits.typed(seq, text, body);
  }

  /** Edits that are not saved, and what has become of their messages. */
  get offers() {
    const { editing, messages } = this.#session.state;
    return this.#edits.offers(editing, messages);
  }

  /**
   * The user goes on with an edit, and has seen the text that its message has now.
   *
   * @param {KeptEdit} edit
   */
  async resume(edit) {
    let message = this.#session.messageAt(edit.seq);
    if (message === undefined) {
      await this.#session.reading.goTo({ seq: edit.seq, offset: null });
      message = this.#session.messageAt(edit.seq);
      if (message === undefined || message.body !== edit.base) return; // It is shown with what has become of it.
    }
    this.#edits.rebase(edit, message.body);
    this.#session.change({ type: "edit.opened", seq: edit.seq });
  }

  /** @param {KeptEdit} edit */
  drop(edit) {
    this.#edits.finish(edit);
    if (this.#session.state.editing === edit.seq) this.#session.change({ type: "edit.closed" });
    this.#calls.changed(this.#session);
    this.#calls.focus(this.#session);
  }

  /**
   * The message of an edit is deleted: its text goes on as a new message.
   *
   * @param {KeptEdit} edit
   */
  move(edit) {
    this.#write(edit.text);
    this.drop(edit);
  }

  /** @param {string} text  goes on as a new message, after what is in the field */
  #write(text) {
    this.draft.typed([this.draft.text, text].filter(Boolean).join("\n"));
    this.#calls.drafted(this.#session);
  }

  stopEditing() {
    const { editing } = this.#session.state;
    if (editing !== null) this.#edits.finish(editing);
    this.#session.change({ type: "edit.closed" });
    this.#calls.focus(this.#session);
  }

  /** The room is joined: edits of closed tabs go on here. */
  async joined() {
    this.resumeEditing();
    await this.#edits.adopt();
    this.resumeEditing();
    this.#calls.changed(this.#session);
  }

  /** Opens the edit that a reload or the end of the session interrupted. */
  resumeEditing() {
    this.changed();
    const { editing, messages } = this.#session.state;
    if (editing !== null) return;
    const edit = this.#edits.own.findLast(({ seq, base }) =>
      messages.some((message) => message.seq === seq && !message.deleted && message.body === base),
    );
    if (edit !== undefined) this.#session.change({ type: "edit.opened", seq: edit.seq });
  }

  /**
   * Messages have changed: an edit may have been saved elsewhere, or its message deleted.
   *
   * @param {RoomEvent[]} events  that have changed them, as far as they are known
   */
  changed(events = []) {
    this.#saves.take(events);
    this.#keepReplaced();
    const { editing } = this.#session.state;
    for (const edit of this.#edits.own) {
      if (editCase(edit, this.#session.messageAt(edit.seq)).kind !== "saved") continue;
      if (editing !== edit.seq) this.#edits.finish(edit);
      else if (edit.seq === this.#failed) this.stopEditing(); // It was saved after all.
    }
    if (editing !== null && this.#session.messageAt(editing)?.deleted) this.#session.change({ type: "edit.closed" });
  }

  /**
   * @param {number} seq
   * @param {string} body
   * @param {HTMLElement} problem  shows why the edit was not saved
   */
  async save(seq, body, problem) {
    const before = this.#session.messageAt(seq)?.body ?? "";
    if (before === body) {
      this.stopEditing();
      return;
    }
    this.#saves.begin(seq, before, body);
    try {
      this.#saves.answered(seq, await this.#session.topic.edit(seq, body));
      this.#saved(seq, body);
      this.#keepReplaced();
    } catch (error) {
      this.#saves.failed(seq);
      this.#failed = seq;
      problem.textContent = `${gettext("Not saved.")} ${failureText(failureOf(error))}`;
    }
  }

  /**
   * An edit is saved. What was typed since goes on, and so does an edit of another message.
   *
   * @param {number} seq
   * @param {string} body
   */
  #saved(seq, body) {
    const kept = this.#edits.of(seq);
    const isOpen = this.#session.state.editing === seq;
    if (kept !== null && isOpen && clean(kept.text) !== body) {
      this.#edits.rebase(kept, body);
      return;
    }
    this.#edits.finish(seq);
    if (isOpen) {
      this.#session.change({ type: "edit.closed" });
      this.#calls.focus(this.#session);
    } else this.#calls.changed(this.#session);
  }

  /** Another page saved at the same moment: its text is shown beside the one that replaced it. */
  #keepReplaced() {
    for (const { seq, before, text } of this.#saves.settle((position) => this.#session.isKnown(position))) {
      if (this.#edits.of(seq) === null) this.#edits.typed(seq, text, before);
      else this.#write(text);
    }
  }

  /** @param {number} seq */
  async remove(seq) {
    const message = this.#session.messageAt(seq);
    try {
      await this.#session.topic.remove(seq);
      this.#calls.focus(this.#session);
      if (message?.user.id !== this.#session.state.me.id) return;
      this.#calls.offerUndo(this.#session, () => this.#restore(seq, message.body));
    } catch (error) {
      this.#calls.notice(`${gettext("Not deleted.")} ${failureText(failureOf(error))}`);
    }
  }

  /**
   * @param {number} seq
   * @param {string} body
   */
  async #restore(seq, body) {
    try {
      await this.#session.topic.restore(seq, body);
      this.#calls.focus(this.#session);
    } catch {
      // The server may keep no copy: the text is in this page's memory alone.
      this.#write(body);
      this.#calls.notice(gettext("Not restored. Your text is in the field for a new message."));
    }
  }
}
