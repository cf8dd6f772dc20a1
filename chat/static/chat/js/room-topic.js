// The topic of a room: what it brings becomes actions on the page's state, and so do the results of its commands.

/** @import { Hubbub } from "../../hubbub/js/hub.js" */
/** @import { FirstAnswer, Person, Present, TopicJoined } from "../../hubbub/js/types.js" */
/** @import { Changed, ClosedCode, History } from "./types.js" */
/** @import { RoomAction, RoomEvent, RoomSnapshot, Viewer } from "./types.js" */

/** @type {Set<string>} */
const CLOSED_CODES = new Set(["removed", "banned", "deleted"]);

export class RoomTopic {
  #topic;
  #change;

  /**
   * @param {Hubbub} hub
   * @param {string} slug
   * @param {object} calls
   * @param {(action: RoomAction) => void} calls.change
   * @param {(viewer: Viewer) => void} calls.joined  level with the server, first or again
   * @param {(code: ClosedCode) => void} calls.closed  not open to this user (any more), or refused again
   * @param {(viewer: Viewer) => void} [calls.entered]  the state is what the page was made with
   * @param {FirstAnswer | null} [first]  that the page was made with
   */
  constructor(hub, slug, { change, joined, closed, entered = () => {} }, first = null) {
    this.#change = change;
    const handlers = {
      /**
       * @param {RoomSnapshot} snapshot
       * @param {TopicJoined | FirstAnswer | undefined} answer
       * @param {boolean} isAnew
       */
      state(snapshot, answer, isAnew) {
        change({ type: "state", snapshot, isAnew });
        if (answer !== undefined && answer === first) entered(answer.viewer);
      },
      /** @param {RoomEvent[]} events */
      events: (events) => change({ type: "events", events }),
      present: (/** @type {Present | null} */ present, /** @type {Person[]} */ named) =>
        change({ type: "present", present, named }),
      /** @param {TopicJoined} answer */
      joined({ viewer }) {
        change({ type: "joined", viewer });
        joined(viewer);
      },
      // Any other code says no more to the user than `not_found`.
      closed: (/** @type {string} */ code) =>
        closed(CLOSED_CODES.has(code) ? /** @type {ClosedCode} */ (code) : "not_found"),
    };
    this.#topic = hub.topic(`room/${slug}`, handlers, { first });
  }

  /** Leaves the room. */
  close() {
    this.#topic.close();
  }

  /** Tries to join a room that was closed. */
  join() {
    this.#topic.join();
  }

  /**
   * @param {number} seq
   * @param {string} body
   * @returns {Promise<number>} the position of the change
   */
  async edit(seq, body) {
    /** @type {Changed} */
    const { position } = await this.#topic.send("message.edit", { seq, body });
    const at = new Date().toISOString();
    this.#change({ type: "edit.answered", seq, body, at, isKnown: this.isKnown(position) });
    return position;
  }

  /** @param {number} seq */
  async remove(seq) {
    /** @type {Changed} */
    const { position } = await this.#topic.send("message.delete", { seq });
    this.#change({ type: "delete.answered", seq, isKnown: this.isKnown(position) });
  }

  /**
   * Reports that messages up to `seq` were shown.
   *
   * @param {number} seq
   * @param {number} version  of the read position, as the page knows it
   * @returns {Promise<{ seq: number, version: number }>} as stored
   */
  read(seq, version) {
    return this.#topic.send("room.read", { seq, version });
  }

  /**
   * Undoes the deletion of the user's own message.
   *
   * @param {number} seq
   * @param {string} body
   */
  async restore(seq, body) {
    /** @type {Changed} */
    const { position } = await this.#topic.send("message.restore", { seq, body });
    this.#change({ type: "restore.answered", seq, body, isKnown: this.isKnown(position) });
  }

  /**
   * Sends a command whose result is the caller's.
   *
   * @param {string} command
   * @param {Record<string, unknown>} fields
   */
  send(command, fields = {}) {
    return this.#topic.send(command, fields);
  }

  /**
   * Reads messages before the seq `before`.
   *
   * @param {number} before
   * @param {number} limit
   */
  async readOlder(before, limit) {
    this.#change({ type: "history.asked" });
    /** @type {History} */
    const page = await this.#topic.send("history", { before, limit });
    this.#change({ type: "history.came", before, page });
  }

  /**
   * Whether an event has brought the change of this position, or a join will.
   *
   * @param {number} position
   */
  isKnown(position) {
    return this.#topic.position === null || position <= this.#topic.position;
  }
}
