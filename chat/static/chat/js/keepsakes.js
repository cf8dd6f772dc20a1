// What this browser keeps of a user's text that was not sent yet: drafts, posts without an answer, edits that were begun.
// Nothing of it is ever shown to another user: every name has the user's id in it.

import { clean } from "./body.js";

// Drafts are shared by all tabs; posts and edits belong to the tab that they were written in.
const KINDS = { draft: () => localStorage, pending: () => sessionStorage, edits: () => sessionStorage };
const memory = new Map(); // What the storage did not take: it may be full or forbidden.
let isForgotten = false;

export class Keepsakes {
  #name;

  constructor(userId, slug) {
    this.#name = `${userId}.${slug}`;
  }

  get draft() {
    return read("draft", this.#name) ?? "";
  }

  set draft(text) {
    write("draft", this.#name, text === "" ? null : text);
  }

  /** Posts of this tab that a reload would otherwise lose. */
  get pending() {
    return read("pending", this.#name) ?? [];
  }

  set pending(posts) {
    write("pending", this.#name, posts.length === 0 ? null : posts);
  }

  /** The numbers of the messages whose edits were begun in this tab and not saved; the latest comes last. */
  get edits() {
    return (read("edits", this.#name) ?? []).map(({ seq }) => seq);
  }

  editOf(seq) {
    return read("edits", this.#name)?.find((edit) => edit.seq === seq)?.text ?? null;
  }

  /** `text` null: the edit is over. */
  keepEdit(seq, text) {
    const others = (read("edits", this.#name) ?? []).filter((edit) => edit.seq !== seq);
    const edits = text === null ? others : [...others, { seq, text }];
    write("edits", this.#name, edits.length === 0 ? null : edits);
  }
}

/** What this tab knows of the user's unsent text: [{slug, draft: boolean, posts: [id], edits: [seq]}], one for each room. */
export function unsentOf(userId) {
  const rooms = new Map();
  const room = (slug) => {
    if (!rooms.has(slug)) rooms.set(slug, { slug, draft: false, posts: [], edits: [] });
    return rooms.get(slug);
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

/** What several tabs know, with one entry for each room: they share drafts, and a duplicated tab has its original's posts. */
export function merge(entries) {
  const rooms = new Map();
  for (const { slug, draft, posts, edits } of entries) {
    const known = rooms.get(slug) ?? { slug, draft: false, posts: new Set(), edits: new Set() };
    rooms.set(slug, {
      slug,
      draft: known.draft || draft,
      posts: new Set([...known.posts, ...posts]),
      edits: new Set([...known.edits, ...edits]),
    });
  }
  return [...rooms.values()].filter(({ draft, posts, edits }) => draft || posts.size + edits.size > 0);
}

/** Delete all that is kept of the user. This page keeps nothing any more: it is about to be left. */
export function forget(userId) {
  for (const kind of Object.keys(KINDS)) {
    for (const slug of slugs(kind, userId)) write(kind, `${userId}.${slug}`, null);
  }
  isForgotten = true;
}

/** The rooms of which something is kept. A slug has no dot; a user's id may have one. */
function slugs(kind, userId) {
  const start = `hubbub.${kind}.${userId}.`;
  const names = [...memory.keys()];
  try {
    names.push(...Object.keys(KINDS[kind]()));
  } catch {
    // Forbidden: all is in memory.
  }
  const found = names.filter((name) => name.startsWith(start)).map((name) => name.slice(start.length));
  return [...new Set(found)].filter((slug) => !slug.includes("."));
}

function read(kind, name) {
  const key = `hubbub.${kind}.${name}`;
  try {
    return JSON.parse(memory.get(key) ?? KINDS[kind]().getItem(key));
  } catch {
    return null;
  }
}

function write(kind, name, value) {
  if (isForgotten) return;
  const key = `hubbub.${kind}.${name}`;
  memory.delete(key);
  try {
    if (value === null) KINDS[kind]().removeItem(key);
    else KINDS[kind]().setItem(key, JSON.stringify(value));
  } catch {
    if (value !== null) memory.set(key, JSON.stringify(value));
  }
}
