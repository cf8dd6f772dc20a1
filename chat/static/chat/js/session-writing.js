// What the user writes in one room: drafts, posts, edits, deletions. Nothing of it is lost while its room is not shown.

import { failureOf } from "../../hubbub/js/errors.js";
import { newId } from "../../hubbub/js/new-id.js";
import { gettext } from "../../hubbub/js/texts.js";
import { failureText } from "./failure-texts.js";
import { lastOwn } from "./room-rows.js";
import { UnsentText } from "./unsent-text.js";

/** @import { RoomSession } from "./room-session.js" */
/** @import { KeptPost, PendingPost, SessionCalls } from "./types.js" */

export class Writing {
  #session;
  #calls;
  #unsent;
  /** @type {KeptPost[]} that an earlier load of the page got no answer to */
  #unanswered;

  /**
   * @param {RoomSession} session
   * @param {string} userId
   * @param {SessionCalls} calls
   */
  constructor(session, userId, calls) {
    this.#session = session;
    this.#calls = calls;
    this.#unsent = new UnsentText(userId, session.slug);
    this.#unanswered = this.#unsent.pending;
  }

  /** The text in the field for a new message. */
  get draft() {
    return this.#unsent.draft;
  }

  set draft(text) {
    this.#unsent.draft = text;
  }

  /** Posts without an answer, as they were kept. */
  get kept() {
    return this.#unsent.pending;
  }

  /** @param {PendingPost[]} posts */
  keep(posts) {
    this.#unsent.pending = posts.map(storedPost);
  }

  /** Sends again what an earlier load of the page got no answer to. */
  start() {
    for (const kept of this.#unanswered.splice(0)) {
      if (!kept.error) this.#session.topic.post(kept);
    }
  }

  /** @param {string} body */
  post(body) {
    const added = { id: newId(), body, at: new Date().toISOString() };
    this.draft = "";
    this.#session.change({ type: "post.added", post: added });
    this.#session.topic.post(added);
  }

  /** @param {string} id */
  retry(id) {
    this.#session.change({ type: "post.retried", id });
    const retried = this.#session.state.pending.find((pending) => pending.id === id);
    if (retried !== undefined) this.#session.topic.post(retried);
  }

  /** @param {string} id */
  discard(id) {
    this.#session.change({ type: "post.discarded", id });
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
    return this.#unsent.editOf(seq);
  }

  /**
   * @param {{ seq: number, body: string }} message
   * @param {string} text
   */
  edited({ seq, body }, text) {
    this.#unsent.setEdit(seq, text === body ? null : text);
  }

  stopEditing() {
    const { editing } = this.#session.state;
    if (editing !== null) this.#unsent.setEdit(editing, null);
    this.#session.change({ type: "edit.closed" });
    this.#calls.focus(this.#session);
  }

  /** Opens the edit that a reload or the end of the session interrupted. */
  resumeEditing() {
    this.rescueEdits();
    const { editing, messages } = this.#session.state;
    if (editing !== null) return;
    const seq = this.#unsent.edits.findLast((edit) => messages.some(({ seq, deleted }) => seq === edit && !deleted));
    if (seq !== undefined) this.#session.change({ type: "edit.opened", seq });
  }

  /** Moves the text of an edit to the field for new messages when its message was deleted meanwhile. */
  rescueEdits() {
    for (const edit of this.#unsent.edits) {
      if (!this.#session.state.messages.some(({ seq, deleted }) => seq === edit && deleted)) continue;
      this.draft = [this.draft, this.#unsent.editOf(edit)].filter(Boolean).join("\n");
      this.#unsent.setEdit(edit, null);
      this.#calls.drafted(this.#session);
      this.#calls.notice(gettext("The message was deleted. Your edit is in the field below."));
    }
  }

  /**
   * @param {number} seq
   * @param {string} body
   * @param {HTMLElement} problem  shows why the edit was not saved
   */
  async save(seq, body, problem) {
    if (this.#session.messageAt(seq)?.body === body) {
      this.stopEditing();
      return;
    }
    try {
      await this.#session.topic.edit(seq, body);
      this.#unsent.setEdit(seq, null);
      this.#calls.focus(this.#session);
    } catch (error) {
      problem.textContent = `${gettext("Not saved.")} ${failureText(failureOf(error))}`;
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
    } catch (error) {
      this.#calls.notice(`${gettext("Not restored.")} ${failureText(failureOf(error))}`);
    }
  }
}

/**
 * A post as a reload finds it. A post that was too long keeps its error: it is not sent again by itself.
 *
 * @param {PendingPost} post
 * @returns {KeptPost}
 */
function storedPost({ id, body, at, error }) {
  return error?.code === "too_long" ? { id, body, at, error } : { id, body, at };
}
