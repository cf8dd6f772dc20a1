// What is known about one room, as a value: `reduce` takes what happened and gives the next one. No DOM, no socket, no clock.

export { clean, countChars } from "./body.js";

const GROUP_MS = 5 * 60 * 1000; // One person's messages this close together stand as one group.

/** `pending`: posts that an earlier load of the page could not get an answer to. */
export function initial({ room, me, pending = [] }) {
  return {
    room, // {slug, title, topic, role, archived}
    me, // {id, name}
    joined: false,
    epoch: null,
    position: null,
    messages: [], // By seq, rising; every message from `floor` on is here.
    floor: 0,
    more: false,
    loading: false, // Older messages have been asked for; until that is answered or has failed, whatever else happens.
    early: {}, // Events for messages below `floor`, by seq: newer than the page that is on its way.
    pending: pending.map((post) => ({ error: null, ...post })), // {id, body, at, error: null | {code, text}}
    newFrom: null, // The first message below the "new" line.
    unseen: 0,
    away: false,
    editing: null, // seq
    present: null, // {count, users}, or null when not known; users is null when they are too many to be named
    closed: null, // removed | banned | deleted | not_found
  };
}

export function reduce(state, action) {
  switch (action.type) {
    case "joined":
      return joined(state, action.answer);
    case "closed":
      return { ...state, closed: action.code, editing: null, present: null };
    case "event":
      return happened(state, action.frame);
    case "renamed":
      return renamed(state, action.users);
    case "history.asked":
      return { ...state, loading: true, early: {} };
    case "history.failed":
      return { ...state, loading: false };
    case "history.came":
      return olderCame(state, action.before, action.answer);
    case "post.added":
      return { ...state, newFrom: null, pending: [...state.pending, { ...action.post, error: null }] };
    case "post.answered":
      return posted(state, action.id, action.answer);
    case "post.failed":
      return withPending(state, action.id, { error: action.error });
    case "post.retried":
      return withPending(state, action.id, { error: null });
    case "post.discarded":
      return { ...state, pending: state.pending.filter(({ id }) => id !== action.id) };
    case "edit.opened":
      return { ...state, editing: action.seq };
    case "edit.closed":
      return { ...state, editing: null };
    case "edit.answered":
      return answered({ ...state, editing: null }, action, { body: action.body, edited_at: action.at });
    case "delete.answered":
      return answered(state, action, { body: "", deleted: true });
    case "away":
      return { ...state, away: true };
    case "back":
      return { ...state, away: false, unseen: 0 };
    case "trimmed":
      return trimmed(state, action.keep);
    default:
      return state;
  }
}

/** What the log shows, from top to bottom. Every row has a `key` that stays its own. */
export function rows(state) {
  const out = [];
  if (state.more) out.push({ kind: "older", key: "older", loading: state.loading });
  else if (state.joined && state.messages.length > 0) out.push({ kind: "beginning", key: "beginning" });
  let last = null;
  const line = (user, at, isNew) => {
    const day = dayOf(at);
    const newDay = last === null || last.day !== day;
    if (newDay) out.push({ kind: "day", key: `day-${day}`, at });
    if (isNew) out.push({ kind: "new", key: "new" });
    const goesOn =
      last !== null &&
      !newDay &&
      !isNew &&
      user.id !== null &&
      last.user.id === user.id &&
      Date.parse(at) - last.ms < GROUP_MS;
    last = { day, user, ms: Date.parse(at) };
    return !goesOn;
  };
  for (const message of state.messages) {
    const own = message.user.id !== null && message.user.id === state.me.id;
    const open = !message.deleted && mayWrite(state);
    out.push({
      kind: "message",
      key: `message-${message.seq}`,
      message,
      starts: line(message.user, message.at, message.seq === state.newFrom),
      own,
      mayEdit: own && open,
      mayDelete: (own || state.room.role === "moderator") && open,
      editing: state.editing === message.seq && !message.deleted,
    });
  }
  for (const post of state.pending) {
    out.push({
      kind: "pending",
      key: `pending-${post.id}`,
      post,
      user: state.me,
      starts: line(state.me, post.at, false),
    });
  }
  return out;
}

