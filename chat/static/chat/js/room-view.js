// The room's page. Shows a state, and reports the user's actions by its calls; it decides nothing.

import { find } from "../../hubbub/js/dom.js";
import { Composer } from "./composer.js";
import { MessageRows, part } from "./message-rows.js";
import { mayWrite, rows } from "./room-rows.js";
import { PeopleList, wireSheets } from "./room-sheets.js";

/** @import { ClosedCode, RoomCalls, RoomState } from "./types.js" */

const AT_END_PX = 80; // A reader this close to the end follows the conversation.
const OLDER_PX = 800; // Older messages are requested before the reader reaches the top.
const PRESS_MS = 450;
/** @type {Record<ClosedCode, string>} */
const CLOSED = {
  removed: "You are no longer a member of this room.",
  banned: "You cannot enter this room for now.",
  deleted: "This room was deleted.",
  not_found: "This room does not exist, or you have no access to it.",
};

export class RoomView {
  composer;
  #root;
  #log;
  #list;
  #rows;
  #people;
  /** @type {RoomCalls} */
  #calls;
  /** @type {Map<string, { element: HTMLElement, signature: string }>} by the row's key */
  #shown = new Map();
  #atEnd = true;
  #sight;
  #height = 0; // Of the log, when the user last scrolled.
  #title = document.title;
  #icon;
  #hrefs;

  /**
   * @param {HTMLElement} root
   * @param {RoomCalls} calls
   */
  constructor(root, calls) {
    this.#root = root;
    this.#calls = calls;
    this.#log = part(root, "log");
    this.#list = part(root, "rows");
    this.#rows = new MessageRows({ ...calls, remove: (seq) => this.#confirmDelete(seq) });
    this.#people = new PeopleList(root);
    this.#icon = find(document, "link[rel=icon]", HTMLLinkElement);
    const unread = new URL(this.#icon.dataset.unreadHref ?? "", location.href).href;
    this.#hrefs = { read: this.#icon.href, unread };
    this.#sight = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) calls.shown(seqOf(target), isIntersecting);
      },
      { root: this.#log },
    );
    this.composer = new Composer(part(root, "composer"), { send: calls.post, changed: calls.draft });
    this.#listen();
  }

  /** Whether the user sees the end of the log. */
  get isAtEnd() {
    return this.#atEnd;
  }

  /** @param {number} chars  of one message */
  set limit(chars) {
    this.#rows.limit = chars;
    this.composer.limit = chars;
  }

  /** Scrolls to the end of the log. */
  toEnd() {
    this.#atEnd = true;
    this.#height = this.#log.clientHeight;
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** Scrolls to the end, but keeps an open editor in sight, also above a keyboard that has just opened. */
  #stayAtEnd() {
    this.toEnd();
    this.#list.querySelector(".editor")?.scrollIntoView({ block: "nearest" });
  }

  /** @param {RoomState} state */
  render(state) {
    this.#root.dataset.ready = String(state.joined);
    this.#renderHead(state);
    this.#renderLog(state);
    this.#people.render(state);
    const { archived } = state.room;
    const isReader = state.room.role === "reader";
    const isEmpty = state.messages.length + state.pending.length === 0;
    this.#part("empty").hidden = !state.joined || archived || isReader || !isEmpty;
    this.#part("archived").hidden = !archived;
    this.#part("composer").hidden = state.closed !== null;
    this.#part("reader").hidden = archived || !isReader;
    this.composer.disabled = !mayWrite(state);
    this.#part("closed").hidden = state.closed === null;
    this.#part("closed-text").textContent = CLOSED[state.closed ?? "removed"] ?? CLOSED.removed;
    this.#renderUnseen(state.unseen);
  }

  /**
   * Shows the quiet line above the log.
   *
   * @param {string} text  empty: the line is hidden
   * @param {boolean} hasAgain  whether its button "Connect again" is shown
   */
  strip(text, hasAgain = false) {
    const strip = this.#part("strip");
    part(strip, "strip-text").textContent = text;
    strip.classList.toggle("is-shown", text !== "");
    part(strip, "again").hidden = !hasAgain;
  }

  /** @param {string} text  who is typing; empty: nobody */
  typing(text) {
    this.#part("typing").textContent = text;
  }

  /** @param {number} unseen */
  #renderUnseen(unseen) {
    const jump = this.#part("jump");
    jump.hidden = this.#atEnd;
    part(jump, "jump-text").textContent =
      unseen > 0 ? `${unseen} new ${unseen === 1 ? "message" : "messages"}` : "Latest";
    jump.classList.toggle("is-new", unseen > 0);
    document.title = (unseen > 0 ? `(${unseen}) ` : "") + this.#title;
    const href = unseen > 0 ? this.#hrefs.unread : this.#hrefs.read;
    if (this.#icon.href !== href) this.#icon.href = href;
  }

