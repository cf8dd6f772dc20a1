// The user's unsent text in this browser: drafts, posts without an answer, unsaved edits. Each key contains the user's id,
// so that no other user ever sees the text.

import { clean } from "./body.js";

/** @import { KeptPost, MergedRoom, UnsentRoom } from "./types.js" */

/** @typedef {{ seq: number, text: string }} KeptEdit */
/** @typedef {{ draft: string, pending: KeptPost[], edits: KeptEdit[] }} Values  by kind */
/** @typedef {keyof Values} Kind */

/** @type {Record<Kind, () => Storage>} drafts are shared by all tabs; posts and edits belong to their tab */
const STORAGES = { draft: () => localStorage, pending: () => sessionStorage, edits: () => sessionStorage };
const KINDS = /** @type {Kind[]} */ (Object.keys(STORAGES));
/** @type {Map<string, string>} texts that the storage refused: it may be full or forbidden */
const memory = new Map();
let isForgotten = false;

export class UnsentText {
  #name;

  /**
   * @param {string} userId
   * @param {string} slug  of the room
   */
  constructor(userId, slug) {
    this.#name = `${userId}.${slug}`;
  }

  get draft() {
    return read("draft", this.#name) ?? "";
  }

  set draft(text) {
    write("draft", this.#name, text === "" ? null : text);
  }

  /** Posts of this tab, which survive a reload. */
  get pending() {
    return read("pending", this.#name) ?? [];
  }

  set pending(posts) {
    write("pending", this.#name, posts.length === 0 ? null : posts);
  }

  /** The seqs of the messages with an unsaved edit in this tab; the latest comes last. */
  get edits() {
    return (read("edits", this.#name) ?? []).map(({ seq }) => seq);
  }

  /**
   * The text of an unsaved edit; null where there is none.
   *
   * @param {number} seq
   */
  editOf(seq) {
    return read("edits", this.#name)?.find((edit) => edit.seq === seq)?.text ?? null;
  }

  /**
   * @param {number} seq
   * @param {string | null} text  null: the edit is finished
   */
  setEdit(seq, text) {
    const others = (read("edits", this.#name) ?? []).filter((edit) => edit.seq !== seq);
    const edits = text === null ? others : [...others, { seq, text }];
    write("edits", this.#name, edits.length === 0 ? null : edits);
  }
}

/**
 * The user's unsent text that this tab knows of, one entry for each room.
 *
 * @param {string} userId
 * @returns {UnsentRoom[]}
 */
export function unsentOf(userId) {
  /** @type {Map<string, UnsentRoom>} */
  const rooms = new Map();
  /** @param {string} slug */
  const room = (slug) => {
    const entry = rooms.get(slug) ?? { slug, draft: false, posts: [], edits: [] };
    rooms.set(slug, entry);
    return entry;
  };
  for (const slug of slugs("draft", userId)) {
    if (clean(read("draft", `${userId}.${slug}`) ?? "") !== "") room(slug).draft = true;
  }
  for (const slug of slugs("pending", userId)) {
    room(slug).posts = (read("pending", `${userId}.${slug}`) ?? []).map(({ id }) => id);
  }
  for (const slug of slugs("edits", userId)) {
    room(slug).edits = (read("edits", `${userId}.${slug}`) ?? []).map(({ seq }) => seq);
  }
  return [...rooms.values()];
}

/**
 * One entry for each room out of several tabs' entries: tabs share drafts, and a duplicated tab has its original's posts.
 *
 * @param {UnsentRoom[]} entries
 * @returns {MergedRoom[]} rooms without unsent text are left out
 */
export function merge(entries) {
  /** @type {Map<string, MergedRoom>} */
  const rooms = new Map();
  for (const { slug, draft, posts, edits } of entries) {
    const known = rooms.get(slug);
    rooms.set(slug, {
      slug,
      draft: draft || known?.draft === true,
      posts: new Set([...(known?.posts ?? []), ...posts]),
      edits: new Set([...(known?.edits ?? []), ...edits]),
    });
  }
  return [...rooms.values()].filter(({ draft, posts, edits }) => draft || posts.size + edits.size > 0);
}

/**
 * Deletes the user's unsent text. This page, which the browser is about to leave, stores nothing any more.
 *
 * @param {string} userId
 */
export function forget(userId) {
  for (const kind of KINDS) {
    for (const slug of slugs(kind, userId)) write(kind, `${userId}.${slug}`, null);
  }
  isForgotten = true;
}

/**
 * The rooms with unsent text of a kind. A slug has no dot; a user's id may have one.
 *
 * @param {Kind} kind
 * @param {string} userId
 */
function slugs(kind, userId) {
  const start = `hubbub.${kind}.${userId}.`;
  const names = [...memory.keys()];
  try {
    names.push(...Object.keys(STORAGES[kind]()));
  } catch {
    // Forbidden: everything is in memory.
  }
  const rooms = names.filter((name) => name.startsWith(start)).map((name) => name.slice(start.length));
  return [...new Set(rooms)].filter((slug) => !slug.includes("."));
}

/**
 * @template {Kind} K
 * @param {K} kind
 * @param {string} name
 * @returns {Values[K] | null}
 */
function read(kind, name) {
  const key = `hubbub.${kind}.${name}`;
  try {
    return JSON.parse(memory.get(key) ?? STORAGES[kind]().getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @template {Kind} K
 * @param {K} kind
 * @param {string} name
 * @param {Values[K] | null} value  null deletes
 */
function write(kind, name, value) {
  if (isForgotten) return;
  const key = `hubbub.${kind}.${name}`;
  memory.delete(key);
  try {
    if (value === null) STORAGES[kind]().removeItem(key);
    else STORAGES[kind]().setItem(key, JSON.stringify(value));
  } catch {
    if (value !== null) memory.set(key, JSON.stringify(value));
  }
}
