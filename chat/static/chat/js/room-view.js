// The room's page. Shows a state, and tells by its calls what a person does; decides nothing.

import { Composer } from "./composer.js";
import { MessageRows, part, stamp } from "./message-rows.js";
import { initialsOf, mayWrite, rows, tintOf } from "./room-state.js";

const AT_END_PX = 80; // This close to the end counts as reading along.
const OLDER_PX = 800; // Older messages are asked for before the reader reaches the top.
const PRESS_MS = 450;
const CLOSED = {
  removed: "You are no longer a member of this room.",
  banned: "You cannot enter this room for now.",
  deleted: "This room was deleted.",
  not_found: "This room is not here, or it is not open to you.",
};

export class RoomView {
  composer;
  #root;
  #log;
  #list;
  #rows;
  #calls;
  #shown = new Map(); // key -> {element, signature}
  #atEnd = true;
  #present; // Who is shown; undefined: nobody has been yet.
  #height = 0; // Of the log, as it was when somebody last scrolled.
  #title = document.title;
  #icon = document.querySelector("link[rel=icon]");
  #hrefs;

  constructor(root, calls) {
    this.#root = root;
    this.#calls = calls;
    this.#log = part(root, "log");
    this.#list = part(root, "rows");
    this.#rows = new MessageRows({ ...calls, remove: (seq) => this.#confirmDelete(seq) });
    this.#hrefs = { read: this.#icon.href, unread: new URL(this.#icon.dataset.unreadHref, location.href).href };
    this.composer = new Composer(part(root, "composer"), { send: calls.post, changed: calls.draft });
    this.#listen();
  }

  get isAtEnd() {
    return this.#atEnd;
  }

  set limit(chars) {
    this.#rows.limit = chars;
    this.composer.limit = chars;
  }

  toEnd() {
    this.#atEnd = true;
    this.#height = this.#log.clientHeight;
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** As `toEnd`; but a field in which a message is edited stays in sight, also above a keyboard that has just opened. */
  #stayAtEnd() {
    this.toEnd();
    this.#list.querySelector(".editor")?.scrollIntoView({ block: "nearest" });
  }

