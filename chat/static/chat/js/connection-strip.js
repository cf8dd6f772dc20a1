// The band above the log: the state of the connection, and short notices.

import { closeText } from "../../hubbub/js/close-texts.js";
import { gettext, interpolate, ngettext } from "../../hubbub/js/texts.js";

/** @import { ConnectionState, StateDetails } from "../../hubbub/js/types.js" */

const NOTICE_MS = 2_000; // How long a notice is shown at least.
const CHAR_MS = 100; // A longer text takes longer to read.
const PATIENCE_MS = 1_500; // A connection that takes no longer than this needs no band.
const COUNT_MS = 3_000; // A shorter wait for the next try is not counted down.

export class ConnectionStrip {
  #show;
  #waiting;
  /** @type {[text: string, action?: string]} what is shown while there is no notice */
  #line = [""];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #noticeTimer;
  #wasLost = false;
  #isDegraded = false;
  #isOverHttp = false;
  #isRefusing = false;

  /**
   * @param {(text: string, action?: string) => void} show  `action`: the words of its button, which connects
   * @param {() => number} waiting  the number of the messages that wait
   */
  constructor(show, waiting) {
    this.#show = show;
    this.#waiting = waiting;
  }

  /** @param {boolean} isDegraded  Redis is away: live updates are slow */
  set degraded(isDegraded) {
    this.#isDegraded = isDegraded;
    if (!this.#wasLost) this.#rest();
  }

  /** @param {boolean} isRefusing  the server saves no messages now; they are sent again by themselves */
  set refusing(isRefusing) {
    if (isRefusing === this.#isRefusing && !isRefusing) return;
    this.#isRefusing = isRefusing;
    if (!this.#wasLost) this.#rest();
  }

  /**
   * The connection changed.
   *
   * @param {ConnectionState} state
   * @param {StateDetails} why
   * @param {boolean} wasOpen  whether the page was connected before
   */
  connection(state, why, wasOpen) {
    clearTimeout(this.#timer);
    if (state === "open") {
      const isBack = this.#wasLost;
      this.#wasLost = false;
      this.#isOverHttp = why.via === "http";
      this.#rest();
      if (isBack) this.notice(gettext("Connected again."));
      return;
    }
    this.#wasLost ||= state === "offline";
    if (why.final) this.#set(closeText(why.code) + this.#waits(), gettext("Connect again"));
    else if (state === "offline") this.#offline(performance.now() + (why.retryMs ?? 0));
    else if (wasOpen || this.#wasLost) this.#set(gettext("Reconnecting…") + this.#waits());
    else this.#timer = setTimeout(() => this.#set(gettext("Connecting…") + this.#waits()), PATIENCE_MS);
  }

  /**
   * @param {number} until  the next try, by a clock that cannot be set
   * @param {boolean} isCounting
   */
  #offline(until, isCounting = until - performance.now() > COUNT_MS) {
    const seconds = Math.max(1, Math.ceil((until - performance.now()) / 1_000));
    const line = gettext("Offline.") + this.#waits();
    if (!isCounting) this.#set(line);
    else this.#set(`${line} ${interpolate(gettext("Next try in %(n)s s."), { n: seconds })}`, gettext("Try now"));
    this.#timer = setTimeout(() => this.#offline(until, isCounting), 1_000);
  }

  #waits() {
    const count = this.#waiting();
    if (count === 0) return "";
    return ` ${interpolate(ngettext("%(n)s message waits.", "%(n)s messages wait.", count), { n: count })}`;
  }

  /**
   * Shows a text for a short time.
   *
   * @param {string} text
   * @param {number} ms  how long it is shown
   */
  notice(text, ms = Math.max(NOTICE_MS, CHAR_MS * text.length)) {
    clearTimeout(this.#noticeTimer);
    this.#show(text);
    this.#noticeTimer = setTimeout(() => {
      this.#noticeTimer = undefined;
      this.#show(...this.#line);
    }, ms);
  }

  #rest() {
    if (this.#isRefusing) this.#set(gettext("The server cannot save messages right now.") + this.#waits());
    else if (this.#isDegraded) this.#set(gettext("Live updates are slow right now."));
    else this.#set(this.#isOverHttp ? gettext("Connected over HTTP: this network blocks WebSockets.") : "");
  }

  /** @param {[text: string, action?: string]} line */
  #set(...line) {
    this.#line = line;
    if (this.#noticeTimer === undefined) this.#show(...line);
  }
}
