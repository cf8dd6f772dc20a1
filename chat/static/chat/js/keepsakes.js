// What this browser keeps of a room for its reader: the draft, and what has not been answered yet.

/** Storage may be full or forbidden: then nothing is kept, and the page works all the same. */
export class Keepsakes {
  #name;

  constructor(userId, slug) {
    this.#name = `${userId}.${slug}`;
  }

  get draft() {
    return read(localStorage, `hubbub.draft.${this.#name}`) ?? "";
  }

  set draft(text) {
    write(localStorage, `hubbub.draft.${this.#name}`, text === "" ? null : text);
  }

  /** Posts of this tab that a reload would otherwise lose. */
  get pending() {
    return read(sessionStorage, `hubbub.pending.${this.#name}`) ?? [];
  }

  set pending(posts) {
    write(sessionStorage, `hubbub.pending.${this.#name}`, posts.length === 0 ? null : posts);
  }
}

function read(storage, name) {
  try {
    return JSON.parse(storage.getItem(name));
  } catch {
    return null;
  }
}

function write(storage, name, value) {
  try {
    if (value === null) storage.removeItem(name);
    else storage.setItem(name, JSON.stringify(value));
  } catch {
    // See above.
  }
}
