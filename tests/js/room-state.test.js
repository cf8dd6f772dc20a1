import assert from "node:assert/strict";
import { test } from "node:test";

import {
  clean,
  countChars,
  initial,
  initialsOf,
  lastOwn,
  mayWrite,
  reduce,
  rows,
  tintOf,
} from "../../chat/static/chat/js/room-state.js";

const ALICE = { id: "1", name: "alice" };
const BOB = { id: "2", name: "bob" };
const ROOM = { slug: "general", title: "General", topic: "", role: "member", archived: false };
const NOON = Date.UTC(2026, 2, 3, 12);

const at = (minutes) => new Date(NOON + minutes * 60_000).toISOString();
const message = (seq, more = {}) => ({
  seq,
  id: `id-${seq}`,
  user: BOB,
  body: `words ${seq}`,
  at: at(seq),
  edited_at: null,
  deleted: false,
  ...more,
});
const answer = (more) => ({
  room: ROOM,
  epoch: "e1",
  position: 0,
  complete: false,
  messages: [],
  more: false,
  read: null,
  present: null,
  ...more,
});
const event = (type, position, one) => ({ type: "event", frame: { type, room: "general", position, message: one } });
const run = (state, ...actions) => actions.reduce(reduce, state);
const fresh = (pending = []) => initial({ room: ROOM, me: ALICE, pending });
const joinedAt = (position, messages, more = false) =>
  run(fresh(), { type: "joined", answer: answer({ position, messages, more }) });
const bodies = (state) => state.messages.map(({ body }) => body);
const kinds = (state) => rows(state).map(({ kind }) => kind);

test("a join shows the latest page", () => {
  const state = joinedAt(2, [message(1), message(2)]);
  assert.deepEqual(bodies(state), ["words 1", "words 2"]);
  assert.equal(state.position, 2);
});

test("events are upserts by seq and move the position", () => {
  const state = run(
    joinedAt(2, [message(1), message(2)]),
    event("message.posted", 3, message(3)),
    event("message.edited", 4, message(1, { body: "better", edited_at: at(9) })),
    event("message.deleted", 5, message(2, { body: "", deleted: true })),
  );
  assert.deepEqual(bodies(state), ["better", "", "words 3"]);
  assert.equal(state.position, 5);
});

test("an event of a position that was had is ignored", () => {
  const state = run(
    joinedAt(5, [message(1, { body: "newest" })]),
    event("message.edited", 5, message(1, { body: "old" })),
  );
  assert.deepEqual(bodies(state), ["newest"]);
});

test("another room's event, and one of an unknown type, change nothing", () => {
  const state = joinedAt(1, [message(1)]);
  assert.equal(
    run(state, { type: "event", frame: { type: "message.posted", room: "other", position: 9, message: message(9) } }),
    state,
  );
  assert.equal(run(state, { type: "event", frame: { type: "room.painted", room: "general", position: 9 } }), state);
});

test("a complete resume keeps what was had and applies what changed", () => {
  const state = run(joinedAt(2, [message(1), message(2)]), {
    type: "joined",
    answer: answer({ position: 9, complete: true, more: true, messages: [message(3), message(1, { body: "edited" })] }),
  });
  assert.deepEqual(bodies(state), ["edited", "words 2", "words 3"]);
  assert.equal(state.more, false, "what stands above is known already");
});

test("a resume in parts applies each, and keeps who is present until the last", () => {
  const bob = { count: 1, users: [BOB] };
  let state = run(fresh(), {
    type: "joined",
    answer: answer({ position: 2, messages: [message(1), message(2)], present: bob }),
  });
  state = run(state, {
    type: "joined",
    answer: answer({
      position: 4,
      complete: true,
      partial: true,
      more: true,
      messages: [message(3), message(1, { body: "once" })],
    }),
  });
  assert.deepEqual([state.position, state.joined, state.present.count], [4, true, 1]);
  assert.deepEqual(bodies(state), ["once", "words 2", "words 3"]);
  state = run(state, {
    type: "joined",
    answer: answer({
      position: 6,
      complete: true,
      partial: false,
      more: true,
      messages: [message(1, { body: "twice" }), message(4)],
    }),
  });
  assert.deepEqual([state.position, state.present], [6, null]);
  assert.deepEqual(bodies(state), ["twice", "words 2", "words 3", "words 4"]);
});

