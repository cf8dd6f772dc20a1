// What is the user's own of each room: read positions, muted and favourite rooms, on all pages and devices of the user.

import { answered, known, moved, NOTHING_READ, told } from "./reading.js";

/** @import { Hubbub } from "../../hubbub/js/hub.js" */
/** @import { FirstAnswer } from "../../hubbub/js/types.js" */
/** @import { OwnState, PersonRoom, ReadingState } from "./types.js" */

export class OwnStates {
  /** @type {ReadingState} */
  state = NOTHING_READ;
  /** Whether the user's own is known; before that, the numbers that the server painted are better. */
  isKnown = false;
  #changed;

  /**
   * @param {Hubbub} hub
   * @param {string} userId
   * @param {FirstAnswer | null} first  that the page was made with
   * @param {() => void} changed
   */
  constructor(hub, userId, first, changed) {
    this.#changed = changed;
    const handlers = {
      /** @param {{ rooms: Record<string, OwnState> }} state */
      state: ({ rooms }) => {
        this.isKnown = true;
        this.#set(known(this.state, rooms));
      },
      /** @param {PersonRoom[]} events */
      events: (events) => this.#set(told(this.state, events)),
    };
    hub.topic(`person/${userId}`, handlers, { first });
  }

  /** @param {{ slug: string, last_seq: number }[]} entries  of the list of rooms */
  moved(entries) {
    this.#set(moved(this.state, entries));
  }

  /**
   * @param {string} slug
   * @param {number} seq
   * @param {number} version
   */
  answered(slug, seq, version) {
    this.#set(answered(this.state, slug, seq, version));
  }

  /** @param {ReadingState} state */
  #set(state) {
    if (state === this.state) return;
    this.state = state;
    this.#changed();
  }
}
