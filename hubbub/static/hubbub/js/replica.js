// A client's copy of one topic: its position, the last state and the events since. Knows no socket.

import { presentAfter, presentAtJoin, presentRenamed } from "./presence.js";

/** @import { FirstAnswer, Person, Present, TopicChanged, TopicEvent } from "./types.js" */
/** @import { TopicHandlers, TopicJoined, TopicPresenceChanged } from "./types.js" */

/**
 * A call of a handler.
 * @typedef {{ [Name in keyof TopicHandlers]-?: [Name, ...Parameters<NonNullable<TopicHandlers[Name]>>]
 *   }[keyof TopicHandlers]} Delivery
 */

const MAX_EVENTS = 200; // Kept for pages that open the topic later.

export class Replica {
  /** @type {string | null} null: nothing is known */
  #epoch = null;
  #position = 0;
  #mustReload = false; // The next join brings the whole state.
  /** @type {{ state: unknown, first?: FirstAnswer } | null} as the page, the last join or change brought it */
  #state = null;
  /** @type {TopicEvent[] | null} after that state; null: more than are kept */
  #events = [];
  /** @type {Present | null} */
  #present = null;

  /** What a join sends, so that it is answered with the changes only. */
  get known() {
    return this.#epoch === null || this.#mustReload ? {} : { after: this.#position, epoch: this.#epoch };
  }

  /** The position of all that was delivered; null before the first state. */
  get position() {
    return this.#state === null ? null : this.#position;
  }

  /**
   * Begins with what the page was made with, if nothing is known yet.
   *
   * @param {FirstAnswer} first
   */
  begin(first) {
    if (this.#state !== null) return;
    this.#replace(first);
    this.#state = { state: first.state, first };
  }

  /** The next join brings the whole state. */
  forget() {
    this.#mustReload = true;
  }

  /**
   * @param {TopicJoined} answer
   * @returns {Delivery[]}
   */
  join(answer) {
    /** @type {Delivery[]} */
    const deliveries = [];
    if (answer.complete) {
      deliveries.push(...this.#add(answer.events ?? []));
      // Changes at the end that have no event of their own.
      this.#position = Math.max(this.#position, answer.position);
    } else {
      const isAnew = this.#replace(answer);
      deliveries.push(["state", answer.state, answer, isAnew]);
    }
    if (answer.partial) return deliveries; // It names no users: those who were known stay.
    const present = presentAtJoin(answer.present ?? null);
    if (present !== null || this.#present !== null) deliveries.push(["present", present, present?.users ?? []]);
    this.#present = present;
    deliveries.push(["joined", answer]);
    return deliveries;
  }

  /**
   * @param {TopicEvent | TopicChanged | TopicPresenceChanged} frame  other than `closed`
   * @returns {Delivery[]}
   */
  receive(frame) {
    if (isChanged(frame)) {
      if (frame.epoch === this.#epoch && frame.position <= this.#position) return [];
      const isAnew = this.#replace(frame);
      return [["state", frame.state, undefined, isAnew]];
    }
    if (isPresence(frame)) {
      this.#present = presentAfter(this.#present, frame);
      return [["present", this.#present, frame.joined ?? []]];
    }
    return this.#add([/** @type {TopicEvent} */ (frame)]);
  }

  /**
   * @param {Person} user  with a new name
   * @returns {Delivery[]}
   */
  rename(user) {
    const present = presentRenamed(this.#present, user);
    if (present === this.#present) return [];
    this.#present = present;
    return [["present", present, [user]]];
  }

  /**
   * All that a page needs that opens the topic now.
   *
   * @param {TopicJoined | null} answer  to the last join; null: the topic is not joined
   * @returns {Delivery[] | null} null: too many events have passed, only a join brings it
   */
  snapshot(answer) {
    if (this.#mustReload || this.#state === null || this.#events === null) return null;
    const { state, first } = this.#state;
    const joined = answer ?? /** @type {TopicJoined | undefined} */ (first);
    /** @type {Delivery[]} */
    const deliveries = [["state", state, joined, true]];
    if (this.#events.length > 0) deliveries.push(["events", [...this.#events]]);
    if (answer === null) return deliveries;
    if (this.#present !== null) deliveries.push(["present", this.#present, this.#present.users ?? []]);
    deliveries.push(["joined", answer]);
    return deliveries;
  }

  /**
   * @param {{ epoch: string, position: number, state?: unknown }} frame
   * @returns {boolean} whether its epoch is another
   */
  #replace({ epoch, position, state }) {
    const isAnew = epoch !== this.#epoch;
    this.#epoch = epoch;
    this.#mustReload = false;
    this.#position = position;
    this.#state = { state };
    this.#events = [];
    return isAnew;
  }

  /**
   * @param {TopicEvent[]} events
   * @returns {Delivery[]}
   */
  #add(events) {
    const news = events.filter((event) => this.#isNew(event));
    return news.length > 0 ? [["events", news]] : [];
  }

  /** @param {TopicEvent} event */
  #isNew(event) {
    // A list changes without positions: a page that opens it later joins it anew.
    if (event.type === "moved" || event.type === "gone") this.#events = null;
    if (event.position === undefined) return true;
    if (event.position <= this.#position) return false;
    this.#position = event.position;
    if (this.#events !== null && this.#events.push(event) > MAX_EVENTS) this.#events = null;
    return true;
  }
}

/**
 * @param {{ type: string }} frame
 * @returns {frame is TopicChanged}
 */
function isChanged(frame) {
  return frame.type === "changed" && "epoch" in frame;
}

/**
 * @param {{ type: string }} frame
 * @returns {frame is TopicPresenceChanged}
 */
function isPresence(frame) {
  return frame.type === "presence.changed";
}