test("a post that was too long is found with its reason after a reload", () => {
  const refused = { id: "p1", body: "long", at: at(1), error: { code: "too_long", text: "This is too long." } };
  assert.deepEqual(
    fresh([refused, { id: "p2", body: "short", at: at(2) }]).pending.map(({ error }) => error?.code ?? null),
    ["too_long", null],
  );
});

test("an incomplete resume drops what was had", () => {
  const state = run(joinedAt(2, [message(1), message(2)]), {
    type: "joined",
    answer: answer({ epoch: "e2", position: 900, messages: [message(800), message(801)], more: true }),
  });
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [800, 801],
  );
  assert.equal(state.epoch, "e2");
  assert.equal(kinds(state)[0], "older");
});

test("a reload of the page keeps what has not been answered", () => {
  const state = run(fresh([{ id: "mine", body: "hi", at: at(0) }]), {
    type: "joined",
    answer: answer({ position: 1, messages: [message(1)] }),
  });
  assert.deepEqual(kinds(state), ["beginning", "day", "message", "pending"]);
  assert.equal(rows(state).at(-1).post.body, "hi");
});

test("history goes in above, and its end is the beginning of the room", () => {
  let state = joinedAt(4, [message(3), message(4)], true);
  assert.equal(state.floor, 3);
  state = run(state, { type: "history.asked" });
  assert.equal(rows(state)[0].loading, true);
  state = run(state, { type: "history.came", before: 3, answer: { messages: [message(1), message(2)], more: false } });
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [1, 2, 3, 4],
  );
  assert.equal(kinds(state)[0], "beginning");
});

test("an edit that overtakes the page it belongs to is not lost", () => {
  const state = run(
    joinedAt(4, [message(3), message(4)], true),
    { type: "history.asked" },
    event("message.edited", 5, message(1, { body: "edited" })),
    { type: "history.came", before: 3, answer: { messages: [message(1, { body: "stale" }), message(2)], more: false } },
  );
  assert.deepEqual(bodies(state), ["edited", "words 2", "words 3", "words 4"]);
});

test("a message that changes while its page is read, and is missing from it, comes in by its event", () => {
  const state = run(
    joinedAt(4, [message(5), message(6)], true),
    { type: "history.asked" },
    event("message.edited", 5, message(3, { body: "edited" })),
    event("message.edited", 6, message(1, { body: "further up" })),
    { type: "history.came", before: 5, answer: { messages: [message(2), message(4)], more: true } },
  );
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [2, 3, 4, 5, 6],
  );
  assert.equal(state.messages[1].body, "edited");
});

test("history that was asked for above a page that is gone leaves no hole in the log", () => {
  let state = run(
    joinedAt(449, [message(400), message(401)], true),
    { type: "history.asked" },
    { type: "joined", answer: answer({ position: 999, messages: [message(950), message(951)], more: true }) },
  );
  assert.equal(state.loading, true, "its answer is still to come: no second one is asked for");
  state = run(state, {
    type: "history.came",
    before: 400,
    answer: { messages: [message(398), message(399)], more: true },
  });
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [950, 951],
  );
  assert.equal(state.loading, false);
  assert.equal(kinds(state)[0], "older");
  state = run(
    state,
    { type: "history.asked" },
    { type: "history.came", before: 950, answer: { messages: [message(949)], more: true } },
  );
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [949, 950, 951],
  );
});

