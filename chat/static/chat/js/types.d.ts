// The shapes that chat's scripts share: wire frames as `chat/protocol.py` declares them, the state of a room's page, and
// derived values. Fields `at` and `edited_at` are times as ISO 8601 in UTC. `seq` numbers the messages of a room,
// `position` the changes.

import type { Person, Present } from "../../hubbub/js/types.js";
import type { RoomSession } from "./room-session.js";

// Wire: the content of frames

/** A reader has no membership: a permission shows the room. */
export type Role = "member" | "moderator" | "reader";

export interface RoomInfo {
  slug: string;
  title: string;
  description: string;
  private: boolean;
  archived: boolean;
}

/** A room, and what its user may do there. */
export interface RoomHere extends RoomInfo {
  role: Role;
  /** Whether the user may manage it. */
  manages: boolean;
}

/** A message as it is now; a deleted one has an empty body. */
export interface Message {
  seq: number;
  /** A UUID that the author's client made. */
  id: string;
  user: Person;
  body: string;
  at: string;
  edited_at: string | null;
  deleted: boolean;
}

// Wire: the topic `room/<slug>`

/** The state: the latest page. */
export interface RoomSnapshot {
  room: RoomInfo;
  messages: Message[];
  /** Older messages exist. */
  more: boolean;
}

/** What a join tells this user alone. */
export interface Viewer {
  role: Role;
  /** May change the room and its members. */
  manages: boolean;
  /** Of one message. */
  body_chars: number;
  /** How far the user has read. */
  read_seq: number;
  /** Rises when the user marks messages unread. */
  read_version: number;
}

// Wire: the topic `person/<id>`

/** What is the user's own in a room; 0 and false are left out. */
export interface OwnState {
  read_seq?: number | undefined;
  read_version?: number | undefined;
  muted?: boolean | undefined;
  favourite?: boolean | undefined;
  left?: boolean | undefined;
}

export interface PersonRoom extends OwnState {
  type: "person.room";
  topic: string;
  position: number;
  room: string;
}

/** What a page knows of unread messages. */
export interface ReadingState {
  /** By slug, the rooms that the user has entered. */
  rooms: Record<string, OwnState>;
  /** By slug, the seq of the last message. */
  last: Record<string, number>;
}

/** In an answer with several, a message is there once, as it is now. */
export interface MessageEvent {
  type: "message.posted" | "message.edited" | "message.deleted";
  topic: string;
  position: number;
  message: Message;
}

export interface RoomChanged {
  type: "room.changed";
  topic: string;
  position: number;
  changes: Partial<RoomInfo>;
}

/** Told, not stored: it has no position. */
export interface RoomTyping {
  type: "room.typing";
  topic: string;
  user: Person;
}

export type RoomEvent = MessageEvent | RoomChanged | RoomTyping;

// Wire: results of commands

/** Of `history`: a page of older messages. */
export interface History {
  messages: Message[];
  more: boolean;
}

/** Of `message.post`, once it is committed. */
export interface Posted {
  seq: number;
  position: number;
  at: string;
}

export interface Member {
  id: string;
  name: string;
  role: "member" | "moderator";
  /** The hash of the picture; missing: there is none. */
  picture?: string;
}

/** Of `room.members`. */
export interface MembersPage {
  members: Member[];
  /** The `place` of the next page. */
  next: string | null;
}

/** Of `rooms.browse`: a public room that is not on the user's list. */
export interface ListedRoom {
  slug: string;
  title: string;
  description: string;
  archived: boolean;
}

export interface RoomsPage {
  rooms: ListedRoom[];
  /** The `place` of the next page. */
  next: string | null;
}

/** Of `room.create`. */
export interface RoomMade {
  slug: string;
}

/** Of `message.edit`, `message.delete` and `message.restore`. */
export interface Changed {
  position: number;
}

// The state of a room's page

/** Why the page shows no open room. `not_found`: the room does not exist, or it is private. */
export type ClosedCode = "removed" | "banned" | "deleted" | "not_found";

/** Why a post failed: the error's code, and the text that the page shows. */
export interface PostError {
  code: string;
  text: string;
}

/** A post that this browser keeps until it is answered. */
export interface PendingPost {
  id: string;
  body: string;
  /** When it was written, by the clock of this browser. */
  at: string;
  /** Why it was refused: it is not sent by itself any more. */
  error: PostError | null;
}

