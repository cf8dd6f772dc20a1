// The dashboard's page, wired: frames change the state, and the view shows it.

import { browser } from "../../hubbub/js/browser.js";
import { followChoices } from "../../hubbub/js/choices.js";
import { find } from "../../hubbub/js/dom.js";
import { Hubbub } from "../../hubbub/js/hub.js";
import { showOwnName } from "../../hubbub/js/own-name.js";
import { initial, reduce } from "./dashboard-state.js";
import { DashboardView } from "./dashboard-view.js";

/** @import { DashboardAction, MetricsHistory, MetricsSampled } from "./types.js" */

const TICK_MS = 250;

const root = find(document, "#dashboard", HTMLElement);
const { socketPath = "", livePath = "", staleMs, userId } = root.dataset;

let state = initial({ staleMs: Number(staleMs) });
const view = new DashboardView(root, { choose: (subject) => change({ type: "chosen", subject }) });

const hub = new Hubbub(
  {
    path: socketPath,
    http: livePath || null,
    hello(frame) {
      // Another user signed in with this browser: the page belongs to the former one.
      if (frame.user.id !== userId) {
        location.reload(); // Returns at once.
        return false;
      }
      showOwnName(frame.user.name);
      change({ type: "hello", frame });
      return true;
    },
    event(frame) {
      if (frame.type === "person.changed" && frame.user.id === userId) showOwnName(frame.user.name);
    },
    state: (connection, why) => change({ type: "connection", state: connection, why }),
  },
  browser(),
);

hub.topic("metrics", {
  /** @param {MetricsHistory} history */
  state: (history) => change({ type: "history", frame: history, now: performance.now() }),
  /** @param {MetricsSampled} sample */
  event: (sample) => change({ type: "sample", frame: sample, now: performance.now() }),
});

/** @param {DashboardAction} action */
function change(action) {
  state = reduce(state, action);
  view.render(state, performance.now()); // A monotonic clock: ages must not jump when the wall clock is set.
}

followChoices(userId ?? "", { theme: () => view.recolour(), clock: () => location.reload() });
document.addEventListener("signing-out", () => hub.close());
setInterval(() => view.tick(state, performance.now()), TICK_MS);