  /** @param {RoomState} state */
  #renderHead({ room }) {
    this.#part("title").textContent = room.title;
    this.#part("description").textContent = room.description;
    const inList = this.#root.querySelector("[data-role=rooms] [aria-current] [data-role=room-title]");
    if (inList) inList.textContent = room.title;
    this.#title = `${room.title} · Hubbub`;
    this.#log.setAttribute("aria-label", `Messages in ${room.title}`);
  }

  /** @param {RoomState} state */
  #renderLog(state) {
    const anchor = this.#atEnd ? null : this.#anchor();
    const wanted = rows(state);
    const keys = new Set(wanted.map(({ key }) => key));
    // A screen reader must not announce older messages as news.
    this.#log.setAttribute("aria-live", state.loading || !state.joined ? "off" : "polite");
    for (const [key, { element }] of this.#shown) {
      if (keys.has(key)) continue;
      this.#drop(element);
      this.#shown.delete(key);
    }
    let next = this.#list.firstElementChild;
    for (const row of wanted) {
      const signature = this.#rows.signature(row);
      const known = this.#shown.get(row.key);
      const isCurrent = known !== undefined && known.signature === signature;
      const { element, start } = isCurrent ? { element: known.element } : this.#rows.build(row);
      if (!isCurrent) {
        if (known !== undefined && known.element === next) next = next.nextElementSibling;
        if (known !== undefined) this.#drop(known.element);
        if (element.dataset.seq !== undefined) this.#sight.observe(element);
        this.#shown.set(row.key, { element, signature });
      }
      if (element === next) next = next.nextElementSibling;
      else this.#list.insertBefore(element, next);
      start?.();
    }
    if (this.#atEnd) this.#stayAtEnd();
    else if (anchor !== null) {
      const shown = this.#shown.get(anchor.key);
      if (shown !== undefined) this.#log.scrollTop += bottomOf(shown.element) - anchor.bottom;
    }
    this.#askForOlder();
  }

  /** @param {HTMLElement} element */
  #drop(element) {
    if (element.dataset.seq !== undefined) {
      this.#sight.unobserve(element);
      this.#calls.shown(seqOf(element), false);
    }
    element.remove();
  }

  /** The first message in sight, by its bottom: its head may go when another one is inserted above. */
  #anchor() {
    for (const element of /** @type {HTMLCollectionOf<HTMLElement>} */ (this.#list.children)) {
      const bottom = bottomOf(element);
      if (bottom > this.#log.scrollTop && element.dataset.seq !== undefined) {
        return { key: `message-${element.dataset.seq}`, bottom };
      }
    }
    return null;
  }

  #askForOlder() {
    if (this.#log.scrollTop < OLDER_PX) this.#calls.nearTop();
  }

  /** @param {number} seq */
  #confirmDelete(seq) {
    const dialog = find(this.#root, "[data-role=delete-dialog]", HTMLDialogElement);
    dialog.returnValue = "";
    dialog.onclose = () => {
      if (dialog.returnValue === "delete") this.#calls.remove(seq);
    };
    dialog.showModal();
  }

  #listen() {
    this.#log.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    // The composer grows, a keyboard opens, or the window changes: a reader at the end stays there.
    new ResizeObserver(() => this.#atEnd && this.#stayAtEnd()).observe(this.#log);
    this.#part("jump").addEventListener("click", () => {
      this.toEnd();
      this.#calls.moved();
      this.composer.focus();
    });
    this.#part("again").addEventListener("click", this.#calls.again);
    this.#part("composer").addEventListener("keydown", (event) => {
      if (event.key === "ArrowUp" && this.composer.text === "" && this.#calls.editLast()) event.preventDefault();
    });
    this.#listenForPress();
    wireSheets(this.#root);
  }

  #onScroll() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    // The log changed its height: the user did not scroll.
    if (this.#atEnd && clientHeight !== this.#height) {
      this.toEnd();
      return;
    }
    const atEnd = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    if (atEnd !== this.#atEnd) {
      this.#atEnd = atEnd;
      this.#calls.moved();
    }
    this.#askForOlder();
  }

  /** A touch screen has no hovering: a long press shows the actions on a message. */
  #listenForPress() {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const stop = () => clearTimeout(timer);
    this.#list.addEventListener("pointerdown", (event) => {
      const row = event.target instanceof Element ? event.target.closest("[data-seq]") : null;
      for (const picked of this.#list.querySelectorAll(".is-picked")) {
        if (picked !== row) picked.classList.remove("is-picked");
      }
      if (event.pointerType !== "touch" || row === null) return;
      stop();
      timer = setTimeout(() => row.classList.add("is-picked"), PRESS_MS);
    });
    // Scrolling cancels the pointer; a trembling finger does not.
    for (const end of ["pointerup", "pointercancel"]) this.#list.addEventListener(end, stop);
  }

  /** @param {string} role */
  #part(role) {
    return part(this.#root, role);
  }
}

/** @param {Element} element  of a message */
function seqOf(element) {
  return Number(/** @type {HTMLElement} */ (element).dataset.seq);
}

/** @param {HTMLElement} element */
function bottomOf(element) {
  return element.offsetTop + element.offsetHeight;
}
