// One room of the page, from the first time that it is shown: its state, and its topic while it is shown.

import { timers } from "../../hubbub/js/browser.js";
import { gettext } from "../../hubbub/js/texts.js";
import { Reentry } from "./reentry.js";
import { initial, reduce } from "./room-state.js";
import { RoomTopic } from "./room-topic.js";
import { Reading } from "./session-reading.js";
import { Writing } from "./session-writing.js";
import { Typing } from "./typing.js";

/** @import { Hubbub } from "../../hubbub/js/hub.js" */
/** @import { BrowserLike, FirstAnswer, Person } from "../../hubbub/js/types.js" */
/** @import { PageText } from "./unsent-page.js" */
/** @import { ClosedCode, Place, RoomAction, RoomEvent, RoomHere, RoomState, SessionCalls, Viewer } from "./types.js" */

const KEPT_MESSAGES = 400; // In a page left open; older ones are read again on demand.

export class RoomSession {
  slug;
  /** @type {RoomState} */
  state;
  /** @type {Place | null} where the reader was when another room was shown; null: at the end */
  place = null;
  /** The longest message, in characters. */
  limit = Infinity;
  /** The users who type, as a sentence. */
  typing = "";
  reading;
  writing;
  #hub;
  #calls;
  /** @type {RoomTopic | null} while the room is shown */
  #topic = null;
  #typing;
  #reentry;
  #wake = () => {};
  /** @type {FirstAnswer | null} */
  #first;

  /**
   * @param {object} page
   * @param {Hubbub} page.hub
   * @param {BrowserLike} page.env
   * @param {RoomHere} page.room  as far as it is known
   * @param {Person} page.me
   * @param {FirstAnswer | null} [page.first]  the answer to a join that the page was made with
   * @param {PageText} page.text
   * @param {SessionCalls} calls
   */
  constructor({ hub, env, room, me, text, first = null }, calls) {
    this.#first = first;
    this.slug = room.slug;
    this.#hub = hub;
    this.#calls = calls;
    this.writing = new Writing(this, text, calls);
    this.reading = new Reading(this, calls);
    this.state = initial({ room, me, pending: this.writing.start() });
    const show = (/** @type {string} */ text) => {
      this.typing = text;
      calls.typing(this);
    };
    this.#typing = new Typing(
      { me: me.id ?? "", tell: () => this.send("room.typing"), show },
      { ...timers(), now: () => performance.now() },
    );
    this.#reentry = new Reentry(
      () => this.#topic?.join(),
      { ...env, onWake: (wake) => (this.#wake = wake) }, // The page tells the room that is open, and holds no other one.
      () => document.visibilityState === "hidden",
    );
  }

  /** The topic of the room, which is shown. */
  get topic() {
    if (this.#topic === null) throw new Error(`${this.slug}: the room is not shown`);
    return this.#topic;
  }

  get isShown() {
    return this.#topic !== null;
  }

  get isOnline() {
    return this.#topic !== null && this.#hub.connection === "open";
  }

  /**
   * The room is shown: joins it.
   *
   * @param {Place | null} place  to open it at; null: where the reader was, or at what is new
   */
  start(place = null) {
    this.reading.start(place ?? this.place);
    this.#topic ??= new RoomTopic(
      this.#hub,
      this.slug,
      {
        change: (action) => this.change(action),
        joined: (viewer) => this.#joined(viewer),
        closed: (code) => this.#closed(code),
        entered: (viewer) => this.#entered(viewer),
      },
      this.#first,
    );
    this.#first = null; // It is old when the room is shown again.
  }

  /** Another room is shown: leaves it. Posts that wait are still sent. */
  stop() {
    this.reading.stop();
    this.#topic?.close();
    this.#topic = null;
    this.#reentry.opened();
    this.#typing.clear();
    this.change({ type: "trimmed", keep: KEPT_MESSAGES });
    this.change({ type: "stopped" });
  }

  /** @param {RoomAction} action */
  change(action) {
    const before = this.state;
    this.state = reduce(this.state, action);
    if (action.type === "events") this.#arrived(action.events);
    if (this.state === before) return;
    if (this.state.messages.length > 1.5 * KEPT_MESSAGES && this.#calls.isAtEnd(this)) {
      this.state = reduce(this.state, { type: "trimmed", keep: KEPT_MESSAGES });
    }
    this.#calls.changed(this);
  }

  /**
   * Sends a command of the room.
   *
   * @param {string} command
   * @param {Record<string, unknown>} fields
   * @returns {Promise<any>}
   */
  async send(command, fields = {}) {
    return this.topic.send(command, fields);
  }

  /** @param {string} text  in the field for a new message */
  typed(text) {
    this.#typing.typed(text);
  }

  /** @param {string} body */
  post(body) {
    this.#typing.sent();
    this.reading.wrote();
    this.writing.post(body);
    if (this.state.detached) this.reading.latest();
  }

  /** The network has returned, or the page is looked at again. */
  wake() {
    this.#wake();
  }

  /** Joins a closed room again; it may be open by now. */
  tryAgain() {
    if (this.state.closed !== null) this.#topic?.join();
  }

  /**
   * Whether an event has brought the change of this position, or a join will.
   *
   * @param {number} position
   */
  isKnown(position) {
    return this.#topic?.isKnown(position) ?? true;
  }

  /** @param {number} seq */
  messageAt(seq) {
    return this.state.messages.find((message) => message.seq === seq);
  }

  /** @param {RoomEvent[]} events */
  #arrived(events) {
    this.#typing.take(events);
    if (events.some(({ type }) => type === "message.deleted" || type === "message.edited"))
      this.writing.changed(events);
  }

  /** @param {Viewer} viewer  as the page was made */
  #entered(viewer) {
    this.limit = viewer.body_chars;
    this.change({ type: "entered", viewer });
    this.reading.joined(viewer);
  }

  /** @param {Viewer} viewer */
  #joined(viewer) {
    this.limit = viewer.body_chars;
    this.#calls.read(this, viewer.read_seq, viewer.read_version);
    if (this.#reentry.isClosed) this.#calls.notice(gettext("This room is open to you again."));
    this.#reentry.opened();
    this.writing.joined();
    this.reading.joined(viewer);
    this.#calls.changed(this);
  }

  /** @param {ClosedCode} code */
  #closed(code) {
    this.#typing.clear();
    if (this.#reentry.closed(code)) this.change({ type: "closed", code });
  }
}
