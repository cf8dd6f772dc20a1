// Who is typing: told to the others every few seconds while the user types, and shown until it has not come for a while.

import { gettext, interpolate } from "../../hubbub/js/texts.js";

/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { RoomEvent, RoomTyping } from "./types.js" */

export const AGAIN_MS = 5_000;
export const GONE_MS = 8_000;
const MAX_NAMED = 2;

export class Typing {
  #me;
  #tell;
  #show;
  #env;
  #toldAt = -Infinity;
  /** @type {Map<string, { name: string, timer: unknown }>} by id */
  #others = new Map();

  /**
   * @param {object} calls
   * @param {string} calls.me  the id of the page's user
   * @param {() => Promise<unknown>} calls.tell  tells the room that the user types
   * @param {(text: string) => void} calls.show  empty: nobody types
   * @param {object} env
   * @param {() => number} env.now  milliseconds of a clock that cannot be set
   * @param {(run: () => void, ms: number) => unknown} env.setTimeout
   * @param {(timer: any) => void} env.clearTimeout
   */
  constructor({ me, tell, show }, env) {
    this.#me = me;
    this.#tell = tell;
    this.#show = show;
    this.#env = env;
  }

  /**
   * The user changed the text of a message.
   *
   * @param {string} text
   */
  typed(text) {
    const now = this.#env.now();
    if (text.trim() === "" || now - this.#toldAt < AGAIN_MS) return;
    this.#toldAt = now;
    this.#tell().catch(() => {}); // It is told again, or nobody misses it.
  }

  /** The user sent the message: the next one is told at once. */
  sent() {
    this.#toldAt = -Infinity;
  }

  /** @param {RoomEvent[]} events */
  take(events) {
    for (const event of events) {
      if (event.type === "room.typing") this.#hear(event);
      else if (event.type === "message.posted") this.#forget(event.message.user.id);
    }
  }

  /** Forgets all: the room was closed, or the connection lost. */
  clear() {
    for (const { timer } of this.#others.values()) this.#env.clearTimeout(timer);
    this.#others.clear();
    this.#render();
  }

  /** @param {RoomTyping} event */
  #hear({ user: { id, name } }) {
    if (id === null || id === this.#me) return;
    this.#env.clearTimeout(this.#others.get(id)?.timer);
    const timer = this.#env.setTimeout(() => this.#forget(id), GONE_MS);
    this.#others.set(id, { name, timer });
    this.#render();
  }

  /** @param {Person["id"]} id */
  #forget(id) {
    const other = id === null ? undefined : this.#others.get(id);
    if (id === null || other === undefined) return;
    this.#env.clearTimeout(other.timer);
    this.#others.delete(id);
    this.#render();
  }

  #render() {
    const names = [...this.#others.values()].map(({ name }) => name);
    if (names.length === 0) this.#show("");
    else if (names.length > MAX_NAMED) this.#show(gettext("Several people are typing…"));
    // A name of another direction must not turn the sentence around.
    else {
      const [first = "", second = ""] = names.map((name) => `\u2068${name}\u2069`);
      const text = names.length > 1 ? gettext("%(first)s and %(second)s are typing…") : gettext("%(first)s is typing…");
      this.#show(interpolate(text, { first, second }));
    }
  }
}