  render(state) {
    this.#root.dataset.ready = state.joined;
    this.#renderHead(state);
    this.#renderLog(state);
    this.#renderPeople(state);
    const { archived } = state.room;
    const isReader = state.room.role === "reader";
    part(this.#root, "empty").hidden =
      !state.joined || archived || isReader || state.messages.length + state.pending.length > 0;
    part(this.#root, "archived").hidden = !archived;
    part(this.#root, "composer").hidden = state.closed !== null;
    part(this.#root, "reader").hidden = archived || !isReader;
    this.composer.disabled = !mayWrite(state);
    part(this.#root, "closed").hidden = state.closed === null;
    part(this.#root, "closed-text").textContent = CLOSED[state.closed] ?? CLOSED.removed;
    const jump = part(this.#root, "jump");
    jump.hidden = this.#atEnd;
    part(jump, "jump-text").textContent =
      state.unseen > 0 ? `${state.unseen} new ${state.unseen === 1 ? "message" : "messages"}` : "Latest";
    jump.classList.toggle("is-new", state.unseen > 0);
    document.title = (state.unseen > 0 ? `(${state.unseen}) ` : "") + this.#title;
    const href = state.unseen > 0 ? this.#hrefs.unread : this.#hrefs.read;
    if (this.#icon.href !== href) this.#icon.href = href;
  }

  /** The quiet line over the log: "" hides it. */
  strip(text, action = null) {
    const strip = part(this.#root, "strip");
    part(strip, "strip-text").textContent = text;
    strip.classList.toggle("is-shown", text !== "");
    part(strip, "again").hidden = action === null;
  }

  #renderHead({ room }) {
    part(this.#root, "title").textContent = room.title;
    part(this.#root, "topic").textContent = room.topic;
    const inList = this.#root.querySelector("[data-role=rooms] [aria-current] [data-role=room-title]");
    if (inList) inList.textContent = room.title;
    this.#title = `${room.title} · Hubbub`;
    this.#log.setAttribute("aria-label", `Messages in ${room.title}`);
  }

  #renderLog(state) {
    const anchor = this.#atEnd ? null : this.#anchor();
    const wanted = rows(state);
    const keys = new Set(wanted.map(({ key }) => key));
    // What was asked for by scrolling back is not news to a screen reader.
    this.#log.setAttribute("aria-live", state.loading || !state.joined ? "off" : "polite");
    for (const [key, { element }] of this.#shown) {
      if (keys.has(key)) continue;
      element.remove();
      this.#shown.delete(key);
    }
    let next = this.#list.firstElementChild;
    for (const row of wanted) {
      const signature = this.#rows.signature(row);
      let shown = this.#shown.get(row.key);
      if (shown === undefined || shown.signature !== signature) {
        const element = this.#rows.build(row);
        if (shown?.element === next) next = next.nextElementSibling;
        shown?.element.remove();
        shown = { element, signature };
        this.#shown.set(row.key, shown);
      }
      if (shown.element === next) next = next.nextElementSibling;
      else this.#list.insertBefore(shown.element, next);
      shown.element.start?.();
      delete shown.element.start;
    }
    if (this.#atEnd) this.#stayAtEnd();
    else if (this.#shown.has(anchor?.key))
      this.#log.scrollTop += bottomOf(this.#shown.get(anchor.key).element) - anchor.bottom;
    this.#askForOlder();
  }

  #renderPeople({ present, joined, me }) {
    if (!joined || present === this.#present) return; // Before there is an answer their place is kept free.
    this.#present = present;
    const people = part(this.#root, "people");
    const toggle = part(this.#root, "people-toggle");
    const known = present !== null;
    this.#root.classList.toggle("has-people", known);
    toggle.hidden = people.hidden = !known;
    if (!known) return;
    const count = present.count.toLocaleString("en");
    for (const place of this.#root.querySelectorAll("[data-role=people-count]")) place.textContent = count;
    toggle.setAttribute("aria-label", `People here: ${count}`);
    part(people, "people-many").hidden = present.users !== null;
    part(people, "people-list").replaceChildren(
      ...(present.users ?? []).map(({ id, name }) => {
        const item = stamp("person");
        part(item, "you").hidden = id !== me.id;
        const avatar = part(item, "avatar");
        avatar.textContent = initialsOf(name);
        avatar.classList.add(`tint-${tintOf(name)}`);
        part(item, "name").textContent = part(item, "name").title = name; // A long one is cut.
        return item;
      }),
    );
  }

  /** The first message in sight, and where it ends: its head may go when another one comes in above. */
  #anchor() {
    for (const element of this.#list.children) {
      const bottom = bottomOf(element);
      if (bottom > this.#log.scrollTop && element.dataset.seq !== undefined)
        return { key: `message-${element.dataset.seq}`, bottom };
    }
    return null;
  }

  #askForOlder() {
    if (this.#log.scrollTop < OLDER_PX) this.#calls.nearTop();
  }

  #confirmDelete(seq) {
    const dialog = part(this.#root, "delete-dialog");
    dialog.returnValue = "";
    dialog.onclose = () => {
      if (dialog.returnValue === "delete") this.#calls.remove(seq);
    };
    dialog.showModal();
  }

  #listen() {
    this.#log.addEventListener(
      "scroll",
      () => {
        const { scrollHeight, scrollTop, clientHeight } = this.#log;
        // The log became smaller or larger: nobody has scrolled.
        if (this.#atEnd && clientHeight !== this.#height) return this.toEnd();
        const atEnd = scrollHeight - scrollTop - clientHeight < AT_END_PX;
        if (atEnd !== this.#atEnd) {
          this.#atEnd = atEnd;
          this.#calls.moved();
        }
        this.#askForOlder();
      },
      { passive: true },
    );
    // The composer grows, a keyboard opens, a window changes: who was at the end stays there.
    new ResizeObserver(() => this.#atEnd && this.#stayAtEnd()).observe(this.#log);
    part(this.#root, "jump").addEventListener("click", () => {
      this.toEnd();
      this.#calls.moved();
      this.composer.focus();
    });
    part(this.#root, "again").addEventListener("click", this.#calls.again);
    part(this.#root, "composer").addEventListener("keydown", (event) => {
      if (event.key === "ArrowUp" && this.composer.text === "" && this.#calls.editLast()) event.preventDefault();
    });
    this.#listenForPress();
    const wide = matchMedia("(min-width: 56.25rem)");
    const [toggle, people] = [part(this.#root, "people-toggle"), part(this.#root, "people")];
    const told = () => {
      const shown = wide.matches ? !this.#root.classList.contains("hides-people") : people.matches(":popover-open");
      toggle.setAttribute("aria-expanded", shown);
    };
    toggle.addEventListener("click", () => {
      if (wide.matches) this.#root.classList.toggle("hides-people");
      else people.togglePopover();
      told();
    });
    people.addEventListener("toggle", told);
    // A sheet that was open on a narrow page has its place on a wide one.
    wide.addEventListener("change", () => {
      people.hidePopover();
      told();
    });
    told();
    matchMedia("(min-width: 40rem)").addEventListener("change", () => part(this.#root, "rooms").hidePopover());
    for (const sheet of [part(this.#root, "rooms"), people]) keepFocusIn(sheet);
  }

  /** By touch there is no hovering: a long press shows what can be done with a message. */
  #listenForPress() {
    let timer = null;
    const stop = () => clearTimeout(timer);
    this.#list.addEventListener("pointerdown", (event) => {
      const row = event.target.closest("[data-seq]");
      for (const picked of this.#list.querySelectorAll(".is-picked"))
        if (picked !== row) picked.classList.remove("is-picked");
      if (event.pointerType !== "touch" || row === null) return;
      stop();
      timer = setTimeout(() => row.classList.add("is-picked"), PRESS_MS);
    });
    // Scrolling cancels the pointer; a finger that merely trembles does not.
    for (const end of ["pointerup", "pointercancel"]) this.#list.addEventListener(end, stop);
  }
}

/** A sheet opens with the cursor on its button to close it, and closes when the cursor leaves it. Escape is the browser's. */
function keepFocusIn(sheet) {
  sheet.addEventListener(
    "toggle",
    ({ newState }) => newState === "open" && sheet.querySelector(".sheet-close").focus(),
  );
  sheet.addEventListener("focusout", ({ relatedTarget }) => {
    if (sheet.matches(":popover-open") && relatedTarget !== null && !sheet.contains(relatedTarget)) sheet.hidePopover();
  });
}

function bottomOf(element) {
  return element.offsetTop + element.offsetHeight;
}
