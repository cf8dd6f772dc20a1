// The room's page, wired: frames and the user's actions change the state, and the view shows it.

import { browser } from "../../hubbub/js/browser.js";
import { find } from "../../hubbub/js/dom.js";
import { failureOf } from "../../hubbub/js/errors.js";
import { onReturn } from "../../hubbub/js/fetched.js";
import { newId } from "../../hubbub/js/new-id.js";
import { showOwnName } from "../../hubbub/js/own-name.js";
import { Socket } from "../../hubbub/js/socket.js";
import { ConnectionStrip } from "./connection-strip.js";
import { failureText } from "./failure-texts.js";
import { Reentry } from "./reentry.js";
import { lastOwn } from "./room-rows.js";
import { initial, reduce } from "./room-state.js";
import { takeTitles } from "./room-titles.js";
import { RoomView } from "./room-view.js";
import { UnsentText } from "./unsent-text.js";

/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { ChatEvent, ChatExchanges, KeptPost, PendingPost, RoomAction, RoomInfo } from "./types.js" */

const PAGE = 50; // Messages in one request for older ones.
const KEPT_MESSAGES = 400; // In a page left open; older ones are read again on demand.
const RETRY_MS = 2_000;
const TITLES_MS = 30_000; // Between two requests for the titles of other rooms.

const root = find(document, "#room", HTMLElement);
const { slug = "", userId = "", userName = "", title = "", topic = "", socketPath = "", lobby = "" } = root.dataset;
const me = { id: userId, name: userName };
const role = /** @type {RoomInfo["role"]} */ (root.dataset.roleHere);
const unsent = new UnsentText(userId, slug);

let state = initial({
  room: { slug, title, topic, role, archived: root.dataset.archived === "true" },
  me,
  pending: unsent.pending,
});

const view = new RoomView(root, {
  post,
  retry,
  discard: (id) => change({ type: "post.discarded", id }),
  edit: (seq) => change({ type: "edit.opened", seq }),
  editLast,
  edited: (message, text) => unsent.setEdit(message.seq, text === message.body ? null : text),
  editOf: (seq) => unsent.editOf(seq),
  cancel: stopEditing,
  save,
  remove,
  older: loadOlder,
  nearTop: loadOlder,
  moved: markSeen,
  draft: (text) => {
    unsent.draft = text;
  },
  again: () => socket.open(),
});
const strip = new ConnectionStrip((text, hasAgain) => view.strip(text, hasAgain));

/** @type {Socket<ChatEvent, ChatExchanges>} */
const socket = new Socket(socketPath, {
  hello(frame) {
    // Another user signed in with this browser: the page and its unsent text belong to the former one.
    // As text: during a release, a process of the release before still sends a number.
    if (String(frame.user.id) !== me.id) {
      location.reload(); // Returns at once.
      return false;
    }
    rename(frame.user);
    if (frame.limits.body_chars !== null) view.limit = frame.limits.body_chars;
    strip.degraded = frame.state === "degraded";
    if (frame.state === "degraded") strip.rest();
    join();
    return true;
  },
  event(frame) {
    if (frame.type === "service.changed") {
      strip.degraded = frame.state === "degraded";
      strip.rest();
      if (frame.state !== "degraded") join(); // Events without a position may have been missed.
    } else if (frame.type === "user.renamed") rename(frame.user);
    else {
      change({ type: "event", frame });
      if (frame.type === "message.deleted") rescueEdits();
      if (frame.type === "room.closed" && frame.room === slug) reentry.closed(frame.code);
    }
  },
  state: (connection, why) => strip.connection(connection, why, state.joined),
});

const reentry = new Reentry(join, browser(), () => document.visibilityState === "hidden");

view.composer.text = unsent.draft;
view.render(state);
markSeen();
document.addEventListener("visibilitychange", markSeen);
const roomsList = find(document, "#rooms", HTMLElement);
onReturn(lobby, TITLES_MS, (page) => takeTitles(roomsList, page), roomsList);
document.addEventListener("signing-out", () => socket.close());
socket.open();
state.pending.filter(({ error }) => error === null).forEach(send);
if (matchMedia("(hover: hover)").matches) view.composer.focus();

/** @param {RoomAction} action */
function change(action) {
  const before = state;
  state = reduce(state, action);
  if (view.isAtEnd && state.messages.length > 1.5 * KEPT_MESSAGES) {
    state = reduce(state, { type: "trimmed", keep: KEPT_MESSAGES });
  }
  if (state.pending !== before.pending) unsent.pending = state.pending.map(storedPost);
  view.render(state);
}

/** @param {Person} user */
function rename(user) {
  if (user.id === me.id) showOwnName(user.name);
  change({ type: "renamed", users: [user] });
}

