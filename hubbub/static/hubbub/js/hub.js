// Topics of the server on a page: one connection for all of them, which comes back by itself.
//
//   const hub = new Hubbub({ path: "/ws/" });                       // connects; by the session, or with a `token`
//   const poll = hub.topic("poll/7", {
//     state(state, joined) {},     // the state, at first and whenever it changed
//     event(event) {},             // an event, in order; or `events(events) {}`, which gets those of one answer together
//     present(present) {},         // the users present changed: { count, users }
//     joined(answer) {},           // level with the server, first or again
//     closed(code, detail) {},     // not open to this user (any more); poll.join() tries again
//   });
//   await poll.send("vote", { option: 4 });                         // the result; rejects with { code, detail, retryAfterMs }
//   await poll.send("note.add", { text }, { keep: true });          // sent again until it is answered
//   poll.close();
//   await hub.send("poll/8", "vote", { option: 1 });                // to a topic that is not opened: it is not joined
//   hub.close();
//
// `types.d.ts` describes all options and handlers. Nothing of the page is changed but by the page's own handlers.

import { untilAborted } from "./abort.js";
import { browser } from "./browser.js";
import { guarded, Lost, Refused } from "./errors.js";
import { JoinLane } from "./join-lane.js";
import { Socket } from "./socket.js";
import { Subscription } from "./subscription.js";

/** @import { BrowserLike, ConnectionState, EngineEvent, Frame, Hello } from "./types.js" */
/** @import { HubOptions, StateDetails, Person, SendOptions, TopicEvent, TopicHandlers, TopicOptions } from "./types.js" */

/**
 * A command that was sent while the hub connects.
 * @typedef {object} Early
 * @property {Frame} command
 * @property {AbortSignal | undefined} signal
 * @property {(answer: any) => void} resolve
 * @property {(error: unknown) => void} reject
 */

export { Lost, Refused };

export class Hubbub {
  #options;
  #end = new AbortController();
  #lane;
  /** @type {Socket} */
  #socket;
  /** @type {Map<string, Subscription>} by address */
  #subscriptions = new Map();
  /** @type {Early[]} */
  #early = [];
  /** @type {ConnectionState} */
  #connection = "offline";
  /** @type {Person | null} the user whose page this is: the first who was admitted */
  #user = null;
  #host;