/** A reader has no membership: a permission shows the room, and writing is for its members. */
export const mayWrite = ({ room, closed }) => !room.archived && room.role !== "reader" && closed === null;

/** The latest message of one's own that can still be edited. */
export function lastOwn(state) {
  if (!mayWrite(state)) return null;
  return state.messages.findLast(({ user, deleted }) => user.id === state.me.id && !deleted) ?? null;
}

/** One or two letters that stand for a name. */
export function initialsOf(name) {
  const words = name.split(/[\s._@+-]+/u).filter(Boolean);
  return (
    words
      .slice(0, 2)
      .map((word) => [...word][0].toUpperCase())
      .join("") || "?"
  );
}

/** Which of the twelve tints a name has. */
export function tintOf(name) {
  let hash = 2166136261;
  for (const char of name) hash = Math.imul(hash ^ char.codePointAt(0), 16777619);
  return ((hash >>> 16) ^ (hash & 0xffff)) % 12;
}

function joined(state, answer) {
  const known = state.epoch === answer.epoch ? lastSeq(state) : null;
  const next = {
    ...state,
    joined: state.joined || !answer.partial, // After a part the page asks for the next one; no event comes before the last.
    closed: null,
    room: answer.room,
    epoch: answer.epoch,
    position: answer.position,
    present: answer.partial ? state.present : listed(answer.present),
  };
  const here = answer.partial ? [] : (answer.present?.users ?? []);
  if (answer.complete) return named(arrive(next, answer.messages), answer.messages, here);
  const page = {
    ...next,
    messages: [],
    floor: answer.more ? (answer.messages[0]?.seq ?? 0) : 0,
    more: answer.more,
    early: {},
  };
  const filled = named(withMessages(page, answer.messages), answer.messages, here);
  const seen = known ?? answer.read ?? null;
  return seen === null
    ? filled
    : noticed(
        filled,
        answer.messages.filter(({ seq }) => seq > seen),
      );
}

function happened(state, frame) {
  if (frame.room !== state.room.slug || !state.joined) return state;
  switch (frame.type) {
    case "message.posted":
    case "message.edited":
    case "message.deleted":
      if (frame.position <= state.position) return state;
      return named(arrive({ ...state, position: frame.position }, [frame.message]), [frame.message]);
    case "room.changed":
      if (frame.position <= state.position) return state;
      return { ...state, position: frame.position, room: { ...state.room, ...frame.changes } };
    case "room.closed":
      return reduce(state, { type: "closed", code: frame.code });
    case "presence.changed":
      return renamed({ ...state, present: presence(state.present, frame) }, frame.joined ?? []);
    default:
      return state;
  }
}

/** These are the names of these users from now on, wherever they stand. */
function renamed(state, users) {
  if (users.length === 0) return state;
  const names = new Map(users.map(({ id, name }) => [id, name]));
  const isOld = ({ id, name }) => id !== null && names.has(id) && names.get(id) !== name;
  const now = (user) => (isOld(user) ? { ...user, name: names.get(user.id) } : user);
  const written = (message) => (isOld(message.user) ? { ...message, user: now(message.user) } : message);
  const { me, messages, early, present } = state;
  return {
    ...state,
    me: now(me),
    messages: messages.some(({ user }) => isOld(user)) ? messages.map(written) : messages,
    early: Object.fromEntries(Object.entries(early).map(([seq, message]) => [seq, written(message)])),
    present: present?.users?.some(isOld) ? { ...present, users: byName(present.users.map(now)) } : present,
  };
}

/** With the names that came with these messages, and with `people`: one who was renamed while nobody was told of it. */
function named(state, messages, people = []) {
  return renamed(state, [...messages.map(({ user }) => user), ...people]);
}