test("a join between history's question and its answer loses no edit, and nothing is trimmed meanwhile", () => {
  const state = run(
    joinedAt(4, [message(3), message(4)], true),
    { type: "history.asked" },
    {
      type: "joined",
      answer: answer({ position: 5, complete: true, messages: [message(1, { body: "edited" })], more: true }),
    },
    { type: "trimmed", keep: 1 },
    { type: "history.came", before: 3, answer: { messages: [message(1, { body: "stale" }), message(2)], more: false } },
  );
  assert.deepEqual(bodies(state), ["edited", "words 2", "words 3", "words 4"]);
});

test("a change to a message that is not loaded leaves no hole in the log", () => {
  const state = run(joinedAt(4, [message(30), message(31)], true), event("message.edited", 5, message(2)));
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [30, 31],
  );
  assert.equal(state.position, 5);
});

test("one's own post is pending, then answered, then told as an event, and is one message", () => {
  const mine = message(1, { id: "mine", user: ALICE, body: "hi" });
  let state = run(joinedAt(0, []), { type: "post.added", post: { id: "mine", body: "hi", at: at(1) } });
  assert.deepEqual(kinds(state), ["day", "pending"]);
  state = run(state, { type: "post.answered", id: "mine", answer: { seq: 1, position: 1, at: at(1) } });
  assert.deepEqual(bodies(state), ["hi"]);
  assert.equal(state.pending.length, 0);
  assert.equal(state.position, 0, "others' changes before it may still be on the way");
  state = run(state, event("message.posted", 1, mine));
  assert.deepEqual(bodies(state), ["hi"]);
});

test("the event may come before the answer", () => {
  const state = run(
    joinedAt(0, []),
    { type: "post.added", post: { id: "mine", body: "hi", at: at(1) } },
    event("message.posted", 1, message(1, { id: "mine", user: ALICE, body: "hi" })),
    { type: "post.answered", id: "mine", answer: { seq: 1, position: 1, at: at(1) } },
  );
  assert.deepEqual(bodies(state), ["hi"]);
  assert.equal(state.pending.length, 0);
});

test("somebody else's message with the id of one's own does not swallow it", () => {
  const state = run(
    joinedAt(0, []),
    { type: "post.added", post: { id: "mine", body: "hi", at: at(1) } },
    event("message.posted", 1, message(1, { id: "mine", user: BOB, body: "forged" })),
  );
  assert.equal(state.pending.length, 1);
});

test("another's message that was saved before one's own and comes after it finds its place", () => {
  const state = run(
    joinedAt(0, []),
    { type: "post.added", post: { id: "mine", body: "second", at: at(2) } },
    { type: "post.answered", id: "mine", answer: { seq: 2, position: 2, at: at(2) } },
    event("message.posted", 1, message(1, { body: "first" })),
  );
  assert.deepEqual(bodies(state), ["first", "second"]);
});

test("a failed post stays with its reason until it is sent again or discarded", () => {
  const error = { code: "forbidden", text: "No." };
  let state = run(
    joinedAt(0, []),
    { type: "post.added", post: { id: "mine", body: "hi", at: at(1) } },
    { type: "post.failed", id: "mine", error },
  );
  assert.deepEqual(rows(state).at(-1).post.error, error);
  state = run(state, { type: "post.retried", id: "mine" });
  assert.equal(rows(state).at(-1).post.error, null);
  state = run(state, { type: "post.discarded", id: "mine" });
  assert.deepEqual(state.pending, []);
});

test("an answered edit shows at once, a late answer does not undo what came since", () => {
  const mine = message(1, { user: ALICE });
  const shown = run(joinedAt(1, [mine]), {
    type: "edit.answered",
    seq: 1,
    body: "new",
    at: at(5),
    answer: { position: 2 },
  });
  assert.deepEqual(bodies(shown), ["new"]);
  const late = run(joinedAt(1, [mine]), event("message.edited", 3, message(1, { user: ALICE, body: "newer" })), {
    type: "edit.answered",
    seq: 1,
    body: "new",
    at: at(5),
    answer: { position: 2 },
  });
  assert.deepEqual(bodies(late), ["newer"]);
});

