// A client's copy of one topic: its position, the last state and the events since. Knows no socket.

import { presentAfter, presentAtJoin, presentRenamed } from "./presence.js";

/** @import { Person, Present, TopicChanged, TopicEvent } from "./types.js" */
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
  /** @type {{ state: unknown } | null} as the last join or change brought it */
  #state = null;
  /** @type {TopicEvent[] | null} after that state; null: more than are kept */
  #events = [];
  /** @type {Present | null} */
  #present = null;

  /** What a join sends, so that it is answered with the changes only. */
  get known() {
    return this.#epoch === null ? {} : { after: this.#position, epoch: this.#epoch };
  }

  /** The next join brings the whole state. */
  forget() {
    this.#epoch = null;
  }

  /**
   * @param {TopicJoined} answer
   * @returns {Delivery[]}
   */
  join(answer) {
    /** @type {Delivery[]} */
    const deliveries = [];
    if (answer.complete) {
      for (const event of answer.events ?? []) deliveries.push(...this.#add(event));
      // Changes at the end that have no event of their own.
      this.#position = Math.max(this.#position, answer.position);
    } else {
      this.#replace(answer);
      deliveries.push(["state", answer.state, answer]);
    }
    if (answer.partial) return deliveries; // It names no users: those who were known stay.
    const present = presentAtJoin(answer.present ?? null);
    if (present !== null || this.#present !== null) deliveries.push(["present", present]);
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
      this.#replace(frame);
      return [["state", frame.state]];
    }
    if (isPresence(frame)) {
      this.#present = presentAfter(this.#present, frame);
      return [["present", this.#present]];
    }
    return this.#add(/** @type {TopicEvent} */ (frame));
  }

  /**
   * @param {Person} user  with a new name
   * @returns {Delivery[]}
   */
  rename(user) {
    const present = presentRenamed(this.#present, user);
    if (present === this.#present) return [];
    this.#present = present;
    return [["present", present]];
  }

  /**
   * All that a page needs that opens the topic now.
   *
   * @param {TopicJoined | null} answer  to the last join; null: the topic is not joined
   * @returns {Delivery[] | null} null: too many events have passed, only a join brings it
   */
  snapshot(answer) {
    if (this.#epoch === null || this.#state === null || this.#events === null) return null;
    /** @type {Delivery[]} */
    const deliveries = [["state", this.#state.state, answer ?? undefined]];
    for (const event of this.#events) deliveries.push(["event", event]);
    if (answer === null) return deliveries;
    if (this.#present !== null) deliveries.push(["present", this.#present]);
    deliveries.push(["joined", answer]);
    return deliveries;
  }

  /** @param {{ epoch: string, position: number, state?: unknown }} frame */
  #replace({ epoch, position, state }) {
    this.#epoch = epoch;
    this.#position = position;
    this.#state = { state };
    this.#events = [];
  }

  /**
   * @param {TopicEvent} event
   * @returns {Delivery[]}
   */
  #add(event) {
    if (event.position !== undefined) {
      if (event.position <= this.#position) return [];
      this.#position = event.position;
      if (this.#events !== null && this.#events.push(event) > MAX_EVENTS) this.#events = null;
    }
    return [["event", event]];
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
