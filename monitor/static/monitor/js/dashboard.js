// The dashboard's page, wired: frames become state, state is shown.

import { showOwnName } from "../../hubbub/js/own-name.js";
import { Socket } from "../../hubbub/js/socket.js";
import { initial, reduce } from "./dashboard-state.js";
import { DashboardView } from "./dashboard-view.js";

const TICK_MS = 250;

const root = document.getElementById("dashboard");
const { socketPath, staleMs, userId } = root.dataset;

let state = initial({ staleMs: Number(staleMs) });
const view = new DashboardView(root, { choose: (subject) => change({ type: "chosen", subject }) });

const socket = new Socket(socketPath, {
  hello(frame) {
    // Somebody else has signed in with this browser: this page is not theirs.
    // As text: while it is replaced, a process of the release before still sends a number.
    if (String(frame.user.id) !== userId) {
      location.reload(); // Returns at once.
      return false;
    }
    showOwnName(frame.user.name);
    change({ type: "hello", frame });
  },
  event(frame) {
    if (frame.type === "metrics.history") change({ type: "history", frame });
    else if (frame.type === "metrics.sampled") change({ type: "sample", frame });
    else if (frame.type === "user.renamed" && frame.user.id === userId) showOwnName(frame.user.name);
  },
  state: (connection, why) => change({ type: "connection", state: connection, why }),
});

function change(action) {
  const now = performance.now(); // Ages must not jump with the clock of this machine.
  state = reduce(state, { ...action, now });
  view.render(state, now);
}

document.addEventListener("signing-out", () => socket.close());
setInterval(() => view.tick(state, performance.now()), TICK_MS);
socket.open();