test("messages of one person within five minutes stand as one group", () => {
  const starts = (...messages) =>
    rows(joinedAt(9, messages))
      .filter(({ kind }) => kind === "message")
      .map((row) => row.starts);
  assert.deepEqual(starts(message(1), message(2), message(3, { user: ALICE }), message(4)), [true, false, true, true]);
  assert.deepEqual(starts(message(1), message(2, { at: at(6) })), [true, true]);
  const gone = { id: null, name: "deleted user" };
  assert.deepEqual(starts(message(1, { user: gone }), message(2, { user: gone })), [true, true], "may be two people");
});

test("each day has its line", () => {
  const days = rows(joinedAt(2, [message(1), message(2, { at: at(60 * 24 * 3) })])).filter(
    ({ kind }) => kind === "day",
  );
  assert.equal(days.length, 2);
  assert.notEqual(days[0].key, days[1].key);
});

test("what comes while nobody looks is counted and stands below a line; coming back keeps the line", () => {
  let state = run(
    joinedAt(1, [message(1)]),
    { type: "away" },
    event("message.posted", 2, message(2)),
    event("message.posted", 3, message(3)),
  );
  assert.equal(state.unseen, 2);
  assert.deepEqual(kinds(state), ["beginning", "day", "message", "new", "message", "message"]);
  state = run(state, { type: "back" });
  assert.equal(state.unseen, 0);
  assert.ok(kinds(state).includes("new"));
  state = run(state, { type: "post.added", post: { id: "x", body: "hi", at: at(4) } });
  assert.ok(!kinds(state).includes("new"), "who writes has read");
});

test("one's own messages from another tab, and what comes while one looks, are not news", () => {
  const state = run(
    joinedAt(1, [message(1)]),
    event("message.posted", 2, message(2)),
    { type: "away" },
    event("message.posted", 3, message(3, { user: ALICE })),
  );
  assert.equal(state.unseen, 0);
  assert.equal(state.newFrom, null);
});

test("a reader of a private room can change nothing in it", () => {
  const mine = message(1, { user: ALICE });
  const state = run(fresh(), {
    type: "joined",
    answer: answer({ position: 1, messages: [mine], room: { ...ROOM, role: "reader" } }),
  });
  const [, , row] = rows(state);
  assert.deepEqual([row.kind, row.mayEdit, row.mayDelete], ["message", false, false]);
  assert.equal(lastOwn(state), null);
  assert.equal(mayWrite(state), false);
  assert.equal(mayWrite(joinedAt(1, [mine])), true);
});

test("a change to the room is seen at once; archived, nothing can be changed", () => {
  const mine = message(1, { user: ALICE });
  const state = run(joinedAt(1, [mine]), {
    type: "event",
    frame: { type: "room.changed", room: "general", position: 2, changes: { title: "Lounge", archived: true } },
  });
  assert.equal(state.room.title, "Lounge");
  assert.equal(rows(state).at(-1).mayEdit, false);
  assert.equal(lastOwn(state), null);
});

test("one's own may be edited and deleted, others' only deleted, and only by a moderator", () => {
  const may = (state) =>
    rows(state)
      .filter(({ kind }) => kind === "message")
      .map(({ mayEdit, mayDelete }) => [mayEdit, mayDelete]);
  const messages = [message(1, { user: ALICE }), message(2), message(3, { user: ALICE, deleted: true })];
  assert.deepEqual(may(joinedAt(3, messages)), [
    [true, true],
    [false, false],
    [false, false],
  ]);
  const moderator = run(fresh(), {
    type: "joined",
    answer: answer({ position: 3, messages, room: { ...ROOM, role: "moderator" } }),
  });
  assert.deepEqual(may(moderator), [
    [true, true],
    [false, true],
    [false, false],
  ]);
});

