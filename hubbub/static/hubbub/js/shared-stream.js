// One connection over HTTP for several tabs of a browser: who gets which frame. It ends with its last tab.

import { SharedTopic } from "./shared-topic.js";

/** @import { Frame, Hello, Tab, Timers, WebSocketLike } from "./types.js" */

/** @typedef {Frame & { ref: number, topic?: string, token?: string, after?: number, epoch?: string }} Command */

const ABNORMAL = 1006;
const RESTART = 1012;
// By code of an error: the close code of a socket that is refused with it.
/** @type {Record<string, number>} */
const CLOSES = { rate_limited: 4102, unavailable: 4103 };

export class SharedStream {
  #socket;
  #timers;
  #token;
  #ended;
  /** @type {Hello | null} */
  #hello = null;
  /** @type {Set<Tab>} */
  #tabs = new Set();
  /** @type {Set<Tab>} those that were given a hello */
  #admitted = new Set();
  /** @type {Set<Tab>} came after the stream was asked for: another user may have signed in between */
  #unchecked = new Set();
  #isChecking = false;
  /** @type {Map<string, SharedTopic>} by address */
  #topics = new Map();
  /** @type {Map<number, (frame: any) => void>} by ref */
  #asked = new Map();
  #lastRef = 0;
  #isOver = false;

  /**
   * @param {WebSocketLike} socket  which is used by nobody else
   * @param {object} options
   * @param {Timers} options.timers
   * @param {string} [options.token]  signs in where there is no session
   * @param {(isLost: boolean) => void} options.ended  runs when it is of no use any more; lost: its tabs will resume
   */
  constructor(socket, { timers, token = "", ended }) {
    this.#socket = socket;
    this.#timers = timers;
    this.#token = token;
    this.#ended = ended;
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#end(code, reason, code < 4000);
  }

  /** @param {Tab} tab */
  enter(tab) {
    if (this.#tabs.size > 0) this.#unchecked.add(tab);
    this.#tabs.add(tab);
    this.#check();
  }

  /** The tab is closed. */
  leave(/** @type {Tab} */ tab) {
    if (this.#isOver || !this.#tabs.delete(tab)) return;
    this.#admitted.delete(tab);
    this.#unchecked.delete(tab);
    for (const topic of [...this.#topics.values()]) topic.leave(tab);
    if (this.#tabs.size === 0) this.#end(1000, "");
  }

  /**
   * A command of a tab.
   *
   * @param {Tab} tab
   * @param {string} text
   */
  take(tab, text) {
    /** @type {Command} */
    const command = JSON.parse(text);
    const { type, ref, topic } = command;
    if (type === "join" && topic !== undefined) this.#topic(topic).join(tab, command);
    else if (type === "leave" && topic !== undefined) {
      this.#topics.get(topic)?.leave(tab);
      tab.deliver(JSON.stringify({ type: "ok", ref, topic }));
    } else {
      this.#ask(command, (frame) => this.#tabs.has(tab) && tab.deliver(JSON.stringify({ ...frame, ref })));
    }
  }

  /** @param {string} address */
  #topic(address) {
    let topic = this.#topics.get(address);
    if (topic === undefined) {
      topic = new SharedTopic(address, {
        ask: (command, answered) => this.#ask(command, answered),
        later: (run, ms) => void this.#timers.setTimeout(() => this.#isOver || run(), ms),
        mustSplit: ({ code }) => code === "too_many" && this.#tabs.size > 1,
        forget: ({ address }) => this.#topics.delete(address),
      });
      this.#topics.set(address, topic);
    }
    return topic;
  }

  /**
   * @param {Frame} command
   * @param {(frame: any) => void} answered
   */
  #ask(command, answered) {
    if (this.#isOver) return;
    const ref = ++this.#lastRef;
    this.#asked.set(ref, answered);
    this.#socket.send(JSON.stringify({ ...command, ref }));
  }

  /** @param {string} text */
  #receive(text) {
    const frame = JSON.parse(text);
    if (frame.ref !== undefined) {
      const answered = this.#asked.get(frame.ref);
      this.#asked.delete(frame.ref);
      answered?.(frame);
    } else if (frame.topic !== undefined) this.#topics.get(frame.topic)?.receive(frame, text);
    else if (frame.type === "hello") {
      this.#hello = frame;
      for (const tab of this.#tabs) if (!this.#unchecked.has(tab)) this.#admit(tab, frame);
      this.#check();
    } else if (frame.type === "auth.required" && this.#token !== "") {
      this.#socket.send(JSON.stringify({ type: "auth", token: this.#token }));
    } else {
      if (frame.type === "auth.required") this.#ended(false); // A tab that comes later may be signed in.
      this.#note(frame, text);
      const tabs = this.#hello === null ? this.#tabs : this.#admitted;
      for (const tab of [...tabs]) tab.deliver(text);
    }
  }

  /**
   * @param {any} frame  of the connection
   * @param {string} text
   */
  #note(frame, text) {
    if (frame.type === "service.changed" && this.#hello !== null) {
      this.#hello.state = frame.state;
      if (frame.state === "ok") for (const topic of this.#topics.values()) topic.refresh();
    } else if (frame.type === "person.changed") {
      for (const topic of this.#topics.values()) topic.rename(frame.user, text);
    }
  }

  /** Asks the server whose session the browser has now, for the tabs that came meanwhile. */
  #check() {
    if (this.#hello === null || this.#isChecking || this.#unchecked.size === 0) return;
    const tabs = [...this.#unchecked];
    this.#unchecked.clear();
    this.#isChecking = true;
    this.#ask({ type: "hello" }, (frame) => {
      this.#isChecking = false;
      if (frame.type === "hello") {
        if (frame.user.id === this.#hello?.user.id) for (const tab of tabs) this.#admit(tab, frame);
        else this.#end(RESTART, "Another user has signed in");
      } else {
        const { ref, ...error } = frame;
        for (const tab of tabs) this.#refuse(tab, error);
      }
      this.#check();
    });
  }

  /**
   * @param {Tab} tab
   * @param {any} hello  with the present name of the user
   */
  #admit(tab, { user, server_time }) {
    if (!this.#tabs.has(tab)) return;
    this.#admitted.add(tab);
    tab.deliver(JSON.stringify({ ...this.#hello, user, server_time, csrf: undefined, stream: undefined }));
  }

  /**
   * @param {Tab} tab
   * @param {any} error
   */
  #refuse(tab, error) {
    if (!this.#tabs.has(tab)) return;
    tab.deliver(JSON.stringify(error));
    tab.end(CLOSES[error.code] ?? ABNORMAL, error.detail, false);
  }

  /**
   * @param {number} code
   * @param {string} reason
   * @param {boolean} isLost
   */
  #end(code, reason, isLost = false) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.close();
    this.#ended(isLost);
    for (const tab of [...this.#tabs]) tab.end(code, reason, false);
  }
}
