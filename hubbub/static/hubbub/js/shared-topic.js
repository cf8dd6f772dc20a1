// A topic of a stream that several tabs share: joined once at the server, for all tabs that have it open.
//
// A tab that opens a topic which is joined already is answered with its state. It is read beside the stream, and what
// the stream brings meanwhile follows it: the tab drops by position what it gets twice.

import { presentAfter, presentAtJoin, presentRenamed } from "./presence.js";

/** @import { Frame, Person, Present, Tab } from "./types.js" */

/**
 * A tab whose join has no answer yet.
 * @typedef {{ tab: Tab, ref: number, after?: number, epoch?: string, isOver?: boolean }} Waiting
 */

/**
 * What a topic needs of its stream.
 * @typedef {object} Host
 * @property {(command: Frame & { topic: string }, answered: (frame: any) => void) => void} ask  sends a command
 * @property {(run: () => void, ms: number) => void} later
 * @property {(frame: any) => boolean} mustSplit  whether the answer says that the stream is full of other tabs' topics
 * @property {(topic: SharedTopic) => void} forget  no tab uses the topic any more
 */

/**
 * All changes after the position `from`.
 * @typedef {{ epoch: string, from: number, position: number, events: any[], viewer?: unknown }} Log
 */

const MIN_RETRY_MS = 1_000;
const MAX_EVENTS = 200; // Kept for tabs that resume.

export class SharedTopic {
  #host;
  /** @type {Set<Tab>} those that get its events */
  #members = new Set();
  /** @type {Waiting[]} */
  #waiting = [];
  /** @type {Waiting[]} those for whom a command is in flight */
  #served = [];
  #isBusy = false; // A command of its own is in flight.
  #isJoined = false; // At the server.
  #isStale = false; // What has no position may have been missed: the next join is one at the server.
  /** @type {Present | null} */
  #present = null;
  /** @type {Log | null} null: the server is asked */
  #log = null;
  /** @type {string[] | null} what arrived while the state is read */
  #held = null;

  /**
   * @param {string} address
   * @param {Host} host
   */
  constructor(address, host) {
    this.address = address;
    this.#host = host;
  }

  /**
   * @param {Tab} tab
   * @param {{ ref: number, after?: number, epoch?: string }} command
   */
  join(tab, { ref, after, epoch }) {
    this.#waiting.push({ tab, ref, after, epoch });
    this.#step();
  }