  /**
   * @param {HubOptions} options
   * @param {BrowserLike} [env]
   */
  constructor(
    options = {},
    env = browser({
      root: { dataset: {} },
      signIn: options.signIn ?? (() => {}),
      signal: this.#end.signal,
      worker: options.worker,
    }),
  ) {
    this.#options = options;
    this.#lane = new JoinLane(env);
    this.#host = {
      env,
      lane: this.#lane,
      isOpen: () => this.#socket.isOpen,
      request: this.#request.bind(this),
      forget: this.#forget.bind(this),
    };
    this.#socket = new Socket(
      options.path ?? "/ws/",
      {
        token: options.token,
        hello: (frame) => this.#hello(frame),
        event: (frame) => this.#event(frame),
        state: (state, why) => this.#state(state, why),
      },
      env,
      options.http === undefined ? defaultHttp(options.path) : options.http,
    );
    options.signal?.addEventListener("abort", () => this.close(), { signal: this.#end.signal });
    if (options.signal?.aborted) this.close();
    else this.open();
  }

  /** "connecting", "open" or "offline". */
  get connection() {
    return this.#connection;
  }

  /** The user of the hub; null before the first connection. */
  get user() {
    return this.#user;
  }

  /** Connects again after an end that was final, such as a session that has ended. Does nothing while it is connected. */
  open() {
    if (this.#end.signal.aborted) throw new Error("The hub is closed.");
    this.#socket.open();
  }

  /** Leaves all topics for good, and lets go of all listeners. Commands without an answer are rejected. */
  close() {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.#socket.close();
    for (const subscription of this.#subscriptions.values()) subscription.end();
    this.#subscriptions.clear();
  }

  /**
   * Opens a topic. It is joined as long as it is open; several open ones of one address share a join.
   *
   * @template [State=any]
   * @template [Event=any]
   * @param {string} address  such as `poll/7`
   * @param {TopicHandlers<State, Event>} handlers
   * @param {TopicOptions} options
   * @returns {Topic}
   */
  topic(address, handlers = {}, options = {}) {
    if (this.#end.signal.aborted) throw new Error("The hub is closed.");
    let subscription = this.#subscriptions.get(address);
    if (subscription === undefined) {
      subscription = new Subscription(address, this.#host);
      this.#subscriptions.set(address, subscription);
    }
    return new Topic(subscription, handlers, options);
  }

  /**
   * Sends a command to a topic without joining it.
   *
   * @param {string} address  of the topic
   * @param {string} type  the name of the command
   * @param {object} fields  its arguments
   * @param {Pick<SendOptions, "signal">} options
   * @returns {Promise<any>} the result; rejects as `send` of a topic does
   */
  async send(address, type, fields = {}, { signal } = {}) {
    signal?.throwIfAborted();
    if (this.#end.signal.aborted) throw new Lost();
    const command = { ...fields, type, topic: address };
    return (await untilAborted(this.#request(command, signal), signal)).result;
  }

  /**
   * Sends a command once; while the hub connects, after that.
   *
   * @param {Frame} command
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  #request(command, signal) {
    if (this.#connection !== "connecting") return this.#socket.request(command);
    this.#early = this.#early.filter((early) => !early.signal?.aborted);
    return new Promise((resolve, reject) => this.#early.push({ command, signal, resolve, reject }));
  }

  /** @param {Subscription} subscription */
  #forget(subscription) {
    if (this.#subscriptions.get(subscription.address) === subscription)
      this.#subscriptions.delete(subscription.address);
  }

  // By the socket:

  /** @param {Hello} frame */
  #hello(frame) {
    if (guarded(() => this.#options.hello?.(frame)) === false) return false;
    // Another user signed in with this browser: the queued commands are not that user's.
    if (this.#user !== null && this.#user.id !== frame.user.id) return false;
    this.#user = frame.user;
    for (const subscription of this.#subscriptions.values()) subscription.connected();
    for (const { command, signal, resolve, reject } of this.#early.splice(0)) {
      if (!signal?.aborted) this.#socket.request(command).then(resolve, reject);
    }
    return true;
  }

  /** @param {EngineEvent | TopicEvent} frame */
  #event(frame) {
    if ("topic" in frame) {
      this.#subscriptions.get(frame.topic)?.receive(frame);
      return;
    }
    const event = /** @type {EngineEvent} */ (frame);
    if (event.type === "person.changed") {
      for (const subscription of this.#subscriptions.values()) subscription.rename(event.user);
      if (this.#user?.id === event.user.id) this.#user = event.user;
    } else if (event.type === "service.changed" && event.state === "ok") {
      for (const subscription of this.#subscriptions.values()) subscription.refresh();
    }
    guarded(() => this.#options.event?.(event));
  }

  /**
   * @param {ConnectionState} state
   * @param {StateDetails} why
   */
  #state(state, why) {
    this.#connection = state;
    if (state === "offline") {
      this.#lane.clear();
      for (const subscription of this.#subscriptions.values()) subscription.disconnected();
      for (const { reject } of this.#early.splice(0)) reject(new Lost());
    }
    guarded(() => this.#options.state?.(state, why));
  }
}

/**
 * Of the addresses for HTTP. Another host has none by default: its answers carry no CORS headers.
 *
 * @param {string | undefined} path  of the WebSocket
 */
function defaultHttp(path = "") {
  return /^([a-z]+:)?\/\//i.test(path) ? null : "/live/";
}

/** An open topic. */
export class Topic {
  #subscription;
  #end = new AbortController();

  /**
   * @param {Subscription} subscription
   * @param {TopicHandlers} handlers
   * @param {TopicOptions} options
   */
  constructor(subscription, handlers, { signal, first }) {
    this.#subscription = subscription;
    signal?.addEventListener("abort", () => this.close(), { signal: this.#end.signal });
    if (signal?.aborted) this.#end.abort();
    else subscription.add(this, handlers, first);
  }

  get address() {
    return this.#subscription.address;
  }

  /** Whether its events arrive: the connection is open, and the server accepted the join. */
  get isJoined() {
    return !this.#end.signal.aborted && this.#subscription.isJoined;
  }

  /**
   * The position that the handlers have reached; null before the first state. A change with a position up to this one, such as
   * that of a command's result, was delivered.
   */
  get position() {
    return this.#end.signal.aborted ? null : this.#subscription.positionOf(this);
  }

  /**
   * Sends a command.
   *
   * @param {string} type  the name of the command
   * @param {object} fields  its arguments; an `id` for a command of one effect per id, which `keep` makes if there is none
   * @param {SendOptions} options
   * @returns {Promise<any>} the result; rejects with an Error that has `code`, `detail` and `retryAfterMs`. Without `keep`,
   *   `disconnected` says that the connection was lost, so the command may or may not have happened
   */
  send(type, fields = {}, options = {}) {
    if (this.#end.signal.aborted) return Promise.reject(new Lost());
    return this.#subscription.send(type, fields, options);
  }

  /** Joins again, after `closed`. */
  join() {
    if (!this.#end.signal.aborted) this.#subscription.rejoin();
  }

  /** No handler is called any more. Commands that were sent are still answered; those to keep are still sent. */
  close() {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.#subscription.remove(this);
  }
}
