// The handlers of all that have one topic open.

import { guarded } from "./errors.js";

/** @import { Delivery } from "./replica.js" */
/** @import { TopicHandlers } from "./types.js" */

/** @typedef {{ close(): void }} Handle  of one that has the topic open */

export class Listeners {
  /** @type {Map<Handle, TopicHandlers>} */
  #handlers = new Map();
  /** @type {Set<Handle>} those without the present state: they get no changes of it */
  #waiting = new Set();

  get isEmpty() {
    return this.#handlers.size === 0;
  }

  /** Handles that wait for `begin`. */
  get waiting() {
    return [...this.#waiting];
  }

  /** @param {Handle} handle */
  isWaiting(handle) {
    return this.#waiting.has(handle);
  }

  /**
   * Whether a handle has got the present state.
   *
   * @param {Handle} handle
   */
  hasBegun(handle) {
    return this.#handlers.has(handle) && !this.#waiting.has(handle);
  }

  /**
   * @param {Handle} handle
   * @param {TopicHandlers} handlers
   */
  add(handle, handlers) {
    this.#handlers.set(handle, handlers);
    this.#waiting.add(handle);
  }

  /** @param {Handle} handle */
  remove(handle) {
    this.#handlers.delete(handle);
    this.#waiting.delete(handle);
  }

  close() {
    for (const handle of [...this.#handlers.keys()]) handle.close();
  }

  /**
   * Brings a handle to the present state. It gets all later changes.
   *
   * @param {Handle} handle
   * @param {Delivery[]} deliveries
   */
  begin(handle, deliveries) {
    this.#waiting.delete(handle);
    for (const delivery of deliveries) this.#call(handle, delivery);
  }

  /** @param {Delivery[]} deliveries */
  deliver(deliveries) {
    const handles = [...this.#handlers.keys()].filter((handle) => !this.#waiting.has(handle));
    for (const delivery of deliveries) {
      for (const handle of handles) this.#call(handle, delivery);
    }
  }

  /** @param {Delivery} delivery  also to handles without the present state */
  deliverToAll(delivery) {
    for (const handle of [...this.#handlers.keys()]) this.#call(handle, delivery);
  }

  /**
   * @param {Handle} handle
   * @param {Delivery} delivery
   */
  #call(handle, delivery) {
    const [name, ...values] = delivery;
    const handlers = /** @type {any} */ (this.#handlers.get(handle));
    if (delivery[0] === "events" && handlers?.events === undefined) {
      for (const event of delivery[1]) this.#call(handle, ["event", event]);
    } else guarded(() => handlers?.[name]?.(...values));
  }
}
