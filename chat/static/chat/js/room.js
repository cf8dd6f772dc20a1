// The room's page, wired: what the socket says and what a person does becomes state; state is shown.

import { browser } from "../../hubbub/js/browser.js";
import { onReturn } from "../../hubbub/js/fetched.js";
import { showOwnName } from "../../hubbub/js/own-name.js";
import { Socket } from "../../hubbub/js/socket.js";
import { Keepsakes } from "./keepsakes.js";
import { Reentry } from "./reentry.js";
import { initial, lastOwn, reduce } from "./room-state.js";
import { takeTitles } from "./room-titles.js";
import { RoomView } from "./room-view.js";

const PAGE = 50;
const KEPT_MESSAGES = 400; // In a page left open; older ones are read again when somebody scrolls back.
const RETRY_MS = 2_000;
const TITLES_MS = 30_000; // The titles of other rooms are not asked for more often.
const BACK_MS = 2_000; // How long "Back" is shown.
const PATIENCE_MS = 1_500; // A connection that takes no longer than this is not worth a word.

const root = document.getElementById("room");
const { slug, userId, userName, title, topic, archived, roleHere, socketPath, lobby } = root.dataset;
const me = { id: userId, name: userName };
const keepsakes = new Keepsakes(userId, slug);
const room = { slug, title, topic, role: roleHere, archived: archived === "true" };

let state = initial({ room, me, pending: keepsakes.pending });
let stripTimer = null;
let wasLost = false;
let degraded = false; // The server's word that Redis is away.

const view = new RoomView(root, {
  post,
  retry: (id) => {
    change({ type: "post.retried", id });
    send(state.pending.find((post) => post.id === id));
  },
  discard: (id) => change({ type: "post.discarded", id }),
  edit: (seq) => change({ type: "edit.opened", seq }),
  editLast,
  edited: (message, text) => keepsakes.keepEdit(message.seq, text === message.body ? null : text),
  editOf: (seq) => keepsakes.editOf(seq),
  cancel: stopEditing,
  save,
  remove,
  older: loadOlder,
  nearTop: loadOlder,
  moved: look,
  draft: (text) => (keepsakes.draft = text),
  again: () => socket.open(),
});

const socket = new Socket(socketPath, {
  hello(frame) {
    // Somebody else has signed in with this browser: this page is not theirs, and what it keeps must not be sent as theirs.
    // As text: while it is replaced, a process of the release before still sends a number.
    if (String(frame.user.id) !== me.id) {
      location.reload(); // Returns at once.
      return false;
    }
    rename(frame.user);
    view.limit = frame.limits.body_chars;
    degraded = frame.state === "degraded";
    if (degraded) rest();
    join();
  },
  event(frame) {
    if (frame.type === "service.changed") {
      degraded = frame.state === "degraded";
      rest();
      if (!degraded) join(); // For what has no position and may have been missed.
    } else if (frame.type === "user.renamed") rename(frame.user);
    else {
      change({ type: "event", frame });
      if (frame.type === "message.deleted") rescueEdits();
      if (frame.type === "room.closed" && frame.room === slug) reentry.closed(frame.code);
    }
  },
  state: connection,
});

const reentry = new Reentry(join, browser(), () => document.visibilityState === "hidden");

view.composer.text = keepsakes.draft;
view.render(state);
look();
document.addEventListener("visibilitychange", look);
const roomsList = document.getElementById("rooms");
onReturn(lobby, TITLES_MS, (page) => takeTitles(roomsList, page), roomsList);
document.addEventListener("signing-out", () => socket.close());
socket.open();
state.pending.filter(({ error }) => error === null).forEach(send);
if (matchMedia("(hover: hover)").matches) view.composer.focus();

function change(action) {
  const before = state;
  state = reduce(state, action);
  if (view.isAtEnd && state.messages.length > 1.5 * KEPT_MESSAGES)
    state = reduce(state, { type: "trimmed", keep: KEPT_MESSAGES });
  if (state.pending !== before.pending) keepsakes.pending = state.pending.map(kept);
  view.render(state);
}

function rename(user) {
  if (user.id === me.id) showOwnName(user.name);
  change({ type: "renamed", users: [user] });
}

/** What a reload finds of a post. What was too long is not sent again by itself. */
function kept({ id, body, at, error }) {
  return error?.code === "too_long" ? { id, body, at, error } : { id, body, at };
}

async function join() {
  try {
    for (let answer = { partial: true }; answer.partial; ) {
      const known = state.epoch === null ? {} : { after: state.position, epoch: state.epoch };
      answer = await socket.request({ type: "room.join", room: slug, ...known });
      change({ type: "joined", answer });
    }
    if (reentry.isClosed) say("This room is open to you again.");
    reentry.entered();
    goOnEditing();
  } catch (error) {
    if (error.code === "lost") return; // The next hello joins.
    if (error.code === "not_found") refused();
    else setTimeout(join, error.retryAfterMs ?? RETRY_MS);
  }
}