export interface RoomState {
  room: RoomHere;
  me: Person;
  /** False until the first join. */
  joined: boolean;
  /** By seq, rising; every message from `floor` on is here. */
  messages: Message[];
  floor: number;
  /** Older messages exist. */
  more: boolean;
  /** Older messages are requested; true until the answer or the failure. */
  loading: boolean;
  /** Events for messages below `floor`, by seq: newer than the requested page. */
  early: Record<number, Message>;
  /** The messages here do not reach the end of the room. */
  detached: boolean;
  /** Events for messages above the last one here, by seq, while newer messages are requested; else null. */
  late: Record<number, Message> | null;
  /** The seq of the last message of the room, as far as it is known. */
  lastSeq: number;
  pending: PendingPost[];
  /** The seq of the first message below the "new" line. */
  newFrom: number | null;
  unseen: number;
  /** True while the user does not see the end of the log. */
  away: boolean;
  /** The seq of the message that is edited. */
  editing: number | null;
  /** Null when not known. */
  present: Present | null;
  closed: ClosedCode | null;
}

/**
 * The actions of `reduce`: what the topic brings, a result, or an action of the user. `isKnown`: an event has brought the
 * change already, and perhaps later ones, or a join will bring it.
 */
export type RoomAction =
  | { type: "state"; snapshot: RoomSnapshot; isAnew: boolean }
  | { type: "events"; events: RoomEvent[] }
  | { type: "present"; present: Present | null; named: Person[] }
  | { type: "entered" | "joined"; viewer: Viewer }
  | { type: "closed"; code: ClosedCode }
  | { type: "renamed"; users: Person[] }
  | { type: "history.asked" }
  | { type: "history.failed" }
  | { type: "history.came"; before: number; page: History }
  | { type: "newer.asked" }
  | { type: "newer.failed" }
  | { type: "newer.came"; since: number; page: History }
  | { type: "latest.came"; page: History }
  | { type: "place.came"; page: History }
  | { type: "line.drawn"; after: number }
  | { type: "line.removed" }
  | { type: "stopped" }
  | { type: "posts"; posts: PendingPost[]; isOwn?: boolean }
  | { type: "post.answered"; id: string; seq: number; at: string; isKnown: boolean }
  | { type: "edit.opened"; seq: number }
  | { type: "edit.closed" }
  | { type: "edit.answered"; seq: number; body: string; at: string; isKnown: boolean }
  | { type: "delete.answered"; seq: number; isKnown: boolean }
  | { type: "restore.answered"; seq: number; body: string; isKnown: boolean }
  | { type: "away" }
  | { type: "back" }
  | { type: "trimmed"; keep: number };

// The rows of the log

export interface MessageRow {
  kind: "message";
  key: string;
  message: Message;
  /** The first message of a group: its author and time are shown. */
  starts: boolean;
  own: boolean;
  mayEdit: boolean;
  mayDelete: boolean;
  editing: boolean;
}

export interface PendingRow {
  kind: "pending";
  key: string;
  post: PendingPost;
  user: Person;
  starts: boolean;
}

/** Deleted messages in a row, from `first` to `seq`. */
export interface DeletedRow {
  kind: "deleted";
  key: string;
  first: number;
  seq: number;
  count: number;
}

/** The log from top to bottom consists of these; `key` identifies a row while it exists. */
export type Row =
  | MessageRow
  | PendingRow
  | { kind: "day"; key: string; at: string }
  | { kind: "older" | "newer"; key: string; loading: boolean }
  | DeletedRow
  | { kind: "new" | "beginning"; key: string };

// The view and the page

/** A place in a log: `offset` px below its top; null: a third of its height. `isTarget`: somebody has linked to it. */
export interface Place {
  seq: number;
  offset: number | null;
  isTarget?: boolean;
}

/** What was not read as a room was opened. `since`: the time of the first message. */
export interface News {
  count: number;
  since: string;
}

export interface EditCalls {
  /** The text of an edit changed. */
  edited(message: Message, text: string): void;
  /** The text of an edit that was not saved; null where there is none. */
  editOf(seq: number): string | null;
  cancel(): void;
  save(seq: number, body: string, problem: HTMLElement): void;
}

export interface LogCalls extends EditCalls {
  retry(id: string): void;
  discard(id: string): void;
  older(): void;
  newer(): void;
  /** The user scrolled to the end, or away from it. */
  moved(): void;
  /** The last message on screen is this one; 0: there is none. */
  seen(seq: number): void;
}

export interface ToolCalls {
  row(seq: number): MessageRow | null;
  edit(seq: number): void;
  remove(seq: number): void;
  link(seq: number): void;
  unread(seq: number): void;
  /** The focus goes back to the field for a new message. */
  back(): void;
}

