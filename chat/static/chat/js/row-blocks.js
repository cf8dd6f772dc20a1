// The rows of the log in blocks of a few dozen: a browser goes through all children of an element when one of them
// changes, and a log has hundreds of rows. A row stays in its block, so that its element stays as well. No DOM.

/** @import { Row } from "./types.js" */

/**
 * Rows that stand in one element; a line of a day is a block of its own, so that it sticks to the top of the log.
 * @typedef {{ key: string, rows: Row[] }} Block
 */

export const MAX_ROWS = 32;

export class RowBlocks {
  /** @type {Map<string, string>} the block of each row, by their keys */
  #places = new Map();
  /** @type {Row[]} */
  #rows = [];
  /** @type {Block[]} */
  #blocks = [];
  #made = 0;

  /**
   * The blocks of rows, in order. As far as the rows are the objects of the last time, so are the blocks.
   *
   * @param {Row[]} rows
   * @returns {Block[]}
   */
  of(rows) {
    const { blocks, count } = this.#same(rows);
    /** @type {Map<string, string>} */
    const known = new Map();
    for (const { key } of this.#rows.slice(count)) {
      const place = this.#places.get(key);
      if (place !== undefined) known.set(key, place);
      this.#places.delete(key);
    }
    this.#add(blocks, rows.slice(count), known);
    this.#rows = rows;
    this.#blocks = blocks;
    return blocks;
  }

  /**
   * The blocks that stay as they are, and the number of their rows. The last one of them may get more rows.
   *
   * @param {Row[]} rows
   */
  #same(rows) {
    let same = 0;
    while (same < rows.length && rows[same] === this.#rows[same]) same += 1;
    const blocks = [];
    let count = 0;
    for (const block of this.#blocks.slice(0, -1)) {
      if (count + block.rows.length > same) break;
      count += block.rows.length;
      blocks.push(block);
    }
    const last = blocks.pop();
    return { blocks, count: count - (last?.rows.length ?? 0) };
  }

  /**
   * @param {Block[]} blocks
   * @param {Row[]} rows
   * @param {Map<string, string>} known  the blocks in which rows stood
   */
  #add(blocks, rows, known) {
    const used = new Set(blocks.map(({ key }) => key));
    /** @type {Block | null} */
    let open = null;
    for (const row of rows) {
      if (isAlone(row)) {
        start(blocks, row.key).rows.push(row);
        open = null;
        continue;
      }
      const place = known.get(row.key);
      if (place !== undefined && place !== open?.key && !used.has(place)) open = start(blocks, place);
      else if (open === null || (place !== open.key && open.rows.length >= MAX_ROWS))
        open = start(blocks, this.#name());
      used.add(open.key);
      open.rows.push(row);
      this.#places.set(row.key, open.key);
    }
  }

  #name() {
    this.#made += 1;
    return `block-${this.#made}`;
  }
}

/** @param {Row} row */
const isAlone = ({ kind }) => kind !== "message" && kind !== "deleted" && kind !== "pending" && kind !== "new";

/**
 * @param {Block[]} blocks
 * @param {string} key
 */
function start(blocks, key) {
  /** @type {Block} */
  const block = { key, rows: [] };
  blocks.push(block);
  return block;
}