/** Messages in their newest state, as upserts by seq. */
function arrive(state, messages) {
  const known = new Set(state.messages.map(({ seq }) => seq));
  const inside = messages.filter(({ seq }) => seq >= state.floor);
  const below = messages.filter(({ seq }) => seq < state.floor);
  const early = below.length
    ? { ...state.early, ...Object.fromEntries(below.map((one) => [one.seq, one])) }
    : state.early;
  const own = new Set(messages.filter(({ user }) => user.id === state.me.id).map(({ id }) => id));
  const pending = own.size ? state.pending.filter(({ id }) => !own.has(id)) : state.pending;
  return noticed(
    { ...withMessages(state, inside), early, pending },
    inside.filter(({ seq }) => !known.has(seq)),
  );
}

/** Draws the "new" line when somebody else has written while nobody looked. */
function noticed(state, arrived) {
  if (!state.away) return state;
  const others = arrived.filter(({ user, deleted }) => user.id !== state.me.id && !deleted);
  if (others.length === 0) return state;
  const newFrom = state.unseen === 0 ? others[0].seq : state.newFrom;
  return { ...state, newFrom, unseen: state.unseen + others.length };
}

/** The messages right before the seq `before`. */
function olderCame(state, before, { messages, more }) {
  const next = { ...state, loading: false, early: {} };
  // A join has put another page in the place of the one that they adjoin: here they would leave a hole.
  if (before !== state.floor) return next;
  const floor = more ? (messages[0]?.seq ?? state.floor) : 0;
  // Over what was read, and into its gaps: the server leaves out what changes while it reads.
  const early = Object.values(state.early).filter(({ seq }) => seq >= floor);
  return named(withMessages({ ...next, floor, more }, [...messages, ...early]), messages);
}

/** Our own post, answered: shown from now on as it is saved, though its event may still be on the way. */
function posted(state, id, { seq, position, at }) {
  const post = state.pending.find((one) => one.id === id);
  if (post === undefined) return state;
  const next = { ...state, pending: state.pending.filter((one) => one.id !== id) };
  if (state.position === null || position <= state.position || seq < state.floor) return next;
  if (state.messages.some((message) => message.seq === seq)) return next;
  return withMessages(next, [{ seq, id, user: state.me, body: post.body, at, edited_at: null, deleted: false }]);
}

/** Our own edit or deletion, answered: shown at once, unless a later state has come already. */
function answered(state, { seq, answer }, changes) {
  if (answer.position <= state.position) return state;
  return { ...state, messages: state.messages.map((one) => (one.seq === seq ? { ...one, ...changes } : one)) };
}

/** Forget the oldest ones, so that a page that is open for days does not grow. */
function trimmed(state, keep) {
  if (state.messages.length <= keep || state.loading) return state;
  const messages = state.messages.slice(-keep);
  return { ...state, messages, floor: messages[0].seq, more: true };
}

function withMessages(state, changed) {
  if (changed.length === 0) return state;
  const bySeq = new Map(state.messages.map((message) => [message.seq, message]));
  for (const message of changed) bySeq.set(message.seq, message);
  const messages = [...bySeq.values()].sort((one, other) => one.seq - other.seq);
  return { ...state, messages };
}

function withPending(state, id, changes) {
  return { ...state, pending: state.pending.map((post) => (post.id === id ? { ...post, ...changes } : post)) };
}

function listed(present) {
  if (present === null) return null;
  return { ...present, users: present.users.length === present.count ? byName(present.users) : null };
}

/** Without `joined` nobody is named; the first event that names people again has all of them as `joined`. */
function presence(present, { count, joined: came, left }) {
  if (came === undefined) return { count, users: null };
  const gone = new Set(left.map(({ id }) => id));
  const users = new Map((present?.users ?? []).filter(({ id }) => !gone.has(id)).map((user) => [user.id, user]));
  for (const user of came) users.set(user.id, user);
  return { count, users: byName([...users.values()]) };
}

function byName(users) {
  return [...users].sort((one, other) => one.name.localeCompare(other.name) || (one.id < other.id ? -1 : 1));
}

function lastSeq(state) {
  return state.messages.at(-1)?.seq ?? null;
}

/** The day in the reader's own zone. */
function dayOf(at) {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}
