// The line above the log: the state of the connection, and short notices.

/** @import { ConnectionState, StateDetails } from "../../hubbub/js/types.js" */

const NOTICE_MS = 2_000; // How long a notice is shown.
const PATIENCE_MS = 1_500; // A connection that takes no longer than this needs no line.

export class ConnectionStrip {
  #show;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #wasLost = false;
  #isDegraded = false;
  #isOverHttp = false;

  /** @param {(text: string, hasAgain?: boolean) => void} show  with the button "Connect again" or without */
  constructor(show) {
    this.#show = show;
  }

  /** @param {boolean} isDegraded  Redis is away: live updates are slow */
  set degraded(isDegraded) {
    this.#isDegraded = isDegraded;
  }

  /**
   * The connection changed.
   *
   * @param {ConnectionState} state
   * @param {StateDetails} why
   * @param {boolean} hasJoined  whether the room was open before
   */
  connection(state, why, hasJoined) {
    clearTimeout(this.#timer);
    if (state === "open") {
      this.#isOverHttp = why.via === "http";
      if (this.#wasLost) this.notice("Connected again");
      else this.rest();
      this.#wasLost = false;
    } else if (why.final) {
      this.#show(`Disconnected${why.reason ? `: ${why.reason}` : ""}.`, true);
    } else if (hasJoined || this.#wasLost) {
      this.#wasLost = true;
      this.#show("Reconnecting… your messages will be sent after that");
    } else {
      this.#wasLost = state === "offline";
      this.#timer = setTimeout(() => this.#show("Connecting… your messages will be sent after that"), PATIENCE_MS);
    }
  }

  /**
   * Shows a text for a short time.
   *
   * @param {string} text
   */
  notice(text) {
    clearTimeout(this.#timer);
    this.#show(text);
    this.#timer = setTimeout(() => this.rest(), NOTICE_MS);
  }

  /** Shows the line that stays while nothing else happens. */
  rest() {
    if (this.#isDegraded) this.#show("Live updates are slow right now");
    else this.#show(this.#isOverHttp ? "Connected over HTTP: this network blocks WebSockets" : "");
  }
}
