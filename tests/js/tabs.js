// The tabs of one browser: they share a storage and locks, and hear of each other's changes later.

import { storage } from "./storage.js";
import "./served.js";

// After `served.js`: they import scripts of the engine.
const { Drafts } = await import("../../chat/static/chat/js/drafts.js");
const { Outbox } = await import("../../chat/static/chat/js/outbox.js");
const { Store } = await import("../../chat/static/chat/js/unsent-store.js");
const { Lost, Refused } = await import("../../hubbub/static/hubbub/js/errors.js");

/** @import { Posted } from "../../chat/static/chat/js/types.js" */

export const USER = "1";
export const SLUG = "general";

export class Family {
  shared = storage();
  /** @type {Tab[]} that are open */
  tabs = [];
  hasLocks = true;
  /** @type {Map<string, Tab[]>} the holder of a lock, and those that wait */
  #locks = new Map();
  #number = 0;

  /** @param {Room} room  at the server */
  constructor(room = new Room()) {
    this.room = room;
  }

  open(user = USER) {
    this.#number += 1;
    const tab = new Tab(this, `tab-${this.#number}`, user);
    this.tabs.push(tab);
    return tab;
  }

  /** @param {Tab} tab  that is closed: its scripts stop where they are */
  close(tab) {
    this.tabs = this.tabs.filter((other) => other !== tab);
    tab.isClosed = true;
    for (const [name, queue] of this.#locks) {
      const rest = queue.filter((other) => other !== tab);
      this.#locks.set(name, rest);
      if (queue[0] === tab) rest[0]?.grant(name);
    }
  }

  /**
   * @param {Tab} tab
   * @param {string} name
   */
  claim(tab, name) {
    const queue = this.#locks.get(name) ?? [];
    queue.push(tab);
    this.#locks.set(name, queue);
    if (queue[0] === tab) tab.grant(name);
  }

  /** @param {string} name */
  release(name) {
    const queue = this.#locks.get(name) ?? [];
    queue.shift();
    queue[0]?.grant(name);
  }

  /** Every change becomes known to every tab. */
  tell() {
    for (let isNew = true; isNew; ) isNew = this.tabs.map((tab) => tab.hear(99)).some((heard) => heard > 0);
  }
}

export class Tab {
  /** @type {[key: string | null, value: string | null][]} changes by other tabs that it has not heard of */
  news = [];
  isClosed = false;
  isFull = false;
  /** @type {((key: string | null, value: string | null) => void)[]} */
  #listeners = [];
  /** @type {Map<string, () => void>} */
  #granted = new Map();
  /** @type {{ run: () => void, dueAt: number }[]} */
  #timers = [];
  #now = 0;

  /**
   * @param {Family} family
   * @param {string} id
   * @param {string} user
   */
  constructor(family, id, user) {
    this.family = family;
    this.id = id;
    const area = this.#area();
    this.store = new Store({ storage: () => area, onChange: (changed) => this.#listeners.push(changed) });
    this.drafts = new Drafts(user, this.store, id);
    this.outbox = new Outbox(user, {
      store: this.store,
      send: (_, post) => this.family.room.post(this, post),
      services: {
        tab: id,
        timers: {
          setTimeout: (run, ms) => this.#timers.push({ run, dueAt: this.#now + ms }),
          clearTimeout: () => {},
          random: () => 0,
          now: () => this.#now,
        },
        locks: family.hasLocks ? /** @type {any} */ ({ request: this.#request.bind(this) }) : undefined,
      },
    });
  }

  /**
   * @param {number} count  of changes by others that it hears of now
   * @returns {number} of those it heard of
   */
  hear(count) {
    const heard = this.news.splice(0, count);
    for (const [key, value] of heard) {
      for (const changed of this.#listeners) changed(key, value);
    }
    return heard.length;
  }

  /** @param {string} name */
  grant(name) {
    this.#granted.get(name)?.();
  }

  /** @param {number} ms */
  async pass(ms) {
    this.#now += ms;
    const due = this.#timers.filter(({ dueAt }) => dueAt <= this.#now);
    this.#timers = this.#timers.filter(({ dueAt }) => dueAt > this.#now);
    if (!this.isClosed) for (const { run } of due) run();
    await settle();
  }

  /**
   * @param {string} name
   * @param {() => Promise<unknown>} run
   */
  async #request(name, run) {
    await new Promise((resolve) => {
      this.#granted.set(name, () => resolve(null));
      this.family.claim(this, name);
    });
    await run();
    if (!this.isClosed) this.family.release(name);
  }

  #area() {
    const { shared } = this.family;
    /** @type {(key: string, value: string | null) => void} */
    const tell = (key, value) => {
      for (const other of this.family.tabs) if (other !== this) other.news.push([key, value]);
    };
    return new Proxy(shared, {
      get: (area, name) => {
        if (name === "setItem") {
          return (/** @type {string} */ key, /** @type {string} */ value) => {
            if (this.isFull) throw new Error("QuotaExceededError");
            if (this.isClosed) return;
            area.setItem(key, value);
            tell(key, value);
          };
        }
        if (name === "removeItem") {
          return (/** @type {string} */ key) => {
            if (this.isClosed || area.getItem(key) === null) return;
            area.removeItem(key);
            tell(key, null);
          };
        }
        return Reflect.get(area, name, shared);
      },
    });
  }
}

/** A room at the server: posts with the same id are one message. Its answers come when the test says so. */
export class Room {
  /** @type {{ id: string, body: string }[]} */
  messages = [];
  /** @type {{ tab: Tab, post: { id: string, body: string }, resolve: (answer: Posted) => void, reject: (error: unknown) => void }[]} */
  requests = [];
  /** The most requests that were open at one moment. */
  mostOpen = 0;

  /**
   * @param {Tab} tab
   * @param {{ id: string, body: string }} post
   * @returns {Promise<Posted>}
   */
  post(tab, post) {
    return new Promise((resolve, reject) => {
      this.requests.push({ tab, post, resolve, reject });
      this.mostOpen = Math.max(this.mostOpen, this.requests.filter((request) => !request.tab.isClosed).length);
    });
  }

  get bodies() {
    return this.messages.map(({ body }) => body);
  }

  /** Saves the post of the oldest request, and answers. */
  async answer() {
    const request = this.requests.shift();
    if (request === undefined) return;
    request.resolve({ seq: this.#save(request.post), position: 1, at: "2026-01-01T12:00:00Z" });
    await settle();
  }

  /** @param {boolean} isSaved  before the connection of the oldest request is lost */
  async lose(isSaved) {
    const request = this.requests.shift();
    if (request === undefined) return;
    if (isSaved) this.#save(request.post);
    request.reject(new Lost());
    await settle();
  }

  /**
   * @param {string} code
   * @param {number} [retry_after_ms]
   */
  async refuse(code, retry_after_ms) {
    this.requests.shift()?.reject(new Refused({ code, detail: code, ...(retry_after_ms ? { retry_after_ms } : {}) }));
    await settle();
  }

  /** @param {{ id: string, body: string }} post */
  #save(post) {
    if (!this.messages.some(({ id }) => id === post.id)) this.messages.push(post);
    return 1 + this.messages.findIndex(({ id }) => id === post.id);
  }
}

/** Lets every promise that is ready continue. */
export const settle = () => new Promise((done) => setImmediate(done));
