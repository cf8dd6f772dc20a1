// Sends the posts that wait from pages without a room: the account, the dashboard, the admin. It only looks whether posts
// wait. There is a connection while they do, and for no longer.

import { isWaiting, waitingIn } from "./outbox-posts.js";
import { store } from "./unsent-store.js";

const PATIENCE_MS = 1_000; // A post that another tab sends is gone by then.

const place = /** @type {HTMLElement} */ (document.getElementById("outbox"));
const { user = "", socketPath = "", livePath = "" } = place.dataset;
/** @type {Promise<() => void> | null} */
let connect = null;

store.onChange("post", user, (_, value) => {
  if (isWaiting(value)) setTimeout(look, PATIENCE_MS);
});
if (document.readyState === "complete") look();
else addEventListener("load", look);

async function look() {
  const isServed = connect === null && "sendsPosts" in document.documentElement.dataset;
  if (isServed || waitingIn(store, user).length === 0) return;
  connect ??= import("./outbox-connection.js").then(({ connectionFor }) => connectionFor(user, socketPath, livePath));
  (await connect)();
}
