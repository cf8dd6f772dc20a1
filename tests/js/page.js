// A page with a socket in a fake browser.

import { Socket } from "../../hubbub/static/hubbub/js/socket.js";
import { FakeBrowser } from "./browser.js";

/** @import { CloseReason, ConnectionState } from "../../hubbub/static/hubbub/js/types.js" */

export class Page {
  browser = new FakeBrowser();
  hellos = 0;
  /** @type {object[]} */
  events = [];
  /** @type {[state: ConnectionState, why: Partial<CloseReason>][]} */
  states = [];
  socket = new Socket(
    "/ws/",
    {
      hello: () => {
        this.hellos += 1;
      },
      event: (frame) => this.events.push(frame),
      state: (state, why) => this.states.push([state, why]),
    },
    this.browser,
  );

  /** Opens the socket; the server admits it. */
  connect() {
    this.socket.open();
    this.browser.socket.greets();
  }

  /** The connection's state on the root element. */
  get state() {
    return this.browser.root.dataset.state;
  }

  /** Why the connection last changed. */
  get lastWhy() {
    return this.states.at(-1)?.[1] ?? {};
  }
}
