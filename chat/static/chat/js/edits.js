// Unsaved edits: kept with the text that the edit began from, until they are saved or discarded. Each tab has its own; those of
// closed tabs belong to the next one. What has become of the message meanwhile is a pure function.

import { clean } from "./body.js";
import { keyOf } from "./unsent-store.js";

/** @import { EditingTab } from "./edits-tab.js" */
/** @import { Message } from "./types.js" */
/** @import { Store } from "./unsent-store.js" */

/**
 * An unsaved edit.
 * @typedef {object} KeptEdit
 * @property {number} seq  of the message
 * @property {string} text  as it stands in the editor
 * @property {string} base  the message's text when the edit began
 * @property {string} tab  that edits
 * @property {number} at  of the last change, in milliseconds
 */

/**
 * What has become of an edit and its message.
 *
 * - `open`: the message is as it was.
 * - `saved`: the message has this text.
 * - `changed`: the message has another text. Both are to be shown, `theirs` and `mine`.
 * - `deleted`: the message is deleted. `theirs` is empty.
 * - `unknown`: the message is not on the page.
 * @typedef {{ kind: "open" | "saved" | "changed" | "deleted" | "unknown", theirs: string, mine: string, base: string }} EditCase
 */

/** @typedef {{ edit: KeptEdit, case: EditCase }} EditOffer */

const LEFT_MS = 60_000; // Without locks: the tab of an edit that was not changed for so long may be closed.

export class Edits {
  #store;
  #parts;
  #tab;
  #editing;
  /** @type {KeptEdit[] | null} as they are stored; null: not read */
  #kept = null;
  /** @type {(() => void)[]} */
  #listeners = [];

