// The dashboard's page, wired: frames change the state, and the view shows it.

import { find } from "../../hubbub/js/dom.js";
import { showOwnName } from "../../hubbub/js/own-name.js";
import { Socket } from "../../hubbub/js/socket.js";
import { initial, reduce } from "./dashboard-state.js";
import { DashboardView } from "./dashboard-view.js";

/** @import { DashboardAction, MonitorEvent } from "./types.js" */

const TICK_MS = 250;

const root = find(document, "#dashboard", HTMLElement);
const { socketPath = "", staleMs, userId } = root.dataset;

let state = initial({ staleMs: Number(staleMs) });
const view = new DashboardView(root, { choose: (subject) => change({ type: "chosen", subject }) });

/** @type {Socket<MonitorEvent>} */
const socket = new Socket(socketPath, {
  hello(frame) {
    // Another user signed in with this browser: the page belongs to the former one.
    // As text: during a release, a process of the release before still sends a number.
    if (String(frame.user.id) !== userId) {
      location.reload(); // Returns at once.
      return false;
    }
    showOwnName(frame.user.name);
    change({ type: "hello", frame });
    return true;
  },
  event(frame) {
    if (frame.type === "metrics.history") change({ type: "history", frame, now: performance.now() });
    else if (frame.type === "metrics.sampled") change({ type: "sample", frame, now: performance.now() });
    else if (frame.type === "user.renamed" && frame.user.id === userId) showOwnName(frame.user.name);
  },
  state: (connection, why) => change({ type: "connection", state: connection, why }),
});

/** @param {DashboardAction} action */
function change(action) {
  state = reduce(state, action);
  view.render(state, performance.now()); // A monotonic clock: ages must not jump when the wall clock is set.
}

document.addEventListener("signing-out", () => socket.close());
setInterval(() => view.tick(state, performance.now()), TICK_MS);
socket.open();