/**
 * A post as a reload finds it. A post that was too long keeps its error: it is not sent again by itself.
 *
 * @param {PendingPost} post
 * @returns {KeptPost}
 */
function storedPost({ id, body, at, error }) {
  return error?.code === "too_long" ? { id, body, at, error } : { id, body, at };
}

async function join() {
  try {
    let isPartial = true;
    while (isPartial) {
      const known = state.epoch === null ? {} : { after: state.position, epoch: state.epoch };
      const answer = await socket.request({ type: "room.join", room: slug, ...known });
      change({ type: "joined", answer });
      isPartial = answer.partial;
    }
    if (reentry.isClosed) strip.notice("This room is open to you again.");
    reentry.opened();
    resumeEditing();
  } catch (error) {
    const { code, retryAfterMs } = failureOf(error);
    if (code === "disconnected") return; // The next hello joins.
    if (code === "not_found") afterRefusedJoin();
    else setTimeout(join, retryAfterMs ?? RETRY_MS);
  }
}

function afterRefusedJoin() {
  if (reentry.isClosed) {
    reentry.refused();
    return;
  }
  if (state.closed === "deleted") return;
  change({ type: "closed", code: "not_found" });
  reentry.closed("not_found");
}

/** @param {string} body */
function post(body) {
  const added = { id: newId(), body, at: new Date().toISOString() };
  unsent.draft = "";
  change({ type: "post.added", post: added });
  view.toEnd();
  markSeen();
  send(added);
}

/** @param {string} id */
function retry(id) {
  change({ type: "post.retried", id });
  const retried = state.pending.find((pending) => pending.id === id);
  if (retried !== undefined) send(retried);
}

/** @param {KeptPost} post */
async function send({ id, body }) {
  try {
    const answer = await socket.enqueue({ type: "message.post", room: slug, id, body });
    change({ type: "post.answered", id, answer });
  } catch (error) {
    const failure = failureOf(error);
    change({ type: "post.failed", id, error: { code: failure.code, text: failureText(failure) } });
  }
}

function editLast() {
  const message = lastOwn(state);
  if (message !== null) change({ type: "edit.opened", seq: message.seq });
  return message !== null;
}

/** Opens the edit that a reload or the end of the session interrupted. */
function resumeEditing() {
  rescueEdits();
  if (state.editing !== null) return;
  const seq = unsent.edits.findLast((edit) => state.messages.some(({ seq, deleted }) => seq === edit && !deleted));
  if (seq !== undefined) change({ type: "edit.opened", seq });
}

/** Moves the text of an edit to the composer when its message was deleted meanwhile. */
function rescueEdits() {
  for (const edit of unsent.edits) {
    if (!state.messages.some(({ seq, deleted }) => seq === edit && deleted)) continue;
    const text = [view.composer.text, unsent.editOf(edit)].filter(Boolean).join("\n");
    view.composer.text = text;
    unsent.draft = text;
    unsent.setEdit(edit, null);
    strip.notice("The message was deleted. Your edit is in the field below.");
  }
}

function stopEditing() {
  if (state.editing !== null) unsent.setEdit(state.editing, null);
  change({ type: "edit.closed" });
  view.composer.focus();
}

/**
 * @param {number} seq
 * @param {string} body
 * @param {HTMLElement} problem  shows why the edit was not saved
 */
async function save(seq, body, problem) {
  if (state.messages.find((message) => message.seq === seq)?.body === body) {
    stopEditing();
    return;
  }
  try {
    const answer = await socket.request({ type: "message.edit", room: slug, seq, body });
    unsent.setEdit(seq, null);
    change({ type: "edit.answered", seq, body, answer, at: new Date().toISOString() });
    view.composer.focus();
  } catch (error) {
    problem.textContent = `Not saved. ${failureText(failureOf(error))}`;
  }
}

/** @param {number} seq */
async function remove(seq) {
  try {
    const answer = await socket.request({ type: "message.delete", room: slug, seq });
    change({ type: "delete.answered", seq, answer });
    view.composer.focus();
  } catch (error) {
    strip.notice(`Not deleted. ${failureText(failureOf(error))}`);
  }
}

async function loadOlder() {
  if (!state.more || state.loading || !socket.isOpen) return;
  const before = state.floor;
  change({ type: "history.asked" });
  try {
    const answer = await socket.request({ type: "room.history", room: slug, before, limit: PAGE });
    change({ type: "history.came", before, answer });
    resumeEditing();
  } catch (error) {
    // Not at once: a reader who still scrolls requests them again.
    setTimeout(() => change({ type: "history.failed" }), failureOf(error).retryAfterMs ?? RETRY_MS);
  }
}

/** Counts new messages as seen while the user sees the end of the log. */
function markSeen() {
  const isReading = document.visibilityState === "visible" && view.isAtEnd;
  change({ type: isReading ? "back" : "away" });
}
