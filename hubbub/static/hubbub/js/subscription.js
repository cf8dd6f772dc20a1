// One topic of a hub, for all pages of it that have it open: joins and leaves it, and calls their handlers.

import { untilAborted } from "./abort.js";
import { backoffMs } from "./backoff.js";
import { Lost, Refused } from "./errors.js";
import { Listeners } from "./listeners.js";
import { newId } from "./new-id.js";
import { Queue } from "./queue.js";
import { Replica } from "./replica.js";

/**
 * @import { JoinLane } from "./join-lane.js"
 * @import { Handle } from "./listeners.js"
 * @import { FirstAnswer, Frame, Person, SendOptions, Timer, Timers, TopicHandlers, TopicJoined } from "./types.js"
 */

/** @typedef {Frame & { topic: string, after?: number, epoch?: string, id?: string }} TopicCommand */

/**
 * What a subscription needs of its hub.
 * @typedef {object} Host
 * @property {Timers} env
 * @property {JoinLane} lane
 * @property {() => boolean} isOpen  whether commands can be sent
 * @property {(command: TopicCommand, signal?: AbortSignal) => Promise<any>} request  sends a command once, not if the signal is
 *   aborted before; rejects with Refused or Lost
 * @property {(subscription: Subscription) => void} forget  the subscription is not used any more
 */

// The topic may be joined later. `unauthorized`: the server is about to close the socket.
const RETRIED = new Set(["rate_limited", "unavailable", "internal", "unauthorized"]);
const MIN_RETRY_MS = 500;

export class Subscription {
  #host;
  #replica = new Replica();
  #queue;
  #listeners = new Listeners();
  /** @type {TopicJoined | null} the answer to the last join; null: the socket gets no events */
  #answer = null;
  #mayBeMember = false; // The server may send events of the topic.
  #isStale = false; // Events without a position may have been missed.
  /** @type {string | null} the error code that the topic was closed with */
  #closed = null;
  #connection = {}; // Another object after each loss of the connection.
  #isBusy = false; // A join or a leave waits or is in flight.
  #tries = 0;
  /** @type {Timer | null} until the next try */
  #timer = null;

  /**
   * @param {string} address
   * @param {Host} host
   */
  constructor(address, host) {
    this.address = address;
    this.#host = host;
    this.#queue = new Queue({ env: host.env, send: (command) => host.request(/** @type {TopicCommand} */ (command)) });
    if (host.isOpen()) this.#queue.resume();
  }

  /** Whether its events arrive. */
  get isJoined() {
    return this.#answer !== null;
  }

  /**
   * The position of all that the handlers were given; null before their first state.
   *
   * @param {Handle} handle
   */
  positionOf(handle) {
    return this.#listeners.hasBegun(handle) ? this.#replica.position : null;
  }

  /**
   * Begins to call these handlers. They get the present state at once, if it is known, but not before this returns.
   *
   * @param {Handle} handle
   * @param {TopicHandlers} handlers
   * @param {FirstAnswer | null} [first]  that the page was made with
   */
  add(handle, handlers, first) {
    if (first?.topic === this.address) this.#replica.begin(first);
    this.#listeners.add(handle, handlers);
    if (this.#closed !== null) {
      this.#replica.forget();
      this.rejoin();
    }
    queueMicrotask(() => this.#bringUp(handle));
    this.#step();
  }

  /** @param {Handle} handle */
  remove(handle) {
    this.#listeners.remove(handle);
    this.#step();
  }

  /** Joins now, also a topic that was closed, or one that is joined: what has no position is brought again. */
  rejoin() {
    this.#closed = null;
    this.#isStale = true;
    this.#stopWaiting();
    this.#step();
  }

  /** Joins again if the topic is joined: events without a position may have been missed. */
  refresh() {
    if (this.#answer !== null) this.rejoin();
  }

  /**
   * @param {string} type
   * @param {object} fields
   * @param {SendOptions} options
   * @returns {Promise<any>} the result of the command
   */
  async send(type, fields, { keep = false, signal }) {
    signal?.throwIfAborted();
    const command = { ...fields, type, topic: this.address };
    const answer = keep
      ? this.#keep({ id: newId(), ...command }, signal)
      : untilAborted(this.#host.request(command, signal), signal);
    return (await answer).result;
  }

  // By the hub:

  connected() {
    this.#tries = 0;
    this.#step();
    this.#queue.resume();
  }

  disconnected() {
    this.#connection = {};
    this.#isBusy = false;
    this.#left();
    this.#stopWaiting();
    this.#queue.pause();
    this.#step();
  }

  /** @param {any} frame  with this topic */
  receive(frame) {
    if (frame.type === "closed") this.#close(frame.code, "");
    else if (this.#answer !== null) this.#listeners.deliver(this.#replica.receive(frame));
  }

  /** @param {Person} user */
  rename(user) {
    this.#listeners.deliver(this.#replica.rename(user));
  }

  /** The hub is closed for good. */
  end() {
    this.#queue.clear(new Lost());
    this.#listeners.close();
  }

  /**
   * @param {TopicCommand} command
   * @param {AbortSignal | undefined} signal
   */
  #keep(command, signal) {
    const answered = this.#queue.add(command);
    answered.catch(() => {}).finally(() => this.#step());
    return untilAborted(answered, signal, () => {
      this.#queue.drop(command);
      this.#step();
    });
  }

  get #isWanted() {
    return !this.#listeners.isEmpty && this.#closed === null;
  }

  get #mustJoin() {
    return this.#isWanted && (this.#answer === null || this.#isStale);
  }

  get #mustLeave() {
    return !this.#isWanted && this.#mayBeMember;
  }

  /** Does what is to be done next, if anything: one thing at a time, so that the server gets them in order. */
  #step() {
    if (this.#listeners.isEmpty && !this.#mayBeMember && !this.#isBusy && this.#queue.isEmpty) {
      this.#host.forget(this);
    } else if (this.#host.isOpen() && !this.#isBusy && this.#timer === null && (this.#mustJoin || this.#mustLeave)) {
      this.#isBusy = true;
      this.#host.lane.add(() => this.#turn(), this.#mustJoin);
    }
  }