function refused() {
  if (reentry.isClosed) return reentry.refused();
  if (state.closed === "deleted") return;
  change({ type: "closed", code: "not_found" });
  reentry.closed("not_found");
}

function post(body) {
  const added = { id: newId(), body, at: new Date().toISOString() };
  keepsakes.draft = "";
  change({ type: "post.added", post: added });
  view.toEnd();
  look();
  send(added);
}

async function send({ id, body }) {
  try {
    change({ type: "post.answered", id, answer: await socket.enqueue({ type: "message.post", room: slug, id, body }) });
  } catch (error) {
    change({ type: "post.failed", id, error: { code: error.code, text: reasonOf(error) } });
  }
}

function editLast() {
  const message = lastOwn(state);
  if (message !== null) change({ type: "edit.opened", seq: message.seq });
  return message !== null;
}

/** With an edit that a reload, or the end of the session, has interrupted. */
function goOnEditing() {
  rescueEdits();
  if (state.editing !== null) return;
  const open = keepsakes.edits.filter((seq) =>
    state.messages.some((message) => message.seq === seq && !message.deleted),
  );
  if (open.length > 0) change({ type: "edit.opened", seq: open.at(-1) });
}

/** What was written into an edit goes to the composer when the message is deleted meanwhile. */
function rescueEdits() {
  for (const seq of keepsakes.edits) {
    if (!state.messages.some((message) => message.seq === seq && message.deleted)) continue;
    view.composer.text = keepsakes.draft = [view.composer.text, keepsakes.editOf(seq)].filter(Boolean).join("\n");
    keepsakes.keepEdit(seq, null);
    say("The message was deleted. Your edit is in the field below.");
  }
}

function stopEditing() {
  keepsakes.keepEdit(state.editing, null);
  change({ type: "edit.closed" });
  view.composer.focus();
}

async function save(seq, body, problem) {
  if (state.messages.find((message) => message.seq === seq)?.body === body) return stopEditing();
  try {
    const answer = await socket.request({ type: "message.edit", room: slug, seq, body });
    keepsakes.keepEdit(seq, null);
    change({ type: "edit.answered", seq, body, answer, at: new Date().toISOString() });
    view.composer.focus();
  } catch (error) {
    problem.textContent = `Not saved. ${reasonOf(error)}`;
  }
}

async function remove(seq) {
  try {
    change({ type: "delete.answered", seq, answer: await socket.request({ type: "message.delete", room: slug, seq }) });
    view.composer.focus();
  } catch (error) {
    say(`Not deleted. ${reasonOf(error)}`);
  }
}

async function loadOlder() {
  if (!state.more || state.loading || !socket.isOpen) return;
  const before = state.floor;
  change({ type: "history.asked" });
  try {
    const answer = await socket.request({ type: "room.history", room: slug, before, limit: PAGE });
    change({ type: "history.came", before, answer });
    goOnEditing();
  } catch (error) {
    // Not at once again: whoever still scrolls asks soon enough.
    setTimeout(() => change({ type: "history.failed" }), error.retryAfterMs ?? RETRY_MS);
  }
}

/** Is somebody reading the end of the log? */
function look() {
  const reading = document.visibilityState === "visible" && view.isAtEnd;
  change({ type: reading ? "back" : "away" });
}

function connection(now, why) {
  clearTimeout(stripTimer);
  if (now === "open") {
    if (wasLost) say("Back");
    else rest();
    wasLost = false;
  } else if (why.final) {
    view.strip(`Disconnected${why.reason ? `: ${why.reason}` : ""}.`, "again");
  } else if (state.joined || wasLost) {
    wasLost = true;
    view.strip("Reconnecting… what you write will be sent");
  } else {
    wasLost = now === "offline";
    stripTimer = setTimeout(() => view.strip("Connecting… what you write will be sent"), PATIENCE_MS);
  }
}

/** A word that goes by itself. */
function say(text) {
  clearTimeout(stripTimer);
  view.strip(text);
  stripTimer = setTimeout(rest, BACK_MS);
}

/** What the strip says when nothing has just happened. */
function rest() {
  view.strip(degraded ? "Live updates are slow right now" : "");
}

function reasonOf({ code, message }) {
  switch (code) {
    case "lost":
      return "The connection was lost; try again.";
    case "rate_limited":
      return "This is too fast; try again in a moment.";
    case "unavailable":
      return "The server is busy; try again in a moment.";
    case "not_found":
      return "This is no longer open to you.";
    case "internal":
      return "The server failed; try again.";
    default:
      return `${message.charAt(0).toUpperCase()}${message.slice(1).replace(/\.$/, "")}.`;
  }
}

/** `crypto.randomUUID` exists on https and localhost only. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
