// Signing out: asks about text that was not sent, in every tab of this browser, and leaves nothing of the user behind.

import { forget, merge, unsentOf } from "../../chat/js/keepsakes.js";

const TABS_MS = 250; // How long other tabs may take to report their unsent text.

const dialog = document.getElementById("sign-out");
const { user, signIn } = dialog.dataset;
const tabs = new BroadcastChannel("hubbub");
let isAsking = false;
let reported = []; // By other tabs.

tabs.onmessage = ({ data }) => {
  if (data.user !== user) return;
  if (data.type === "unsent?") tabs.postMessage({ type: "unsent", user, rooms: unsentOf(user) });
  else if (data.type === "unsent") reported.push(...data.rooms);
  else if (data.type === "signed-out") leave(`${signIn}?${new URLSearchParams({ next: location.pathname })}`);
};

// The admin's own form has an id only.
document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (!form.matches("[data-signs-out], #logout-form")) return;
  event.preventDefault();
  if (!isAsking) signOut(form, submitter);
});

// A page that the browser kept whole is shown by "Back" without asking the server, perhaps to somebody else.
addEventListener("pagehide", ({ persisted }) => {
  if (persisted) document.documentElement.style.visibility = "hidden";
});
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) location.reload();
});

async function signOut(form, submitter) {
  isAsking = true;
  const rooms = await askTabs();
  const goes = rooms.length === 0 || (await confirmDiscard(rooms));
  isAsking = false;
  if (!goes) return;
  document.dispatchEvent(new Event("signing-out")); // Nothing that is to be discarded may still be sent.
  try {
    const body = new URLSearchParams(new FormData(form, submitter));
    // Not followed: the page that it leads to may show its message once. So that a redirect does not look the same
    // when this browser stays signed in, the header asks for an error then.
    const headers = { "X-Signs-Out": "1" };
    const answer = await fetch(form.action, { method: "POST", headers, body, redirect: "manual" });
    if (!answer.ok && answer.type !== "opaqueredirect") throw new Error(answer.statusText);
  } catch {
    form.submit(); // The browser shows what is wrong. Nothing is deleted.
    return;
  }
  tabs.postMessage({ type: "signed-out", user });
  leave(signIn);
}

async function askTabs() {
  reported = [];
  tabs.postMessage({ type: "unsent?", user });
  await new Promise((resolve) => setTimeout(resolve, TABS_MS));
  return merge([...unsentOf(user), ...reported]);
}

function confirmDiscard(rooms) {
  const list = dialog.querySelector("[data-role=rooms]");
  list.replaceChildren(...rooms.map(row));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "discard");
  });
}

function row({ slug, draft, posts, edits }) {
  const item = document.createElement("li");
  const name = document.createElement("bdi");
  name.textContent = slug;
  const parts = [];
  if (draft) parts.push("a draft");
  if (posts.size > 0) parts.push(posts.size === 1 ? "1 unsent message" : `${posts.size} unsent messages`);
  if (edits.size > 0) parts.push(edits.size === 1 ? "1 unsaved edit" : `${edits.size} unsaved edits`);
  item.append(name, `: ${parts.join(", ")}`);
  return item;
}

function leave(address) {
  forget(user);
  location.replace(address);
}