test("a closed room says why, and a new join opens it again", () => {
  let state = run(joinedAt(1, [message(1)]), {
    type: "event",
    frame: { type: "room.closed", room: "general", code: "banned" },
  });
  assert.equal(state.closed, "banned");
  state = run(state, { type: "joined", answer: answer({ position: 1, complete: true }) });
  assert.equal(state.closed, null);
});

test("a page that is open for days forgets the oldest and can read them again", () => {
  const many = Array.from({ length: 10 }, (_, index) => message(index + 1));
  const state = run(joinedAt(10, many), { type: "trimmed", keep: 4 });
  assert.deepEqual(
    state.messages.map(({ seq }) => seq),
    [7, 8, 9, 10],
  );
  assert.equal(state.floor, 7);
  assert.equal(kinds(state)[0], "older");
});

const changed = (more) => ({ type: "event", frame: { type: "presence.changed", room: "general", ...more } });
test("people of one name stand by their ids, which are compared as text", () => {
  const users = [
    { id: "9", name: "sam" },
    { id: "5f1d", name: "sam" },
    { id: "10", name: "sam" },
  ];
  assert.deepEqual(
    joinedWith({ count: 3, users }).present.users.map(({ id }) => id),
    ["10", "5f1d", "9"],
  );
});

test("what one has written oneself is one's own, whatever the id reads like", () => {
  const me = { id: "5f1d0c1e-2b0a-4f8e-9a57-0c6f5f0d8a11", name: "ada" };
  const said = { seq: 1, id: "m1", user: me, body: "hi", at: "2026-01-01T00:00:00Z", edited_at: null, deleted: false };
  const state = run(initial({ room: ROOM, me }), { type: "joined", answer: answer({ messages: [said] }) });
  assert.equal(lastOwn(state).seq, 1);
});

const joinedWith = (present) => run(fresh(), { type: "joined", answer: answer({ present }) });

test("people come and go, and stand in the order of their names", () => {
  let state = joinedWith({ count: 1, users: [BOB] });
  state = run(state, changed({ count: 2, joined: [ALICE], left: [] }));
  assert.deepEqual(state.present, { count: 2, users: [ALICE, BOB] });
  state = run(state, changed({ count: 2, joined: [{ id: "2", name: "aaron" }], left: [] }));
  assert.deepEqual(
    state.present.users.map(({ name }) => name),
    ["aaron", "alice"],
  );
  state = run(state, changed({ count: 1, joined: [], left: [ALICE] }));
  assert.deepEqual(state.present, { count: 1, users: [{ id: "2", name: "aaron" }] });
});

test("in a big room only the number is known, and all names again when they are told again", () => {
  assert.deepEqual(joinedWith({ count: 101, users: [] }).present, { count: 101, users: null });
  let state = run(joinedWith({ count: 1, users: [ALICE] }), changed({ count: 400 }));
  assert.deepEqual(state.present, { count: 400, users: null });
  state = run(state, changed({ count: 2, joined: [ALICE, BOB], left: [] }));
  assert.deepEqual(state.present, { count: 2, users: [ALICE, BOB] });
});

test("who is here may be unknown at first, and is told as an event", () => {
  let state = joinedWith(null);
  assert.equal(state.present, null);
  state = run(state, changed({ count: 2, joined: [BOB, ALICE], left: [] }));
  assert.deepEqual(state.present, { count: 2, users: [ALICE, BOB] });
});

test("an event about people that repeats what is known changes nothing", () => {
  const state = joinedWith({ count: 2, users: [ALICE, BOB] });
  assert.deepEqual(run(state, changed({ count: 2, joined: [BOB], left: [] })).present, state.present);
});

test("a body is sent in normal form, without half characters, and counted as the server counts", () => {
  assert.equal(clean(" \ne\u0301\n"), "é");
  assert.equal(countChars(clean("👍🏽é")), 3);
});

