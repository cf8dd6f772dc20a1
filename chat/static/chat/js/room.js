// The page of rooms, wired: one connection, the list of rooms, and the room that is open. A switch of rooms loads no page.

import { browser } from "../../hubbub/js/browser.js";
import { find } from "../../hubbub/js/dom.js";
import { Hubbub } from "../../hubbub/js/hub.js";
import { oncePerTurn } from "../../hubbub/js/once-per-turn.js";
import { showOwnName } from "../../hubbub/js/own-name.js";
import { gettext } from "../../hubbub/js/texts.js";
import { showBadge } from "./app-badge.js";
import { closeTop } from "./close-top.js";
import { ConnectionStrip } from "./connection-strip.js";
import { openKeys } from "./dialog-keys.js";
import { firstOf, roomOf } from "./first-page.js";
import { Navigation } from "./navigation.js";
import { OwnStates } from "./own-states.js";
import { listenForKeys } from "./page-keys.js";
import { watchPage } from "./page-watch.js";
import { wireDialogs } from "./room-dialogs.js";
import { watchRooms } from "./room-list.js";
import { RoomSession } from "./room-session.js";
import { RoomView } from "./room-view.js";
import { Sidebar } from "./sidebar.js";
import { neighbour, shownRoom } from "./sidebar-state.js";
import { wireWidth } from "./sidebar-width.js";
import { wireSlot } from "./slot.js";
import { Undo } from "./undo.js";
import { pageText } from "./unsent-page.js";

/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { Target } from "./navigation.js" */
/** @import { RoomEntry, SessionCalls } from "./types.js" */

const MAX_SESSIONS = 20; // Rooms whose messages stay in memory.

const root = find(document, "#room", HTMLElement);
const {
  slug = "",
  userId = "",
  userName = "",
  socketPath = "",
  livePath = "",
  roomPath = "",
  lobby = "",
} = root.dataset;
/** @type {Person} */
let me = { id: userId, name: userName };
/** @type {RoomSession | null} */
let current = null;
/** @type {Map<string, RoomSession>} by slug, the last opened one last */
const sessions = new Map();
/** @type {RoomEntry[]} */
let rooms = [];
let wasOpen = false;
let isFirstUsed = false; // The page's own state of its room; it is old when the room is opened anew.
const env = browser();

const isLooking = () => document.visibilityState === "visible" && document.hasFocus();
// Many changes at once, such as those missed during an absence, are shown together.
const render = oncePerTurn(() => view.render());
const renderRooms = oncePerTurn(showRooms);

/** @type {SessionCalls} */
const calls = {
  changed: (session) => session === current && render(),
  typing: (session) => session === current && view.typing(session.typing),
  drafted: (session) => {
    if (session === current) view.composer.text = session.writing.draft.text;
  },
  opened: (session, place) => {
    if (session !== current) return 0;
    view.render();
    view.openAt(place);
    markSeen();
    return view.log.lastSeen();
  },
  read: (session, seq, version) => own.answered(session.slug, seq, version),
  isLooking: (session) => session === current && isLooking(),
  isAtEnd: (session) => session === current && view.log.isAtEnd,
  notice: (text) => strip.notice(text),
  offerUndo: (session, restore) => session === current && undo.offer(restore),
  focus: (session) => session === current && view.composer.focus(),
};

const text = pageText(userId, { send: (...command) => hub.send(...command), connect: () => hub.open(), env });
const view = new RoomView(
  root,
  {
    post(body) {
      current?.post(body);
      view.log.toEnd();
      markSeen();
    },
    moved: markSeen,
    link: copyLink,
    again: () => hub.open(),
  },
  text.drafts,
);
const strip = new ConnectionStrip(
  (words, action) => view.strip(words, action),
  () => text.outbox.waiting,
);
const undo = new Undo(root);

const hub = new Hubbub(
  {
    path: socketPath,
    http: livePath || null,
    hello(frame) {
      // Another user signed in with this browser: the page and its unsent text belong to the former one.
      if (frame.user.id !== me.id) {
        text.leaving.allow();
        location.reload(); // Returns at once.
        return false;
      }
      rename(frame.user);
      strip.degraded = frame.state === "degraded";
      text.outbox.open(frame.user.id);
      current?.tryAgain();
      return true;
    },
    event(frame) {
      if (frame.type === "person.changed") rename(frame.user);
      else if (frame.type === "service.changed") {
        strip.degraded = frame.state === "degraded";
        if (frame.state !== "degraded") current?.tryAgain();
      }
    },
    state(connection, why) {
      strip.connection(connection, why, wasOpen);
      if (connection !== "open") text.outbox.close();
      wasOpen ||= connection === "open";
    },
  },
  env,
);