  /** @param {Tab} tab */
  leave(tab) {
    this.#members.delete(tab);
    for (const waiting of [...this.#waiting, ...this.#served]) waiting.isOver ||= waiting.tab === tab;
    this.#step();
  }

  /**
   * @param {any} frame  an event of the topic
   * @param {string} text  the same, as it arrived
   */
  receive(frame, text) {
    const isPresence = frame.type === "presence.changed";
    if (isPresence) this.#present = presentAfter(this.#present, frame);
    else {
      this.#held?.push(text);
      this.#keep(frame);
    }
    for (const tab of this.#members) tab.deliver(text);
    if (frame.type === "closed") {
      this.#members.clear();
      this.#isJoined = false;
      this.#step();
    }
  }

  /**
   * @param {Person} user  with a new name
   * @param {string} text  the frame
   */
  rename(user, text) {
    this.#present = presentRenamed(this.#present, user);
    this.#held?.push(text); // The state may have been read before.
  }

  /** The server can bring again what has no position: tabs join again. */
  refresh() {
    this.#isStale = this.#isJoined;
  }

  #step() {
    if (this.#isBusy) return;
    this.#waiting = this.#waiting.filter((waiting) => !waiting.isOver && !this.#resume(waiting));
    if (this.#waiting.length > 0) {
      this.#isBusy = true;
      this.#served = this.#waiting.splice(0);
      if (this.#isJoined && !this.#isStale) this.#read();
      else this.#enter(this.#served[0]);
    } else if (this.#members.size === 0) {
      if (this.#isJoined) this.#exit();
      else this.#host.forget(this);
    }
  }

  /** @param {Waiting} asked  whose position the server is told */
  #enter({ after, epoch }) {
    const known = after === undefined ? {} : { after, epoch };
    this.#isStale = false;
    this.#host.ask({ type: "join", topic: this.address, ...known }, (frame) => {
      const served = this.#done();
      if (frame.type === "error") this.#refused(served, frame);
      else {
        // In a part of the changes the server says nothing of users, and the topic is not joined.
        this.#isJoined = !frame.partial;
        if (this.#isJoined) this.#begin(frame, Number(after));
        for (const waiting of served) {
          const isLevel = !frame.complete || (waiting.epoch === epoch && Number(waiting.after) >= Number(after));
          if (isLevel) this.#admit(waiting, frame);
          else this.#waiting.push(waiting);
        }
      }
      this.#step();
    });
  }

  /**
   * @param {any} answer  to the join at the server
   * @param {number} after
   */
  #begin({ epoch, position, complete, events = [], viewer, present }, after) {
    this.#present = presentAtJoin(present ?? null);
    // Else it may be a newest, which cannot be resumed.
    this.#log = complete ? { epoch, from: after, position, events: [...events], viewer } : null;
  }

  /** @param {any} event */
  #keep({ type, epoch, position, ...fields }) {
    const log = this.#log;
    if (log === null || position === undefined) return;
    if (type === "changed" && epoch !== undefined) {
      this.#log = epoch === log.epoch ? { ...log, from: position, position, events: [] } : null;
    } else if (position > log.position) {
      log.position = position;
      if (log.events.push({ type, epoch, position, ...fields }) > MAX_EVENTS) this.#log = null;
    }
  }

  /**
   * Answers a tab that has been on the stream before, as the server would.
   *
   * @param {Waiting} waiting
   * @returns {boolean} false: the server is asked
   */
  #resume(waiting) {
    const log = this.#log;
    const after = Number(waiting.after);
    if (!this.#isJoined || this.#isStale || log === null) return false;
    if (waiting.epoch !== log.epoch || !(after >= log.from && after <= log.position)) return false;
    const { epoch, position, viewer } = log;
    const events = log.events.filter((event) => event.position > after);
    const present = asPresence(this.#present);
    this.#admit(waiting, { type: "ok", topic: this.address, epoch, position, complete: true, events, present, viewer });
    return true;
  }

  #read() {
    this.#held = [];
    this.#host.ask({ type: "state", topic: this.address }, (frame) => {
      const served = this.#done();
      const held = this.#held ?? [];
      this.#held = null;
      for (const waiting of served) {
        if (frame.type === "error") waiting.tab.deliver(JSON.stringify({ ...frame, ref: waiting.ref }));
        // The server has closed the topic meanwhile.
        else if (!this.#isJoined) this.#waiting.push(waiting);
        else {
          this.#admit(waiting, { ...frame, present: asPresence(this.#present) });
          for (const text of held) waiting.tab.deliver(text);
        }
      }
      this.#step();
    });
  }

  #exit() {
    this.#isBusy = true;
    this.#host.ask({ type: "leave", topic: this.address }, (frame) => {
      this.#done();
      // With a time to wait, the server has kept the membership.
      this.#isJoined = frame.type === "error" && frame.retry_after_ms !== undefined;
      if (this.#isJoined) this.#host.later(() => this.#step(), Math.max(frame.retry_after_ms, MIN_RETRY_MS));
      else this.#step();
    });
  }

  /** @returns {Waiting[]} those who still wait for the command that was answered */
  #done() {
    this.#isBusy = false;
    return this.#served.splice(0).filter(({ isOver }) => !isOver);
  }

  /**
   * @param {Waiting} waiting
   * @param {any} answer
   */
  #admit({ tab, ref }, answer) {
    if (answer.partial) this.#members.delete(tab);
    else this.#members.add(tab);
    tab.deliver(JSON.stringify({ ...answer, ref }));
  }

  /**
   * @param {Waiting[]} served
   * @param {any} error
   */
  #refused(served, error) {
    const isFull = this.#host.mustSplit(error);
    for (const { tab, ref } of served) {
      if (isFull) tab.end(1012, "Too many topics for one stream", true);
      else tab.deliver(JSON.stringify({ ...error, ref }));
    }
    if (error.retry_after_ms !== undefined) return;
    // A membership of before has ended: its tabs come back, and learn it by their own join.
    this.#isJoined = false;
    for (const { tab } of served) this.#members.delete(tab);
    for (const tab of [...this.#members]) tab.end(1012, "Topic refused", false);
  }
}

/**
 * Users present as an answer to a join names them.
 *
 * @param {Present | null} present
 */
function asPresence(present) {
  return present === null ? undefined : { count: present.count, users: present.users ?? [] };
}
