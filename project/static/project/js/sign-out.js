// Signing out: asks about unsent text in every tab of this browser, and then deletes all text of the user.

import { forget, merge, unsentOf } from "../../chat/js/unsent-text.js";
import { gettext, interpolate, ngettext } from "../../hubbub/js/texts.js";

/** @import { MergedRoom, UnsentRoom } from "../../chat/js/types.js" */

/**
 * A message between tabs of this browser.
 * @typedef {{ type: "unsent?" | "signed-out", user: string } | { type: "unsent", user: string, rooms: UnsentRoom[] }} TabMessage
 */

const TABS_MS = 250; // The time other tabs have to report their unsent text.

const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("sign-out"));
const { user = "", signIn = "" } = dialog.dataset;
const tabs = new BroadcastChannel("hubbub");
let isAsking = false;
/** @type {UnsentRoom[]} by other tabs */
let reported = [];

tabs.onmessage = (/** @type {{ data: TabMessage }} */ { data }) => {
  if (data.user !== user) return;
  if (data.type === "unsent?") post({ type: "unsent", user, rooms: unsentHere() });
  else if (data.type === "unsent") reported.push(...data.rooms);
  else if (data.type === "signed-out") leave(`${signIn}?${new URLSearchParams({ next: location.pathname })}`);
};

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  // The admin's own form has an id only.
  if (!form.matches("[data-signs-out], #logout-form")) return;
  event.preventDefault();
  if (!isAsking) signOut(form, event.submitter);
});

// "Back" shows a page from the browser's cache without a request, perhaps to another user.
addEventListener("pagehide", ({ persisted }) => {
  if (persisted) document.documentElement.style.visibility = "hidden";
});
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) location.reload();
});

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 */
async function signOut(form, submitter) {
  isAsking = true;
  const rooms = await askTabs();
  const isConfirmed = rooms.length === 0 || (await confirmDiscard(rooms));
  isAsking = false;
  if (!isConfirmed) return;
  document.dispatchEvent(new Event("signing-out")); // Discarded text must not be sent any more.
  try {
    const fields = [...new FormData(form, submitter)].map(([name, value]) => [name, String(value)]);
    const body = new URLSearchParams(fields);
    // The redirect is not followed: its page may show its message once. With this header the server answers with an
    // error, not a redirect, when the browser stays signed in.
    const headers = { "X-Signs-Out": "1" };
    const answer = await fetch(form.action, { method: "POST", headers, body, redirect: "manual" });
    if (!answer.ok && answer.type !== "opaqueredirect") throw new Error(answer.statusText);
  } catch {
    form.submit(); // The browser shows the error. Nothing is deleted.
    return;
  }
  post({ type: "signed-out", user });
  leave(signIn);
}

/** The unsent text that this page knows of, with the titles that its rooms have now. */
function unsentHere() {
  document.dispatchEvent(new Event("unsent-asked"));
  return unsentOf(user);
}

/** @returns {Promise<MergedRoom[]>} the unsent text in all tabs */
async function askTabs() {
  reported = [];
  post({ type: "unsent?", user });
  await new Promise((resolve) => setTimeout(resolve, TABS_MS));
  return merge([...unsentHere(), ...reported]);
}

/** @param {TabMessage} message */
function post(message) {
  tabs.postMessage(message);
}

/**
 * @param {MergedRoom[]} rooms
 * @returns {Promise<boolean>} whether the user agrees
 */
function confirmDiscard(rooms) {
  dialog.querySelector("[data-role=rooms]")?.replaceChildren(...rooms.map(itemOf));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "discard");
  });
}

/** @param {MergedRoom} room */
function itemOf({ title, words, draft, posts, edits }) {
  const item = document.createElement("li");
  const name = document.createElement("bdi");
  name.textContent = title;
  const parts = [];
  if (draft) parts.push(gettext("a draft"));
  if (posts.size > 0)
    parts.push(interpolate(ngettext("%(n)s unsent message", "%(n)s unsent messages", posts.size), { n: posts.size }));
  if (edits.size > 0)
    parts.push(interpolate(ngettext("%(n)s unsaved edit", "%(n)s unsaved edits", edits.size), { n: edits.size }));
  item.append(name, `: ${parts.join(", ")}`);
  if (words !== "") {
    const quote = document.createElement("q");
    quote.className = "soft";
    quote.dir = "auto";
    quote.textContent = words;
    item.append(" ", quote);
  }
  return item;
}

/** @param {string} address */
function leave(address) {
  forget(user);
  location.replace(address);
}
