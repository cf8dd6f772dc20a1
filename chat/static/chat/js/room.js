// The room's page, wired: the room's topic and the user's actions change the state, and the view shows it.

import { browser, timers } from "../../hubbub/js/browser.js";
import { find } from "../../hubbub/js/dom.js";
import { failureOf } from "../../hubbub/js/errors.js";
import { Hubbub } from "../../hubbub/js/hub.js";
import { newId } from "../../hubbub/js/new-id.js";
import { oncePerTurn } from "../../hubbub/js/once-per-turn.js";
import { showOwnName } from "../../hubbub/js/own-name.js";
import { ConnectionStrip } from "./connection-strip.js";
import { failureText } from "./failure-texts.js";
import { Reentry } from "./reentry.js";
import { wireDialogs } from "./room-dialogs.js";
import { lastOwn } from "./room-rows.js";
import { initial, reduce } from "./room-state.js";
import { RoomTopic } from "./room-topic.js";
import { RoomView } from "./room-view.js";
import { Typing } from "./typing.js";
import { Undo } from "./undo.js";
import { showUnread } from "./unread.js";
import { UnsentText } from "./unsent-text.js";

/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { ClosedCode, KeptPost, PendingPost, RoomAction, RoomHere, Viewer } from "./types.js" */

const PAGE = 50; // Messages in one request for older ones.
const KEPT_MESSAGES = 400; // In a page left open; older ones are read again on demand.
const RETRY_MS = 2_000;

const root = find(document, "#room", HTMLElement);
const {
  slug = "",
  userId = "",
  userName = "",
  title = "",
  description = "",
  socketPath = "",
  livePath = "",
  roomPath = "",
  lobby = "",
} = root.dataset;
const me = { id: userId, name: userName };
const role = /** @type {RoomHere["role"]} */ (root.dataset.roleHere);
const unsent = new UnsentText(userId, slug);

let state = initial({
  room: {
    slug,
    title,
    description,
    role,
    private: root.dataset.private === "true",
    archived: root.dataset.archived === "true",
  },
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
  shown: (seq, isShown) => reports.shown(seq, isShown),
  draft: (text) => {
    unsent.draft = text;
    typing.typed(text);
  },
  again: () => hub.open(),
});
const strip = new ConnectionStrip((text, hasAgain) => view.strip(text, hasAgain));

// Many changes at once, such as those missed during an absence, are shown together.
const render = oncePerTurn(() => view.render(state));
const env = browser();

const hub = new Hubbub(
  {
    path: socketPath,
    http: livePath || null,
    hello(frame) {
      // Another user signed in with this browser: the page and its unsent text belong to the former one.
      if (frame.user.id !== me.id) {
        location.reload(); // Returns at once.
        return false;
      }
      rename(frame.user);
      strip.degraded = frame.state === "degraded";
      if (frame.state === "degraded") strip.rest();
      tryAgain();
      return true;
    },
    event(frame) {
      if (frame.type === "person.changed") rename(frame.user);
      else if (frame.type === "service.changed") {
        strip.degraded = frame.state === "degraded";
        strip.rest();
        if (frame.state !== "degraded") tryAgain();
      }
    },
    state: (connection, why) => strip.connection(connection, why, state.joined),
  },
  env,
);
const room = new RoomTopic(hub, slug, { change, joined, closed });
const { own, reports } = showUnread({ hub, room, slug, userId, roomPath, isJoined: () => state.joined });
const typing = new Typing(
  { me: me.id, tell: () => room.send("room.typing"), show: (text) => view.typing(text) },
  { ...timers(), now: () => performance.now() },
);
const undo = new Undo(root);
const reentry = new Reentry(
  () => room.join(),
  env,
  () => document.visibilityState === "hidden",
);

view.composer.text = unsent.draft;
view.render(state);
markSeen();
document.addEventListener("visibilitychange", markSeen);
wireDialogs(root, { send: (command, fields) => room.send(command, fields), hub, state: () => state, lobby });
document.addEventListener("signing-out", () => hub.close());
for (const kept of state.pending) {
  if (kept.error === null) room.post(kept);
}
if (matchMedia("(hover: hover)").matches) view.composer.focus();

/** @param {RoomAction} action */
function change(action) {
  const before = state;
  state = reduce(state, action);
  if (view.isAtEnd && state.messages.length > 1.5 * KEPT_MESSAGES) {
    state = reduce(state, { type: "trimmed", keep: KEPT_MESSAGES });
  }
  if (state.pending !== before.pending) unsent.pending = state.pending.map(storedPost);
  if (action.type === "events") typing.take(action.events);
  if (action.type === "events" && action.events.some(({ type }) => type === "message.deleted")) rescueEdits();
  const last = state.messages.at(-1);
  if (last !== undefined && state.messages !== before.messages) own.moved([{ slug, last_seq: last.seq }]);
  render();
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

/** @param {Viewer} viewer */
function joined(viewer) {
  view.limit = viewer.body_chars;
  own.answered(slug, viewer.read_seq, viewer.read_version);
  reports.stored(viewer.read_seq, viewer.read_version);
  reports.look();
  if (reentry.isClosed) strip.notice("This room is open to you again.");
  reentry.opened();
  resumeEditing();
}

/** @param {ClosedCode} code */
function closed(code) {
  typing.clear();
  if (reentry.closed(code)) change({ type: "closed", code });
}

/** Joins a closed room again; it may be open by now. */
function tryAgain() {
  if (state.closed !== null) room.join();
}

/** @param {string} body */
function post(body) {
  const added = { id: newId(), body, at: new Date().toISOString() };
  unsent.draft = "";
  typing.sent();
  change({ type: "post.added", post: added });
  view.toEnd();
  markSeen();
  room.post(added);
}

/** @param {string} id */
function retry(id) {
  change({ type: "post.retried", id });
  const retried = state.pending.find((pending) => pending.id === id);
  if (retried !== undefined) room.post(retried);
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
    await room.edit(seq, body);
    unsent.setEdit(seq, null);
    view.composer.focus();
  } catch (error) {
    problem.textContent = `Not saved. ${failureText(failureOf(error))}`;
  }
}

/** @param {number} seq */
async function remove(seq) {
  const message = state.messages.find((message) => message.seq === seq);
  try {
    await room.remove(seq);
    view.composer.focus();
    if (message?.user.id === me.id) undo.offer(() => restore(seq, message.body));
  } catch (error) {
    strip.notice(`Not deleted. ${failureText(failureOf(error))}`);
  }
}

/**
 * @param {number} seq
 * @param {string} body
 */
async function restore(seq, body) {
  try {
    await room.restore(seq, body);
    view.composer.focus();
  } catch (error) {
    strip.notice(`Not restored. ${failureText(failureOf(error))}`);
  }
}

async function loadOlder() {
  if (!state.more || state.loading || hub.connection !== "open") return;
  try {
    await room.readOlder(state.floor, PAGE);
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