const navigation = new Navigation({ room: roomPath, lobby }, open, () => closeTop() || closeSlot());
const own = new OwnStates(hub, userId, firstOf("person"), () => {
  const mine = current === null ? undefined : own.state.rooms[current.slug];
  if (mine !== undefined) current?.reading.stored(mine.read_seq ?? 0, mine.read_version ?? 0);
  renderRooms();
});
const sidebar = new Sidebar(root, slug || null, {
  addressOf: (room) => navigation.addressOf(room),
  menu: (room, button) => dialogs.menu(room, button),
});
const closeSlot = wireSlot(root);
wireWidth(root);
const dialogs = wireDialogs(root, {
  hub,
  page: () => current,
  sessions: () => [...sessions.values()],
  go: (room) => navigation.go(room),
  addressOf: (room) => navigation.addressOf(room),
  adminPath: root.dataset.adminPath ?? null,
  rooms: () => sidebar.sections.flatMap(({ rooms }) => rooms),
  own,
  notice: (text) => strip.notice(text),
});
listenForKeys(root, {
  view,
  page: () => current,
  step: (step, onlyUnread) => stepTo(step, onlyUnread),
  jump: () => dialogs.jump.focus(),
  help: () => void openKeys(dialogs.lobby),
});
open(navigation.targetOf(location.href) ?? { slug: slug || null, at: null });
watchRooms(
  hub,
  (entries) => {
    rooms = entries;
    own.moved(entries);
    renderRooms();
  },
  firstOf("rooms"),
);
text.drafts.onDrafts(renderRooms);
watchPage({
  text,
  strip,
  titleOf: (slug) => (rooms.find((room) => room.slug === slug) ?? sessions.get(slug)?.state.room)?.title,
  dated() {
    render();
    sidebar.timed();
  },
  timed() {
    view.log.forget();
    render();
    sidebar.timed();
  },
});
document.addEventListener("signing-out", () => {
  hub.close();
  void showBadge(0);
});
document.addEventListener("visibilitychange", markSeen);
env.onWake(() => current?.wake());
addEventListener("focus", () => current?.reading.look());
addEventListener("blur", () => current?.reading.leave());
addEventListener("pagehide", () => current?.reading.leave());

/**
 * Shows a room, or the list of rooms.
 *
 * @param {Target} target
 */
function open({ slug, at }) {
  const before = current;
  if (before !== null) before.place = view.log.place;
  const place = at === null ? null : { seq: at, offset: null, isTarget: true };
  root.dataset.view = slug === null ? "list" : "room";
  sidebar.here = slug;
  undo.withdraw();
  if (before !== null && slug === before.slug) {
    if (place !== null) before.reading.goTo(place);
    return;
  }
  current = slug === null ? null : sessionOf(slug);
  if (current === null) view.hide();
  else {
    view.show(current);
    // Before the former room is left: the way to the new one is shorter.
    current.start(place);
    if (matchMedia("(hover: hover)").matches) view.composer.focus();
    else if (before !== null || document.activeElement !== document.body)
      find(root, "#room-title", HTMLElement).focus();
  }
  if (current === null) document.title = `${gettext("Rooms")} · Hubbub`;
  before?.stop();
  renderRooms();
}

/** @param {string} slug */
function sessionOf(slug) {
  const first = slug === root.dataset.slug && !isFirstUsed ? firstOf("state") : null;
  isFirstUsed ||= first !== null;
  const session =
    sessions.get(slug) ?? new RoomSession({ hub, env, room: roomOf(root, rooms, slug), me, text, first }, calls);
  sessions.delete(slug);
  sessions.set(slug, session);
  for (const [old, kept] of sessions) {
    if (sessions.size <= MAX_SESSIONS) break;
    if (kept === current) continue;
    kept.writing.end();
    sessions.delete(old);
  }
  return session;
}

/** @param {Person} user */
function rename(user) {
  if (user.id === me.id) {
    me = user;
    showOwnName(user.name);
  }
  for (const session of sessions.values()) session.change({ type: "renamed", users: [user] });
}

function showRooms() {
  if (rooms.length === 0 || !own.isKnown) return;
  const drafts = text.drafts.slugs();
  if (current !== null) drafts.delete(current.slug);
  const seenIn = (/** @type {string} */ slug) => (current?.slug === slug ? current.reading.upTo : 0);
  const shown = rooms.map((entry) => shownRoom(entry, own.state, drafts, seenIn(entry.slug)));
  sidebar.show(shown);
  void showBadge(shown.filter(({ unread, muted }) => unread > 0 && !muted).length);
  dialogs.jump.update();
}

/**
 * @param {number} step
 * @param {boolean} onlyUnread
 */
function stepTo(step, onlyUnread) {
  const next = neighbour(sidebar.sections, current?.slug ?? null, step, onlyUnread);
  if (next !== null) navigation.go(next);
}

/** @param {number} seq */
async function copyLink(seq) {
  if (current === null) return;
  const address = new URL(navigation.addressOf(current.slug, seq), location.href).href;
  try {
    await navigator.clipboard.writeText(address);
    strip.notice(gettext("Link copied."));
  } catch {
    strip.notice(address); // Forbidden: shown, to be copied by hand.
  }
}

/** Counts new messages as seen while the user sees the end of the log. */
function markSeen() {
  if (current === null) return;
  current.change({ type: document.visibilityState === "visible" && view.log.isAtEnd ? "back" : "away" });
  render();
}