test("names have initials and one of twelve tints, always the same", () => {
  assert.equal(initialsOf("alice"), "A");
  assert.equal(initialsOf("mona.müller"), "MM");
  assert.equal(initialsOf("👩‍🚀"), "👩");
  assert.equal(initialsOf("..."), "?");
  const tints = new Set(Array.from({ length: 300 }, (_, number) => tintOf(`user${number}`)));
  assert.deepEqual(
    [...tints].sort((one, other) => one - other),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  );
});

const names = (state) =>
  rows(state).flatMap((row) => (row.message ? [row.message.user.name] : row.post ? [row.user.name] : []));

test("a user who is renamed has the new name beside all that stands there, in the list and in what is unsent", () => {
  const mine = { id: "x", body: "unsent", at: at(5) };
  const present = { count: 2, users: [ALICE, BOB] };
  let state = run(fresh([mine]), {
    type: "joined",
    answer: answer({ position: 2, messages: [message(1), message(2, { user: ALICE })], present }),
  });
  state = run(state, { type: "renamed", users: [{ id: "2", name: "aaron" }] });
  assert.deepEqual(names(state), ["aaron", "alice", "alice"]);
  assert.deepEqual(state.present, { count: 2, users: [{ id: "2", name: "aaron" }, ALICE] });
  state = run(state, { type: "renamed", users: [{ id: "1", name: "zoe" }] });
  assert.deepEqual(names(state), ["aaron", "zoe", "zoe"]);
  assert.equal(state.me.name, "zoe");
});

test("a new name that presence tells of, or a join, stands beside the messages as well", () => {
  const before = joinedAt(1, [message(1)]);
  const frame = {
    type: "presence.changed",
    room: "general",
    count: 1,
    joined: [{ id: "2", name: "robert" }],
    left: [],
  };
  assert.deepEqual(names(run(before, { type: "event", frame })), ["robert"]);
  const again = answer({ position: 1, complete: true, present: { count: 1, users: [{ id: "2", name: "robert" }] } });
  assert.deepEqual(names(run(before, { type: "joined", answer: again })), ["robert"]);
});

test("who was renamed while the page was not connected has the name that a later message tells, on all rows", () => {
  const ROBERT = { id: "2", name: "robert" };
  const had = joinedAt(2, [message(1), message(2)]);
  const resumed = answer({ position: 3, complete: true, messages: [message(3, { user: ROBERT })] });
  assert.deepEqual(names(run(had, { type: "joined", answer: resumed })), ["robert", "robert", "robert"]);
  assert.deepEqual(names(run(had, event("message.posted", 3, message(3, { user: ROBERT })))), [
    "robert",
    "robert",
    "robert",
  ]);
  const page = joinedAt(3, [message(3)], true);
  const older = { messages: [message(1, { user: ROBERT }), message(2, { user: ROBERT })], more: false };
  const came = run(page, { type: "history.asked" }, { type: "history.came", before: 3, answer: older });
  assert.deepEqual(names(came), ["robert", "robert", "robert"]);
  // A part of an answer does not bring back the name that the list of people still has.
  const listed = run(fresh(), {
    type: "joined",
    answer: answer({ position: 1, messages: [message(1)], present: { count: 1, users: [BOB] } }),
  });
  const part = answer({ position: 2, complete: true, partial: true, messages: [message(2, { user: ROBERT })] });
  const after = run(listed, { type: "joined", answer: part });
  assert.deepEqual([names(after), after.present.users], [["robert", "robert"], [ROBERT]]);
});

test("the name of somebody whose account is gone is nobody's", () => {
  const gone = joinedAt(1, [message(1, { user: { id: null, name: "deleted user" } })]);
  assert.deepEqual(names(run(gone, { type: "renamed", users: [{ id: null, name: "mallory" }] })), ["deleted user"]);
});
