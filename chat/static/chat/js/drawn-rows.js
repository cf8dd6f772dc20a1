// The rows of the log in the document: what has changed is drawn anew, and nothing else is touched.

import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { html, noChange, nothing } from "../vendor/lit-html/lit-html.js";
import { draw } from "./draw.js";
import { bodyElement } from "./message-body.js";
import { RowBlocks } from "./row-blocks.js";
import { rowTemplate } from "./row-templates.js";

/** @import { Block } from "./row-blocks.js" */
/** @import { RowParts } from "./row-templates.js" */
/** @import { MessageRow, PendingRow, Row } from "./types.js" */

export class DrawnRows {
  #list;
  #parts;
  #blocks = new RowBlocks();
  /** @type {Map<string, Row[]>} the rows of each block, as they are shown */
  #drawn = new Map();
  /** @type {Map<string, { row: Row, block: string, day: string }>} by key, as they are shown */
  #shown = new Map();
  /** @type {Map<string, { text: string, element: HTMLElement }>} by key */
  #bodies = new Map();

  /**
   * @param {HTMLElement} list  holds the rows
   * @param {Omit<RowParts, "body">} parts
   */
  constructor(list, parts) {
    this.#list = list;
    this.#parts = { ...parts, body: (/** @type {MessageRow | PendingRow} */ row) => this.#body(row) };
  }

  /**
   * The row of a message; null: it is not loaded, or deleted among others.
   *
   * @param {number} seq
   * @returns {MessageRow | null}
   */
  row(seq) {
    for (const { row } of this.#shown.values()) {
      if (row.kind === "message" && row.message.seq === seq) return row;
    }
    return null;
  }

  /** Another room is shown. Its rows are no rows of this one: a line that both have, such as a day, would move. */
  clear() {
    this.#blocks = new RowBlocks();
    this.forget();
    this.#bodies.clear();
    draw(() => nothing, this.#list);
  }

  /** What is shown is old, such as times by another clock: the next rows are all drawn. */
  forget() {
    this.#drawn.clear();
    this.#shown.clear();
  }

  /** @param {Row[]} rows  from top to bottom */
  draw(rows) {
    const blocks = this.#blocks.of(rows);
    const keys = new Set(blocks.map(({ key }) => key));
    for (const key of this.#drawn.keys()) if (!keys.has(key)) this.#drawn.delete(key);
    draw((isAnew) => {
      if (isAnew) this.forget();
      return repeat(
        blocks,
        ({ key }) => key,
        (block) => this.#block(block),
      );
    }, this.#list);
    this.#forget(rows);
  }

  /**
   * What stays the same is not handed to the library again: it would go through all of it.
   *
   * @param {Block} block
   */
  #block({ key, rows }) {
    const drawn = this.#drawn.get(key);
    if (drawn === rows && rows[0]?.kind !== "day") return noChange;
    if (drawn?.length === rows.length && rows.every((row, index) => this.#isShown(row, drawn[index]))) return noChange;
    this.#drawn.set(key, rows);
    return html`<div class=${rows[0]?.kind === "day" ? "day-block" : nothing}>${repeat(
      rows,
      ({ key }) => key,
      (row) => this.#template(row, key),
    )}</div>`;
  }

  /**
   * @param {Row} row
   * @param {string} block  the key of the block that it stands in
   */
  #template(row, block) {
    const known = this.#shown.get(row.key);
    if (known?.block === block && this.#isShown(row, known.row)) return noChange;
    this.#shown.set(row.key, { row, block, day: today() });
    return rowTemplate(row, this.#parts);
  }

  /**
   * @param {Row} row
   * @param {Row | undefined} before  in the same place
   */
  #isShown(row, before) {
    if (before === undefined || !isSame(before, row)) return false;
    return row.kind !== "day" || this.#shown.get(row.key)?.day === today(); // "Today" is not for ever.
  }

  /** @param {MessageRow | PendingRow} row */
  #body(row) {
    const shown = row.kind === "message" ? row.message : { body: row.post.body, edited_at: null, deleted: false };
    const text = JSON.stringify([shown.body, shown.edited_at, shown.deleted]);
    const known = this.#bodies.get(row.key);
    if (known?.text === text) return known.element;
    const element = bodyElement(shown);
    this.#bodies.set(row.key, { text, element });
    return element;
  }

  /** @param {Row[]} wanted */
  #forget(wanted) {
    if (this.#shown.size <= wanted.length) return;
    const keys = new Set(wanted.map(({ key }) => key));
    for (const map of [this.#shown, this.#bodies]) {
      for (const key of map.keys()) if (!keys.has(key)) map.delete(key);
    }
  }
}

const today = () => new Date().toDateString();

/**
 * @param {Row} a
 * @param {Row} b
 */
function isSame(a, b) {
  const names = /** @type {(keyof Row)[]} */ (Object.keys(b));
  return a.kind === b.kind && names.every((name) => a[name] === b[name]);
}
