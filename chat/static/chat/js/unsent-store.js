// The storage of unsent text: that of the browser, which all its tabs share, or the memory of this page where that is full or
// forbidden. Each key contains the user's id, so that no other user ever sees the text.

/** @typedef {"draft" | "post" | "edit" | "title"} Kind  title: of a room with unsent text */

/**
 * All that the store needs of its tab, which tests replace.
 * @typedef {object} TabStorage
 * @property {() => Storage} storage
 * @property {(changed: (key: string | null, value: string | null) => void) => void} onChange  runs after another tab has
 *   changed a key; null: all keys
 */

/** @type {TabStorage} */
const TAB = {
  storage: () => localStorage,
  onChange: (changed) =>
    globalThis.addEventListener?.("storage", ({ key, newValue, storageArea }) => {
      if (storageArea === localStorage) changed(key, newValue);
    }),
};

/**
 * @param {Kind} kind
 * @param {string[]} parts  the user's id, and what follows it
 */
export const keyOf = (kind, ...parts) => `hubbub.${kind}/${parts.map(encodeURIComponent).join("/")}`;

export class Store {
  #tab;
  /** @type {Map<string, string>} values that the storage refused */
  #memory = new Map();
  #isEnded = false;
  #isTold = false;
  /** @type {(() => void)[]} */
  #volatiles = [];

  /** @type {Set<(key: string | null, text: string | null) => void>} */
  #listeners = new Set();

  /** @param {TabStorage} tab */
  constructor(tab = TAB) {
    this.#tab = tab;
    tab.onChange((key, text) => {
      if (!this.#isEnded) for (const changed of this.#listeners) changed(key, text);
    });
  }

  /** Whether text is in the memory of this page alone. */
  get isVolatile() {
    return this.#memory.size > 0;
  }

  /**
   * Runs once, when the storage refuses a text: a reload would lose it.
   *
   * @param {() => void} run
   */
  onVolatile(run) {
    if (this.#isTold) run();
    else this.#volatiles.push(run);
  }

  /**
   * @param {string} key
   * @returns {any} null where there is none, or where it is damaged
   */
  read(key) {
    try {
      return JSON.parse(this.#memory.get(key) ?? this.#tab.storage().getItem(key) ?? "null");
    } catch {
      return null;
    }
  }

  /**
   * @param {string} key
   * @param {object | null} value  null deletes
   */
  write(key, value) {
    if (this.#isEnded) return;
    this.#memory.delete(key);
    try {
      if (value === null) this.#tab.storage().removeItem(key);
      else this.#tab.storage().setItem(key, JSON.stringify(value));
    } catch {
      if (value === null) return;
      this.#memory.set(key, JSON.stringify(value));
      this.#tell();
    }
  }

  /**
   * The entries whose keys begin with these parts.
   *
   * @param {Kind} kind
   * @param {string[]} parts
   * @returns {{ key: string, parts: string[], value: any }[]} with the parts that follow
   */
  entries(kind, ...parts) {
    const start = `${keyOf(kind, ...parts)}/`;
    const names = [...this.#memory.keys()];
    try {
      names.push(...Object.keys(this.#tab.storage()));
    } catch {
      // Forbidden: everything is in memory.
    }
    return [...new Set(names)]
      .filter((name) => name.startsWith(start))
      .map((key) => ({ key, parts: key.slice(start.length).split("/").map(decodeURIComponent), value: this.read(key) }))
      .filter(({ value }) => value !== null);
  }

  /**
   * Runs after another tab has changed an entry of this kind and user.
   *
   * @param {Kind} kind
   * @param {string} userId
   * @param {(parts: string[], value: any) => void} changed  the parts after the user's id; null: the entry is deleted. Without
   *   parts, anything may have changed
   * @returns {() => void} ends it
   */
  onChange(kind, userId, changed) {
    const start = `${keyOf(kind, userId)}/`;
    /** @type {(key: string | null, text: string | null) => void} */
    const listener = (key, text) => {
      if (key === null) changed([], null);
      else if (key.startsWith(start)) {
        changed(key.slice(start.length).split("/").map(decodeURIComponent), parsed(text));
      }
    };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Deletes all text of the user. This page, which the browser is about to leave, stores nothing any more.
   *
   * @param {string} userId
   */
  forget(userId) {
    for (const kind of /** @type {Kind[]} */ (["draft", "post", "edit", "title"])) {
      for (const { key } of this.entries(kind, userId)) this.write(key, null);
    }
    this.#isEnded = true;
  }

  #tell() {
    if (this.#isTold) return;
    this.#isTold = true;
    for (const run of this.#volatiles.splice(0)) run();
  }
}

/** @param {string | null} text */
function parsed(text) {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/** Of this page. */
export const store = new Store();
