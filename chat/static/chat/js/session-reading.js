// What the user reads of one room: where it opens, the pages of its messages, and how far they were read.

import { failureOf } from "../../hubbub/js/errors.js";
import { gettext } from "../../hubbub/js/texts.js";
import { failureText } from "./failure-texts.js";
import { ReadReports } from "./read-reports.js";

/** @import { RoomSession } from "./room-session.js" */
/** @import { News, Place, SessionCalls, Viewer } from "./types.js" */

const PAGE = 50; // Messages in one request for more.
const RETRY_MS = 2_000;

export class Reading {
  /** @type {News | null} what was not read as the room was opened, until it is */
  news = null;
  #session;
  #calls;
  #reports;
  /** @type {Place | null} where the room opens; null: at what is new, or at its end */
  #place = null;
  /** @type {"wanted" | "begun" | "done"} whether the log is at the place where the room opens */
  #opening = "done";
  #openings = 0;
  #isBusy = false; // A page is requested.
  /** @type {(() => void)[]} requests for other pages */
  #waiting = [];

  /**
   * @param {RoomSession} session
   * @param {SessionCalls} calls
   */
  constructor(session, calls) {
    this.#session = session;
    this.#calls = calls;
    this.#reports = new ReadReports({
      send: async (seq, version) => {
        const stored = await session.topic.read(seq, version);
        calls.read(session, stored.seq, stored.version);
        return stored;
      },
      isLooking: () => session.state.joined && calls.isLooking(session),
      now: () => performance.now(),
      later: (run, ms) => setTimeout(run, ms),
    });
  }

  /**
   * The room is shown.
   *
   * @param {Place | null} place  to open it at
   */
  start(place) {
    this.#place = place;
    this.#opening = "wanted";
    this.#openings += 1;
    this.#reports.resume();
  }

  /** Another room is shown. */
  stop() {
    this.#reports.leave();
    this.news = null;
  }

  /**
   * The room is joined: opens it at its place.
   *
   * @param {Viewer} viewer
   */
  async joined({ read_seq, read_version }) {
    this.#reports.stored(read_seq, read_version);
    if (this.#opening !== "wanted") {
      this.look();
      return;
    }
    this.#opening = "begun";
    const opening = this.#openings;
    const { state } = this.#session;
    // The answer to the join may be older than what this page has reported.
    const read = this.#reports.read;
    const count = state.lastSeq - read;
    const place = this.#place ?? (count > 0 ? { seq: read + 1, offset: null } : null);
    if (place !== null && place.seq < state.floor) await this.#load({ around: place.seq });
    if (count > 0) this.#drawLine(read, count);
    if (opening !== this.#openings) return; // Another room was shown, or this one again.
    const seen = this.#calls.opened(this.#session, this.#place ?? (count > 0 ? this.#atLine() : null));
    this.#opening = "done";
    this.seen(seen);
  }

  /**
   * @param {number} readSeq
   * @param {number} count
   */
  #drawLine(readSeq, count) {
    this.#session.change({ type: "line.drawn", after: readSeq });
    const first = this.#session.state.newFrom;
    const since = first === null ? undefined : this.#session.messageAt(first)?.at;
    if (since !== undefined) this.news = { count, since };
  }

  /** @returns {Place | null} */
  #atLine() {
    const { newFrom } = this.#session.state;
    return newFrom === null ? null : { seq: newFrom, offset: null };
  }

  /** The seq up to which the user has read. */
  get upTo() {
    return this.#reports.seen;
  }

  /** @param {number} seq  of the last message on screen; 0: there is none */
  seen(seq) {
    if (this.#opening !== "done") return; // Not before the page is where the room opens.
    this.#reports.saw(seq);
    if (seq >= this.#session.state.lastSeq && this.#calls.isLooking(this.#session)) this.#endNews();
  }

  /** The user may look at the page now. */
  look() {
    if (this.#opening === "done") this.#reports.look();
  }

  /** The window is not looked at any more. */
  leave() {
    this.#reports.leave();
  }

  /** The user has written: all before was seen. */
  wrote() {
    this.#reports.resume();
  }

  /**
   * How far the user has read, as another page says.
   *
   * @param {number} seq
   * @param {number} version
   */
  stored(seq, version) {
    this.#reports.stored(seq, version);
    if (seq >= this.#session.state.lastSeq) this.#endNews();
  }

  markRead() {
    this.#reports.resume();
    this.#reports.saw(this.#session.state.lastSeq);
    this.#reports.leave();
    this.#endNews();
    this.#session.change({ type: "line.removed" });
  }

  /** @param {number} seq  of the first message that is to be unread */
  async markUnread(seq) {
    this.#reports.pause();
    try {
      const stored = await this.#session.topic.send("room.unread", { seq });
      this.#reports.stored(stored.seq, stored.version);
      this.#calls.read(this.#session, stored.seq, stored.version);
      this.#session.change({ type: "line.drawn", after: seq - 1 });
    } catch (error) {
      this.#reports.resume();
      this.#calls.notice(`${gettext("Not marked.")} ${failureText(failureOf(error))}`);
    }
  }

  #endNews() {
    if (this.news === null) return;
    this.news = null;
    this.#calls.changed(this.#session);
  }

  // Pages

  async older() {
    const { more, loading, floor } = this.#session.state;
    if (!more || loading || !this.#session.isOnline) return;
    try {
      await this.#session.topic.readOlder(floor, PAGE);
      this.#session.writing.resumeEditing();
    } catch (error) {
      // Not at once: a reader who still scrolls requests them again.
      setTimeout(() => this.#session.change({ type: "history.failed" }), failureOf(error).retryAfterMs ?? RETRY_MS);
    }
  }

  async newer() {
    const { detached, late, messages } = this.#session.state;
    if (!detached || late !== null || this.#isBusy || !this.#session.isOnline) return;
    this.#isBusy = true;
    const since = messages.at(-1)?.seq ?? 0;
    this.#session.change({ type: "newer.asked" });
    try {
      const page = await this.#session.topic.send("history", { since, limit: PAGE });
      this.#session.change({ type: "newer.came", since, page });
    } catch (error) {
      this.#session.change({ type: "newer.failed" });
      // Not at once: a reader who still scrolls requests them again.
      await new Promise((resolve) => setTimeout(resolve, failureOf(error).retryAfterMs ?? RETRY_MS));
    } finally {
      this.#isBusy = false;
      for (const go of this.#waiting.splice(0)) go();
    }
  }

  /** Shows the end of the room again. */
  async latest() {
    if (this.#session.state.detached) await this.#load({ before: this.#session.state.lastSeq + 1 });
    this.#calls.opened(this.#session, null);
  }

  /** @param {Place} place */
  async goTo(place) {
    const { messages } = this.#session.state;
    if (!messages.some(({ seq }) => seq === place.seq)) await this.#load({ around: place.seq });
    this.#calls.opened(this.#session, place);
  }

  /** @param {{ around?: number, before?: number }} where */
  async #load(where) {
    // One page at a time: each collects what changes while it is read.
    while (this.#isBusy) await new Promise((/** @type {(_: void) => void} */ resolve) => this.#waiting.push(resolve));
    this.#isBusy = true;
    this.#session.change({ type: "newer.asked" });
    try {
      const page = await this.#session.topic.send("history", { ...where, limit: PAGE });
      this.#session.change(where.around === undefined ? { type: "latest.came", page } : { type: "place.came", page });
    } catch (error) {
      this.#session.change({ type: "newer.failed" });
      this.#calls.notice(`${gettext("Not loaded.")} ${failureText(failureOf(error))}`);
    } finally {
      this.#isBusy = false;
      for (const go of this.#waiting.splice(0)) go();
    }
  }
}
