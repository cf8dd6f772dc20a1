// A page with a hub in a fake browser, and the server's side of its topics.

import { Hubbub } from "../../hubbub/static/hubbub/js/hub.js";
import { FakeBrowser, settle } from "./browser.js";

/** @import { HubOptions, TopicHandlers, TopicOptions } from "../../hubbub/static/hubbub/js/types.js" */

export class HubPage {
  browser = new FakeBrowser();
  hub;

  /** @param {HubOptions} options */
  constructor(options = {}) {
    this.hub = new Hubbub({ path: "/ws/", ...options }, this.browser);
  }

  /**
   * Opens a topic and records the calls of its handlers.
   *
   * @param {string} address
   * @param {TopicHandlers} handlers  run after the call is recorded
   * @param {TopicOptions} options
   */
  open(address, handlers = {}, options = {}) {
    /** @type {any[][]} */
    const calls = [];
    /** @type {any} */
    const recording = {};
    const names = /** @type {const} */ (["state", "event", "present", "joined", "closed"]);
    for (const name of handlers.events ? [...names, /** @type {const} */ ("events")] : names) {
      recording[name] = (/** @type {any[]} */ ...values) => {
        calls.push([name, ...values]);
        /** @type {any} */ (handlers[name])?.(...values);
      };
    }
    const topic = this.hub.topic(address, recording, options);
    return {
      topic,
      calls,
      /** What the handlers were given since the last call: the first value of each. */
      taken: () => calls.splice(0).map(([name, value]) => [name, name === "joined" ? value.position : value]),
    };
  }

  /** The server admits the newest socket. */
  async greet(more = {}) {
    this.browser.socket.greets(more);
    await settle();
  }

  /** The connection breaks and comes back. */
  async reconnect() {
    this.browser.socket.ends(1006);
    await this.browser.pass(1_000);
    await this.greet();
  }

  /** The last frame on the newest socket. */
  get last() {
    return this.browser.socket.sent.at(-1);
  }

  /** The frames on the newest socket, without their refs. */
  get sent() {
    return this.browser.socket.sent.map(({ ref, ...frame }) => frame);
  }

  /**
   * The server answers a frame, by default the last one.
   *
   * @param {object} fields
   * @param {any} frame
   */
  async answer(fields = {}, frame = this.last) {
    this.browser.socket.answers(frame, { topic: frame.topic, ...fields });
    await settle();
  }

  /**
   * The server answers a join, by default the last frame, with this state.
   *
   * @param {number} position
   * @param {unknown} state
   * @param {any} more
   */
  async join(position, state, { frame = this.last, ...more } = {}) {
    await this.answer({ epoch: "e1", position, complete: false, state, ...more }, frame);
  }

  /**
   * The server answers a join, by default the last frame, with these events.
   *
   * @param {number} position
   * @param {object[]} events
   * @param {object} more
   */
  async resume(position, events, more = {}) {
    await this.answer({ epoch: "e1", position, complete: true, events, ...more });
  }

  /**
   * The server refuses a frame, by default the last one.
   *
   * @param {string} code
   * @param {object} more
   * @param {any} frame
   */
  async refuse(code, more = {}, frame = this.last) {
    this.browser.socket.refuses(frame, code, more);
    await settle();
  }

  /**
   * The server sends an event.
   *
   * @param {object} frame
   */
  async say(frame) {
    this.browser.socket.says(frame);
    await settle();
  }
}

/**
 * The state of a topic changed.
 *
 * @param {number} position
 * @param {unknown} state
 */
export const changed = (position, state, { topic = "poll/7", epoch = "e1" } = {}) => ({
  type: "changed",
  topic,
  epoch,
  position,
  state,
});

/**
 * An event of a log.
 *
 * @param {number} position
 */
export const noted = (position) => ({ type: "noted", topic: "board/a", position, text: `#${position}` });
