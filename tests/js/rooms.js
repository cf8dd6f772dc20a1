// A room as tests see it: its people, its messages, and the actions that change its state.

import { rows } from "../../chat/static/chat/js/room-rows.js";
import "./served.js";

/** @import { PendingPost, Message, MessageEvent, RoomAction, RoomHere } from "../../chat/static/chat/js/types.js" */
/** @import { RoomSnapshot, RoomState, Viewer } from "../../chat/static/chat/js/types.js" */
/** @import { Person, Present } from "../../hubbub/static/hubbub/js/types.js" */

// After `served.js`: it imports a script of the engine.
const { initial, reduce } = await import("../../chat/static/chat/js/room-state.js");

export { initial };

export const ALICE = { id: "1", name: "alice" };
export const BOB = { id: "2", name: "bob" };
/** @type {RoomHere} */
export const ROOM = {
  slug: "general",
  title: "General",
  description: "",
  role: "member",
  private: false,
  archived: false,
  manages: false,
};
const NOON = Date.UTC(2026, 2, 3, 12);

/** @param {number} minutes  after noon */
export const at = (minutes) => new Date(NOON + minutes * 60_000).toISOString();

/**
 * @param {number} seq
 * @param {Partial<Message>} more
 * @returns {Message}
 */
export const message = (seq, more = {}) => ({
  seq,
  id: `id-${seq}`,
  user: BOB,
  body: `words ${seq}`,
  at: at(seq),
  edited_at: null,
  deleted: false,
  ...more,
});

/**
 * The latest page of the room.
 *
 * @param {Message[]} messages
 * @param {Partial<RoomSnapshot> & { isAnew?: boolean }} more
 * @returns {RoomAction}
 */
export const page = (messages, { isAnew = true, ...more } = {}) => {
  const { role: _role, manages: _manages, ...room } = ROOM;
  return { type: "state", snapshot: { room, messages, more: false, ...more }, isAnew };
};

/**
 * @param {Partial<Viewer>} more
 * @returns {RoomAction}
 */
export const joined = (more = {}) => ({
  type: "joined",
  viewer: { role: "member", manages: false, body_chars: 4_000, read_seq: 0, read_version: 0, ...more },
});

/**
 * @param {MessageEvent["type"]} type
 * @param {Message} message
 * @returns {MessageEvent}
 */
export const frame = (type, message) => ({ type, topic: "room/general", position: 0, message });

/**
 * @param {MessageEvent["type"]} type
 * @param {Message} message
 * @returns {RoomAction}
 */
export const event = (type, message) => ({ type: "events", events: [frame(type, message)] });

/**
 * The events of one answer.
 *
 * @param {Message[]} messages
 * @returns {RoomAction}
 */
export const resumed = (...messages) => ({
  type: "events",
  events: messages.map((message) => frame("message.edited", message)),
});

/**
 * @param {Present | null} present
 * @param {Person[]} named
 * @returns {RoomAction}
 */
export const present = (present, named = present?.users ?? []) => ({ type: "present", present, named });

/**
 * @param {RoomState} state
 * @param {RoomAction[]} actions
 */
export const run = (state, ...actions) => actions.reduce(reduce, state);

/** @param {PendingPost[]} pending */
export const fresh = (pending = []) => initial({ room: ROOM, me: ALICE, pending });

/**
 * @param {Message[]} messages
 * @param {boolean} more
 */
export const joinedWith = (messages, more = false) => run(fresh(), page(messages, { more }), joined());

/** @param {RoomState} state */
export const bodies = (state) => state.messages.map(({ body }) => body);

/** @param {RoomState} state */
export const kinds = (state) => rows(state).map(({ kind }) => kind);

/**
 * The names beside messages and posts.
 *
 * @param {RoomState} state
 */
export const names = (state) =>
  rows(state).flatMap((row) => {
    if (row.kind === "message") return [row.message.user.name];
    return row.kind === "pending" ? [row.user.name] : [];
  });

/**
 * The post in the last row.
 *
 * @param {RoomState} state
 */
export function lastPost(state) {
  const row = rows(state).at(-1);
  if (row?.kind !== "pending") throw new Error("the last row is no post");
  return row.post;
}

/**
 * The rows of messages.
 *
 * @param {RoomState} state
 */
export const messageRows = (state) => rows(state).filter((row) => row.kind === "message");