  async #turn() {
    const connection = this.#connection;
    const isJoin = this.#mustJoin; // It may have changed since the turn was asked for.
    try {
      if (isJoin) await this.#join(connection);
      else if (this.#mustLeave) await this.#leave(connection);
    } catch (error) {
      if (connection === this.#connection) this.#failed(/** @type {Refused | Lost} */ (error), isJoin);
    }
    if (connection !== this.#connection) return;
    this.#isBusy = false;
    this.#step();
  }

  /** @param {object} connection */
  async #join(connection) {
    this.#mayBeMember = true;
    this.#isStale = false;
    /** @type {TopicJoined} */
    const answer = await this.#host.request({ type: "join", topic: this.address, ...this.#replica.known });
    if (connection !== this.#connection) return;
    this.#tries = 0;
    this.#closed = null; // A `closed` during the join is of the membership before it.
    this.#mayBeMember = true;
    this.#answer = answer.partial ? null : answer;
    this.#listeners.deliver(this.#replica.join(answer));
    for (const handle of this.#listeners.waiting) this.#bringUp(handle);
  }

  /** @param {object} connection */
  async #leave(connection) {
    await this.#host.request({ type: "leave", topic: this.address });
    if (connection !== this.#connection) return;
    this.#tries = 0;
    this.#left();
  }

  /**
   * @param {Refused | Lost} error
   * @param {boolean} isJoin
   */
  #failed(error, isJoin) {
    // With a time to wait, by any code: the server has kept the membership.
    if (error.retryAfterMs !== null || RETRIED.has(error.code)) {
      this.#isStale ||= isJoin;
      const waitMs = Math.max(error.retryAfterMs ?? 0, MIN_RETRY_MS);
      if (error.code === "rate_limited") this.#host.lane.pause(waitMs);
      this.#timer = this.#host.env.setTimeout(
        () => {
          this.#timer = null;
          this.#step();
        },
        waitMs + backoffMs(this.#tries++, this.#host.env.random),
      );
    } else if (isJoin) this.#close(error.code, error.detail);
    else this.#left();
  }

  /**
   * @param {string} code
   * @param {string} detail
   */
  #close(code, detail) {
    this.#left();
    if (this.#closed !== null || this.#listeners.isEmpty) return;
    this.#closed = code;
    this.#stopWaiting();
    this.#listeners.deliverToAll(["closed", code, detail]);
  }

  #left() {
    this.#answer = null;
    this.#mayBeMember = false;
  }

  #stopWaiting() {
    this.#host.env.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /**
   * Brings a page that opened the topic to the present state, as far as that is known.
   *
   * @param {Handle} handle
   */
  #bringUp(handle) {
    if (!this.#listeners.isWaiting(handle) || this.#closed !== null) return;
    const deliveries = this.#replica.snapshot(this.#answer);
    if (deliveries !== null) this.#listeners.begin(handle, deliveries);
    else if (this.#answer !== null) {
      this.#replica.forget();
      this.rejoin();
    }
  }
}
