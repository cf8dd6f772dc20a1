// The tabs of this browser: whether another one can send the posts that wait.

import { newId } from "../../hubbub/js/new-id.js";

/** @import { Timers } from "../../hubbub/js/types.js" */

/** @typedef {{ type: "sends?" | "sends", user: string }} Message  between tabs */

const KEY = "hubbub.tab";
const ASK_MS = 2_000;
const HEARD_MS = 5_000; // An answer counts for so long.

/** @type {string | null} of this page */
let own = null;

/**
 * The id of this tab, the same after a reload. It is in the storage only between two pages of the tab: a duplicated tab begins
 * with a copy of the storage, and needs an id of its own.
 */
export function tabId() {
  if (own === null) {
    own = taken() ?? newId();
    globalThis.addEventListener?.("pagehide", put);
    globalThis.addEventListener?.("pageshow", taken); // The browser kept the page whole.
  }
  return own;
}

/** Leaves nothing behind: the user signs out. */
export function forgetTab() {
  taken();
  globalThis.removeEventListener?.("pagehide", put);
}

/** Takes the id of the page before out of the storage. */
function taken() {
  try {
    const id = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return id;
  } catch {
    return null; // Forbidden: there is nothing.
  }
}

function put() {
  try {
    if (own !== null) sessionStorage.setItem(KEY, own);
  } catch {
    // Forbidden: the next page has an id of its own.
  }
}

export class SendingTabs {
  #channel;
  #user;
  #timers;
  #heardAt = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  #hasWork;

  /**
   * @param {string} user
   * @param {object} calls
   * @param {() => boolean} calls.canSend  this tab has a connection
   * @param {() => boolean} calls.hasWork  posts wait: another tab is looked for
   * @param {Timers & { now(): number }} calls.timers
   * @param {Pick<BroadcastChannel, "postMessage" | "onmessage">} [channel]
   */
  constructor(user, { canSend, hasWork, timers }, channel = new BroadcastChannel("hubbub posts")) {
    this.#user = user;
    this.#channel = channel;
    this.#timers = timers;
    this.#hasWork = hasWork;
    channel.onmessage = (/** @type {{ data: Message }} */ { data }) => {
      if (data.user !== user) return;
      if (data.type === "sends?" && canSend()) this.#say("sends");
      else if (data.type === "sends") this.#heardAt = timers.now();
    };
  }

  /** Whether another tab that can send has answered within the last seconds. */
  get hasOther() {
    return this.#timers.now() - this.#heardAt < HEARD_MS;
  }

  /** Asks the other tabs, and again as long as posts wait. */
  ask() {
    if (this.#isAsking || !this.#hasWork()) return;
    this.#isAsking = true;
    this.#say("sends?");
    this.#timers.setTimeout(() => {
      this.#isAsking = false;
      this.ask();
    }, ASK_MS);
  }

  /** @param {Message["type"]} type */
  #say(type) {
    this.#channel.postMessage({ type, user: this.#user });
  }
}