  /**
   * @param {string} userId
   * @param {string} slug  of the room
   * @param {Store} store
   * @param {string} tab  the id of this tab, the same after a reload
   * @param {Pick<EditingTab, "hold" | "others">} editing  of this page
   */
  constructor(userId, slug, store, tab, editing) {
    this.#store = store;
    this.#parts = [userId, slug];
    this.#tab = tab;
    this.#editing = editing;
    this.#hold();
    /** Hears of no other tab any more: the page forgets the room. */
    this.end = store.onChange("edit", userId, ([room]) => {
      if (room !== slug && room !== undefined) return;
      this.#kept = null;
      for (const changed of this.#listeners) changed();
    });
  }

  /** All that are kept of this room, by any tab; the one that was changed last comes last. */
  get all() {
    this.#kept ??= editsIn(this.#store, this.#parts).sort((a, b) => a.at - b.at);
    return this.#kept;
  }

  /** Those of this tab. */
  get own() {
    return this.all.filter(({ tab }) => tab === this.#tab);
  }

  /**
   * The edit of a message by this tab.
   *
   * @param {number} seq
   * @returns {KeptEdit | null}
   */
  of(seq) {
    return this.own.find((edit) => edit.seq === seq) ?? null;
  }

  /** Takes over the edits of closed tabs, but no second one of a message. */
  async adopt() {
    if (this.all.length === this.own.length) return;
    const open = await this.#editing.others();
    for (const edit of this.all) {
      const isLeft = open === null ? Date.now() - edit.at > LEFT_MS : !open.has(edit.tab);
      if (isLeft && this.of(edit.seq) === null) this.take(edit);
    }
  }

  /**
   * The user changed the text of an edit. An edit without a change is not kept.
   *
   * @param {number} seq
   * @param {string} text
   * @param {string} base  the message's text when the edit began
   */
  typed(seq, text, base) {
    const mine = this.#store.read(this.#key(seq));
    const from = isEdit(mine) ? mine.base : base;
    const edit = { seq, text, base: from, tab: this.#tab, at: Date.now() };
    this.#write(edit, isChanged(edit) ? edit : null);
  }

  /**
   * Makes an edit one of this tab.
   *
   * @param {KeptEdit} edit
   */
  take(edit) {
    const mine = { ...edit, tab: this.#tab, at: Date.now() };
    if (edit.tab !== this.#tab) this.#write(edit, null);
    this.#write(mine, mine);
  }

  /**
   * The message may have another text now, and the user has seen it: the edit goes on from there.
   *
   * @param {KeptEdit} edit
   * @param {string} base
   */
  rebase(edit, base) {
    this.take({ ...edit, base });
  }

  /**
   * The edit was saved or discarded.
   *
   * @param {KeptEdit | number} edit  or the seq of this tab's own
   */
  finish(edit) {
    this.#write(typeof edit === "number" ? { seq: edit, tab: this.#tab } : edit, null);
  }

  /**
   * The edits of this tab that are to be shown; the newest comes last.
   *
   * @param {number | null} editing  the seq of the message in the editor
   * @param {Message[]} messages  on the page
   */
  offers(editing, messages) {
    return offersAmong(this.own, editing, messages);
  }

  /** @param {() => void} changed  another tab has changed an edit of this room */
  onChange(changed) {
    this.#listeners.push(changed);
  }

  /**
   * @param {{ seq: number, tab: string }} place
   * @param {KeptEdit | null} edit
   */
  #write({ seq, tab }, edit) {
    this.#kept = null;
    this.#store.write(this.#key(seq, tab), edit);
    this.#hold();
  }

  #hold() {
    const [userId = ""] = this.#parts;
    this.#editing.hold(editsIn(this.#store, [userId]).some(({ tab }) => tab === this.#tab));
  }

  /**
   * @param {number} seq
   * @param {string} tab
   */
  #key(seq, tab = this.#tab) {
    return keyOf("edit", ...this.#parts, String(seq), tab);
  }
}

/**
 * Whether there is something to save: text besides that from which the edit began.
 *
 * @param {{ text: string, base: string }} edit
 */
export function isChanged({ text, base }) {
  return text !== base && clean(text) !== base;
}

/**
 * What has become of an edit.
 *
 * @param {KeptEdit} edit
 * @param {Pick<Message, "body" | "deleted"> | undefined} message  as it is now; undefined: not on the page
 * @returns {EditCase}
 */
export function editCase({ text, base }, message) {
  const texts = { theirs: message?.body ?? "", mine: text, base };
  if (message === undefined) return { kind: "unknown", ...texts };
  if (message.deleted) return { kind: "deleted", ...texts, theirs: "" };
  if (message.body === clean(text)) return { kind: "saved", ...texts };
  return { kind: message.body === base ? "open" : "changed", ...texts };
}

/**
 * The edits that are to be shown: offered again, or with what has become of the message. Not the one in the editor whose message
 * is as it was, and none that was saved. Of a message that is not on the page as well: its page may be loaded.
 *
 * @param {KeptEdit[]} edits
 * @param {number | null} editing  the seq of the message in the editor
 * @param {Message[]} messages  on the page
 * @returns {EditOffer[]}
 */
export function offersAmong(edits, editing, messages) {
  return edits
    .map((edit) => ({ edit, case: editCase(edit, bySeq(messages, edit.seq)) }))
    .filter((offer) => {
      const isOpen = offer.edit.seq === editing;
      return offer.case.kind !== "saved" && !(isOpen && (offer.case.kind === "open" || offer.case.kind === "unknown"));
    });
}

/**
 * The edits of a user, in one room or in all.
 *
 * @param {Store} store
 * @param {string[]} parts  the user's id, and perhaps a slug
 * @returns {KeptEdit[]}
 */
export function editsIn(store, parts) {
  return store
    .entries("edit", ...parts)
    .map(({ value }) => value)
    .filter(isEdit);
}

/**
 * @param {Message[]} messages  by seq, rising
 * @param {number} seq
 */
function bySeq(messages, seq) {
  return messages.find((message) => message.seq === seq);
}

/**
 * @param {any} value
 * @returns {value is KeptEdit}
 */
function isEdit(value) {
  return typeof value?.text === "string" && typeof value.base === "string" && Number.isInteger(value.seq);
}
