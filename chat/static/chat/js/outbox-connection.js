// The connection of a page without a room, while posts wait.

import { Hubbub, Lost } from "../../hubbub/js/hub.js";
import { askBeforeLeaving, pageOutbox } from "./outbox-page.js";

/**
 * @param {string} user
 * @param {string} path  of the WebSocket
 * @param {string} http  of the addresses for HTTP, or ""
 * @returns {() => void} connects, if it is not connected, until nothing waits any more
 */
export function connectionFor(user, path, http) {
  /** @type {Hubbub | null} */
  let hub = null;
  const outbox = pageOutbox(user, {
    send: (...command) => hub?.send(...command) ?? Promise.reject(new Lost()),
  });
  const disconnect = () => {
    outbox.close();
    hub?.close();
    hub = null;
  };
  askBeforeLeaving(user, outbox);
  document.addEventListener("signing-out", disconnect);
  outbox.watch(() => outbox.waiting === 0 && disconnect());
  return () => {
    hub ??= new Hubbub({
      path,
      http: http || null,
      hello(frame) {
        outbox.open(frame.user.id);
        return frame.user.id === user; // Else another user has signed in with this browser.
      },
      state(connection) {
        if (connection !== "open") outbox.close();
      },
    });
  };
}