export interface ViewCalls {
  post(body: string): void;
  moved(): void;
  link(seq: number): void;
  /** Connects again. */
  again(): void;
}

/** What a room's session needs of the page. */
export interface SessionCalls {
  changed(session: RoomSession): void;
  /** Others type, or do not any more. */
  typing(session: RoomSession): void;
  /** The draft is another, not by the user's typing. */
  drafted(session: RoomSession): void;
  /** The log is to be opened at a place; null: at its end. Returns the seq of the last message on screen; 0: there is none. */
  opened(session: RoomSession, place: Place | null): number;
  /** How far the user has read is known. */
  read(session: RoomSession, seq: number, version: number): void;
  isLooking(session: RoomSession): boolean;
  isAtEnd(session: RoomSession): boolean;
  notice(text: string): void;
  offerUndo(session: RoomSession, restore: () => void): void;
  /** The focus goes back to the field for a new message. */
  focus(session: RoomSession): void;
}

// The list of rooms

export interface SidebarRoom extends RoomEntry {
  unread: number;
  muted: boolean;
  favourite: boolean;
  /** There is an unsent text. */
  draft: boolean;
}

export interface SidebarSection {
  name: "unread" | "favourites" | "rooms" | "archived";
  rooms: SidebarRoom[];
}

export interface SidebarCalls {
  addressOf(slug: string): string;
  /** Shows what can be done with a room, at a button. */
  menu(room: SidebarRoom, button: HTMLElement): void;
}

// Unsent text

export interface UnsentRoom {
  slug: string;
  /** As a page knew it last; absent: not known, or a page of an earlier version. */
  title?: string | undefined;
  /** The first words of one of the texts. */
  words?: string | undefined;
  draft: boolean;
  /** The ids of posts without an answer. */
  posts: string[];
  /** The seqs of messages whose edits are not saved. */
  edits: number[];
}

export interface MergedRoom {
  slug: string;
  title: string;
  words: string;
  draft: boolean;
  posts: Set<string>;
  edits: Set<number>;
}

// The admin's scripts

/** The part of jQuery that the admin's search of users needs. */
export interface JQueryList {
  find(selector: string): JQueryList;
  next(): JQueryList;
  on(event: string, run: (event: KeyboardEvent & { originalEvent?: KeyboardEvent }) => void): JQueryList;
  trigger(event: string): JQueryList;
  val(value: null): JQueryList;
  select2(call: "open"): JQueryList;
  djangoAdminSelect2(): JQueryList;
}

export type JQuery = (target: Element | (() => void)) => JQueryList;

declare global {
  interface Window {
    django?: { jQuery: JQuery };
  }
}

/** The last message of a room. `text`: one line of it; null: it is deleted. */
export interface LastWords {
  seq: number;
  user: Person;
  text: string | null;
  at: string;
}

/** A room in the list of rooms. Lists are in the order of `sort`. */
export interface RoomEntry {
  slug: string;
  title: string;
  private: boolean;
  archived: boolean;
  last_seq: number;
  last: LastWords | null;
  sort: string;
}

/** What the topic `rooms` brings. */
export interface RoomsState {
  items: RoomEntry[];
  more: boolean;
}
export type RoomsEvent =
  | { type: "moved"; topic: string; items: RoomEntry[] }
  | { type: "gone"; topic: string; keys: string[] };

/** A part of a line of a message. `target`: what a link opens, where its text does not say so. */
export type Inline =
  | string
  | { kind: "break" }
  | { kind: "code"; text: string }
  | { kind: "bold" | "italic" | "strike"; children: Inline[] }
  | { kind: "link"; href: string; children: Inline[]; target: string };

/** A block of a message. `start`: the number of the first item; null for a list without numbers. */
export type Block =
  | { kind: "paragraph"; children: Inline[] }
  | { kind: "code"; language: string; text: string }
  | { kind: "quote"; children: Block[] }
  | { kind: "list"; start: number | null; items: Block[][] };

// The composer

export type MarkKind = "bold" | "italic" | "strike" | "code";
export type FormatKind = MarkKind | "code-block" | "list" | "quote" | "link";
export type LinePrefix = "- " | "> ";

/** A change of a text: `insert` replaces what is between `from` and `to`, then `start` to `end` is selected. */
export interface TextEdit {
  from: number;
  to: number;
  insert: string;
  start: number;
  end: number;
}
