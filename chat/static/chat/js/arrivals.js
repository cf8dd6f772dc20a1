// What a screen reader says of messages that have come, one sentence for those that came together, and of posts that went out.

import { gettext, interpolate, ngettext } from "../../hubbub/js/texts.js";

/** @import { RoomState } from "./types.js" */

const TOGETHER_MS = 1_000; // Messages that come within this time are said together.

/** The status line of the open room. */
export class Announcements {
  #place;
  /** @type {RoomState | null} */
  #state = null;
  /** @type {number | null} the seq of the last message that was said, or was there at first; null before that is known */
  #said = null;
  /** @type {ReadonlySet<string>} ids of the posts that waited */
  #waiting = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {HTMLElement} place  a live region */
  constructor(place) {
    this.#place = place;
  }

  /**
   * Another room is shown: nothing of it is said that is there already.
   *
   * @param {RoomState} state
   */
  start({ lastSeq, pending }) {
    this.#rest();
    this.#said = lastSeq === 0 ? null : lastSeq;
    this.#waiting = idsOf(pending);
    this.#place.textContent = "";
  }

  /** @param {RoomState} state */
  render(state) {
    const { joined, loading, lastSeq, pending } = state;
    this.#state = state;
    if (!joined || loading || this.#said === null) {
      this.#rest();
      if (joined || this.#said !== null) this.#said = lastSeq;
    } else if (lastSeq > this.#said) {
      this.#timer ??= setTimeout(() => this.#sayArrivals(), TOGETHER_MS);
    }
    // "Not sent" is an alert, with its reason, in the row itself.
    if (areSent(state, this.#waiting)) this.#say(gettext("Sent"));
    this.#waiting = idsOf(pending);
  }

  #sayArrivals() {
    this.#timer = undefined;
    if (this.#state === null || this.#said === null) return;
    this.#say(arrivalText(this.#state, this.#said));
    this.#said = Math.max(this.#said, this.#state.lastSeq);
  }

  #rest() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** @param {string} text */
  #say(text) {
    if (text === "") return;
    // The same words are said again only where something has changed.
    this.#place.textContent = this.#place.textContent === text ? `${text}\u00a0` : text;
  }
}

/**
 * Whether all posts that waited have gone out, and some of them have just now.
 *
 * @param {Pick<RoomState, "messages" | "pending" | "me">} state
 * @param {ReadonlySet<string>} waiting  ids
 */
export function areSent({ messages, pending, me }, waiting) {
  if (waiting.size === 0 || pending.some(({ error }) => error === null)) return false;
  return messages.some(({ id, user }) => user.id === me.id && waiting.has(id));
}

/** @param {RoomState["pending"]} pending */
function idsOf(pending) {
  return new Set(pending.filter(({ error }) => error === null).map(({ id }) => id));
}

/**
 * @param {RoomState} state
 * @param {number} after  the seq of the last message that was said
 * @returns {string} "": nothing is to be said; own messages are not
 */
export function arrivalText({ messages, me }, after) {
  const first = messages.findLastIndex(({ seq }) => seq <= after) + 1;
  const news = messages.slice(first).filter(({ user, deleted }) => user.id !== me.id && !deleted);
  if (news.length === 0) return "";
  const from = namesText([...new Set(news.map(({ user }) => user.name))]);
  if (news.length === 1) return `${from}: ${news[0]?.body ?? ""}`;
  const text = ngettext("%(n)s new message from %(names)s", "%(n)s new messages from %(names)s", news.length);
  return interpolate(text, { n: news.length, names: from });
}

/** @param {string[]} names */
function namesText(names) {
  if (names.length > 2) return interpolate(ngettext("%(n)s person", "%(n)s people", names.length), { n: names.length });
  const [first = "", second = ""] = names;
  return names.length === 1 ? first : interpolate(gettext("%(first)s and %(second)s"), { first, second });
}
