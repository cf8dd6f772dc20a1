// The log of a room: its rows, and the place where the reader is. A reader at the end follows; another one is never moved.

import { DrawnRows } from "./drawn-rows.js";
import { Editors } from "./editors.js";
import { RoomRows } from "./room-rows.js";

/** @import { LogCalls, MessageRow, Place, RoomState } from "./types.js" */

const AT_END_PX = 80; // A reader this close to the end follows the conversation.
const MORE_PX = 800; // More messages are requested before the reader reaches an end of the page's part.
const SEEN_PX = 24; // A message counts as seen when this much of it is on screen.

export class LogView {
  #log;
  #list;
  /** @type {LogCalls} */
  #calls;
  #editors;
  #drawn;
  #rows = new RoomRows();
  #atEnd = true;
  #height = 0; // Of the log, when the user last scrolled.
  #detached = false;

  /**
   * @param {HTMLElement} log  scrolls
   * @param {HTMLElement} list  holds the rows
   * @param {LogCalls} calls
   */
  constructor(log, list, calls) {
    this.#log = log;
    this.#list = list;
    this.#calls = calls;
    this.#editors = new Editors(calls);
    this.#drawn = new DrawnRows(list, { ...calls, editor: (row) => this.#editors.of(row.message) });
    log.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    // "Sending" comes below a post after a while.
    list.addEventListener("animationstart", ({ animationName }) => {
      if (animationName === "sending" && this.#atEnd) this.#stayAtEnd();
    });
    // The composer grows, a keyboard opens, or the window changes: a reader at the end stays there.
    new ResizeObserver(() => this.#atEnd && this.#stayAtEnd()).observe(log);
  }

  /** Whether the user sees the end of the room. */
  get isAtEnd() {
    return this.#atEnd && !this.#detached;
  }

  /** Whether an editor is among the rows. */
  get isEditing() {
    return this.#editors.isOpen;
  }

  /** @param {number} chars  of one message */
  set limit(chars) {
    this.#editors.limit = chars;
  }

  /** Where the reader is, to come back to. @returns {Place | null} null: at the end */
  get place() {
    if (this.isAtEnd) return null;
    const row = this.#firstInSight();
    return row === null ? null : { seq: Number(row.dataset.seq), offset: row.offsetTop - this.#log.scrollTop };
  }

  /** @param {Place | null} place */
  set place(place) {
    const row = place === null ? null : this.#rowOf(place.seq);
    if (row === null || place === null) {
      this.toEnd();
      return;
    }
    this.#log.scrollTop = row.offsetTop - (place.offset ?? 0);
    this.#look();
  }

  /** Scrolls to the end of the log. */
  toEnd() {
    this.#atEnd = true;
    this.#height = this.#log.clientHeight;
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#calls.seen(this.lastSeen());
  }

  /**
   * The row of a message; null: it is not loaded, or deleted among others.
   *
   * @param {number} seq
   * @returns {MessageRow | null}
   */
  row(seq) {
    return this.#drawn.row(seq);
  }

  /**
   * Scrolls a message into sight.
   *
   * @param {number} seq
   * @param {number} share  of the height above it
   * @returns {HTMLElement | null} null: it is not loaded
   */
  toMessage(seq, share = 1 / 3) {
    const row = this.#rowOf(seq);
    if (row === null) return null;
    const line = row.previousElementSibling?.matches(".is-new") ? row.previousElementSibling : row;
    this.#log.scrollTop = /** @type {HTMLElement} */ (line).offsetTop - share * this.#log.clientHeight;
    this.#look();
    return row;
  }

  /**
   * Whether a message is in sight now.
   *
   * @param {number} seq
   */
  shows(seq) {
    const row = this.#rowOf(seq);
    if (row === null) return false;
    const { scrollTop, clientHeight } = this.#log;
    return row.offsetTop < scrollTop + clientHeight - SEEN_PX && row.offsetTop + row.offsetHeight > scrollTop + SEEN_PX;
  }

  /** The seq of the last message on screen; 0: there is none. */
  lastSeen() {
    const bottom = this.#log.scrollTop + this.#log.clientHeight;
    for (let block = this.#list.lastElementChild; block !== null; block = block.previousElementSibling) {
      if (/** @type {HTMLElement} */ (block).offsetTop > bottom) continue;
      for (let row = block.lastElementChild; row !== null; row = row.previousElementSibling) {
        const { dataset, offsetTop, offsetHeight } = /** @type {HTMLElement} */ (row);
        // Posts that wait have no seq.
        if (dataset.seq !== undefined && offsetTop + Math.min(SEEN_PX, offsetHeight) <= bottom)
          return Number(dataset.seq);
      }
    }
    return 0;
  }

  /**
   * @param {RoomState} state
   * @param {boolean} keepPlace  of a reader who is not at the end; false: another room is shown
   */
  render(state, keepPlace = true) {
    const follows = this.isAtEnd; // The end of a part that is detached is not the end of the room.
    const anchor = follows || !keepPlace ? null : this.#firstInSight();
    const bottom = anchor === null ? 0 : bottomOf(anchor);
    this.#detached = state.detached;
    if (!keepPlace) this.#drawn.clear();
    const focused = document.activeElement?.closest("article[data-seq]");
    this.#drawn.draw(this.#rows.of(state));
    // A message that was deleted beside another one is in the row of both now: the focus goes there.
    if (focused?.isConnected === false)
      this.#rowOf(Number(focused.getAttribute("data-seq")))?.focus({ preventScroll: true });
    this.#editors.rendered(state);
    if (!keepPlace) return;
    if (follows) this.#stayAtEnd();
    else if (anchor?.isConnected) this.#log.scrollTop += bottomOf(anchor) - bottom;
    this.#calls.seen(this.lastSeen());
    this.#askForMore();
  }

  /** What is drawn is old, such as times by another clock. */
  forget() {
    this.#drawn.forget();
  }

  /** Scrolls to the end, but keeps an open editor in sight, also above a keyboard that has just opened. */
  #stayAtEnd() {
    this.toEnd();
    this.#list.querySelector(".editor")?.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} seq  also of a row of several deleted messages */
  #rowOf(seq) {
    const row = this.#list.querySelector(`article[data-seq="${seq}"]`);
    if (row !== null) return /** @type {HTMLElement} */ (row);
    for (const run of /** @type {NodeListOf<HTMLElement>} */ (this.#list.querySelectorAll(".is-run"))) {
      if (Number(run.dataset.first) <= seq && seq <= Number(run.dataset.seq)) return run;
    }
    return null;
  }

  /** The first message in sight, which stays where it is by its bottom: its head may go when another one comes above. */
  #firstInSight() {
    const top = this.#log.scrollTop;
    for (const block of /** @type {Iterable<HTMLElement>} */ (this.#list.children)) {
      if (bottomOf(block) <= top) continue;
      for (const row of /** @type {Iterable<HTMLElement>} */ (block.children)) {
        if (row.dataset.seq !== undefined && bottomOf(row) > top) return row;
      }
    }
    return null;
  }

  #askForMore() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    // Not while the reader rests at the end: rows that come above would be drawn for nothing.
    const rests = this.#atEnd && scrollHeight - clientHeight > 2 * AT_END_PX;
    if (scrollTop < MORE_PX && !rests) this.#calls.older();
    if (this.#detached && scrollHeight - scrollTop - clientHeight < MORE_PX) this.#calls.newer();
  }

  #onScroll() {
    // The log changed its height: the user did not scroll.
    if (this.#atEnd && this.#log.clientHeight !== this.#height) this.toEnd();
    else this.#look();
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    const atEnd = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    this.#height = clientHeight;
    if (atEnd !== this.#atEnd) {
      this.#atEnd = atEnd;
      this.#calls.moved();
    }
    this.#calls.seen(this.lastSeen());
    this.#askForMore();
  }
}

/** @param {HTMLElement} element */
function bottomOf(element) {
  return element.offsetTop + element.offsetHeight;
}
