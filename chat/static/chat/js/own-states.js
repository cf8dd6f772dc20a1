// The numbers of unread messages in the page's list of rooms. The server paints them first; the user's own topic and the
// moves of rooms renew them.

import { part } from "./message-rows.js";
import { answered, known, moved, NOTHING_READ, told, unreadIn } from "./reading.js";

/** @import { Hubbub } from "../../hubbub/js/hub.js" */
/** @import { OwnState, PersonRoom } from "./types.js" */

export class OwnStates {
  #list;
  #state;
  #isKnown = false;

  /**
   * @param {Hubbub} hub
   * @param {string} userId
   * @param {HTMLElement} list
   * @param {(rooms: Record<string, OwnState>) => void} changed  what is the user's own, also by other pages
   */
  constructor(hub, userId, list, changed) {
    this.#list = list;
    this.#state = moved(
      NOTHING_READ,
      this.#links().map(({ dataset }) => ({ slug: dataset.slug ?? "", last_seq: Number(dataset.lastSeq) })),
    );
    hub.topic(`person/${userId}`, {
      /** @param {{ rooms: Record<string, OwnState> }} state */
      state: ({ rooms }) => {
        this.#isKnown = true;
        this.#state = known(this.#state, rooms);
        this.#show();
        changed(this.#state.rooms);
      },
      /** @param {PersonRoom[]} events */
      events: (events) => {
        this.#state = told(this.#state, events);
        this.#show();
        changed(this.#state.rooms);
      },
    });
  }

  /** @param {{ slug: string, last_seq: number }[]} entries  of the list of rooms */
  moved(entries) {
    this.#state = moved(this.#state, entries);
    this.#show();
  }

  /**
   * @param {string} slug
   * @param {number} seq
   * @param {number} version
   */
  answered(slug, seq, version) {
    this.#state = answered(this.#state, slug, seq, version);
    this.#show();
  }

  #show() {
    if (!this.#isKnown) return; // The server's numbers stay until the user's own are there.
    for (const link of this.#links()) {
      const count = unreadIn(this.#state, link.dataset.slug ?? "");
      part(link, "unread").hidden = count === 0;
      part(link, "unread-count").textContent = String(count);
    }
  }

  #links() {
    return [.../** @type {NodeListOf<HTMLElement>} */ (this.#list.querySelectorAll("[data-slug]"))];
  }
}
