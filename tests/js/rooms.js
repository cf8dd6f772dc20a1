// A room as tests see it: its people, its messages, and the actions that change its state.

import { rows } from "../../chat/static/chat/js/room-rows.js";
import "./served.js";

/** @import { Joined, KeptPost, Message, MessageEvent, PresenceChanged, RoomAction, RoomInfo, RoomState } from "../../chat/static/chat/js/types.js" */
/** @import { Presence } from "../../hubbub/static/hubbub/js/types.js" */

// After `served.js`: it imports a script of the engine.
const { initial, reduce } = await import("../../chat/static/chat/js/room-state.js");

export { initial };

export const ALICE = { id: "1", name: "alice" };
export const BOB = { id: "2", name: "bob" };
/** @type {RoomInfo} */
export const ROOM = { slug: "general", title: "General", topic: "", role: "member", archived: false };
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
 * @param {Partial<Joined>} more
 * @returns {Joined}
 */
export const answer = (more) => ({
  type: "ok",
  ref: 1,
  room: ROOM,
  epoch: "e1",
  position: 0,
  complete: false,
  partial: false,
  messages: [],
  more: false,
  read: null,
  present: null,
  ...more,
});

/**
 * @param {MessageEvent["type"]} type
 * @param {number} position
 * @param {Message} message
 * @returns {RoomAction}
 */
export const event = (type, position, message) => ({
  type: "event",
  frame: { type, room: "general", position, message },
});

/**
 * @param {Pick<PresenceChanged, "count" | "joined" | "left">} more
 * @returns {RoomAction}
 */
export const changed = (more) => ({ type: "event", frame: { type: "presence.changed", room: "general", ...more } });

/**
 * @param {RoomState} state
 * @param {RoomAction[]} actions
 */
export const run = (state, ...actions) => actions.reduce(reduce, state);

/** @param {KeptPost[]} pending */
export const fresh = (pending = []) => initial({ room: ROOM, me: ALICE, pending });

/**
 * @param {number} position
 * @param {Message[]} messages
 * @param {boolean} more
 */
export const joinedAt = (position, messages, more = false) =>
  run(fresh(), { type: "joined", answer: answer({ position, messages, more }) });

/** @param {Presence | null} present */
export const joinedWith = (present) => run(fresh(), { type: "joined", answer: answer({ present }) });

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
