// The list of rooms beside the talk, and on a phone a view of its own.

import { gettext, interpolate } from "../../hubbub/js/texts.js";
import { guard } from "../vendor/lit-html/directives/guard.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { focusIn } from "./dialog.js";
import { draw } from "./draw.js";
import { oncePerFrame } from "./once-per-frame.js";
import { part, setText } from "./parts.js";
import { SECTIONS, sectionOf, sections } from "./sidebar-state.js";
import { fullTime, listTime } from "./times.js";

/** @import { RoomEntry, SidebarCalls, SidebarRoom, SidebarSection } from "./types.js" */

export class Sidebar {
  #list;
  #scroller;
  #overview;
  #pills;
  #total;
  /** @type {SidebarCalls} */
  #calls;
  /** @type {string | null} */
  #here;
  /** @type {{ slug: string, section: SidebarSection["name"] } | null} */
  #kept = null;
  /** @type {Element | null} the row of the open room */
  #row = null;
  /** @type {SidebarRoom[]} */
  #rooms = [];
  #isMoved = false; // Another room was opened: the former one may stand in another section now.
  /** @type {SidebarSection[]} */
  sections = [];

  /**
   * @param {HTMLElement} root
   * @param {string | null} here  the slug of the open room
   * @param {SidebarCalls} calls
   */
  constructor(root, here, calls) {
    this.#list = part(root, "rooms-list");
    this.#scroller = part(root, "rooms-scroll");
    this.#overview = part(root, "overview-list");
    this.#pills = { above: part(root, "unread-above"), below: part(root, "unread-below") };
    this.#total = part(root, "unread-total");
    this.#calls = calls;
    this.#here = here;
    this.#scroller.addEventListener("scroll", this.#showPills, { passive: true });
    for (const [side, pill] of Object.entries(this.#pills)) {
      pill.addEventListener("click", () =>
        this.#hiddenUnread()[/** @type {"above" | "below"} */ (side)][0]?.scrollIntoView({ block: "center" }),
      );
    }
    this.#showHere();
  }

  /** @param {string | null} slug  of the room that is open now */
  set here(slug) {
    this.#here = slug;
    this.#isMoved = true;
    const room = this.sections.flatMap(({ rooms }) => rooms).find((room) => room.slug === slug);
    this.#kept = room === undefined ? null : { slug: room.slug, section: sectionOf(room) };
    if (slug === null && this.#rooms.length > 0) this.#showOverview();
    this.#showHere();
  }

  /** @param {SidebarRoom[]} rooms */
  show(rooms) {
    if (this.sections.length === 0) this.#clear(); // What the server painted.
    if (!this.#isMoved && isSameList(rooms, this.#rooms)) return;
    this.#isMoved = false;
    this.#rooms = rooms;
    if (this.#kept === null && this.#here !== null) {
      const here = rooms.find(({ slug }) => slug === this.#here);
      if (here !== undefined) this.#kept = { slug: here.slug, section: sectionOf(here) };
    }
    this.sections = sections(rooms, this.#kept);
    const focused = document.activeElement?.closest("[data-role=rooms-list] li");
    const control = document.activeElement?.matches("button") ? "button" : "a";
    draw(
      () =>
        repeat(
          this.sections,
          ({ name }) => name,
          (section) => this.#section(section),
        ),
      this.#list,
    );
    // A room that goes to another section is another row: the focus goes with it.
    const slug = focused?.isConnected === false ? focused.getAttribute("data-slug") : null;
    if (slug !== null) focusIn(this.#list, `li[data-slug="${slug}"] ${control}`);
    if (this.#here === null) this.#showOverview(); // Else it is hidden.
    this.#showHere();
    this.#showPills();
    this.#showTotal(rooms);
  }

  /** The day has changed, or the clock of the reader. */
  timed() {
    if (this.#here === null) this.#showOverview(); // Else it is drawn when it is shown.
  }

  /**
   * The number beside the arrow that leads back to the list on a phone.
   *
   * @param {SidebarRoom[]} rooms
   */
  #showTotal(rooms) {
    const others = rooms.filter(({ slug, muted, archived }) => slug !== this.#here && !muted && !archived);
    const total = others.reduce((sum, { unread }) => sum + unread, 0);
    this.#total.hidden = total === 0;
    setText(this.#total, total > 99 ? "99+" : String(total));
  }

  #clear() {
    this.#list.replaceChildren();
    this.#overview.replaceChildren();
  }

  /** @param {SidebarSection} section */
  #section({ name, rooms }) {
    const list = html`<ul>${repeat(
      rooms,
      ({ slug }) => slug,
      (room) => guard(this.#valuesOf(room), () => this.#rowOf(room)),
    )}</ul>`;
    return name === "archived"
      ? html`<details class="rooms-section" data-section=${name}><summary>${SECTIONS[name]}</summary>${list}</details>`
      : html`<section class="rooms-section" data-section=${name}><h3>${SECTIONS[name]}</h3>${list}</section>`;
  }

  /**
   * What the row of a room shows.
   *
   * @param {SidebarRoom} room
   */
  #valuesOf({ slug, title, unread, muted, favourite, draft, archived, private: isPrivate, last }) {
    return [title, unread, muted, favourite, draft, archived, isPrivate, last, slug === this.#here];
  }

  /** @param {SidebarRoom} room */
  #rowOf(room) {
    const { slug, title, unread, muted, draft, archived } = room;
    const isHere = slug === this.#here;
    const marks = [muted ? "is-muted" : "", unread > 0 ? "is-unread" : ""].filter(Boolean).join(" ");
    return html`<li data-slug=${slug} class=${marks}>
      <a class="rooms-link" href=${this.#calls.addressOf(slug)} aria-current=${isHere ? "page" : nothing}>
        ${sign(room)}
        <span class="rooms-words"><bdi data-role="room-title">${title}</bdi>${lastWords(room)}</span>
        ${archived ? html`<span data-role="room-archived" class="visually-hidden">${gettext("archived")}</span>` : nothing}
        ${draft ? icon("edit", gettext("draft")) : nothing}
        ${muted ? icon("muted", gettext("muted")) : nothing}
        ${unread > 0 ? html`<span class="rooms-unread" data-role="unread"><span data-role="unread-count">${unread}</span><span class="visually-hidden"> ${gettext("unread")}</span></span>` : nothing}
      </a>
      <button class="icon-button rooms-more" type="button" aria-label=${interpolate(gettext("Actions: %(room)s"), { room: title })} aria-haspopup="menu"
        @click=${(/** @type {Event} */ event) => this.#calls.menu(room, /** @type {HTMLElement} */ (event.currentTarget))}
        ><svg class="icon" aria-hidden="true"><use href="#icon-more"/></svg></button>
    </li>`;
  }

  #showOverview() {
    draw(() => this.#overviewRows(), this.#overview);
  }

  #overviewRows() {
    const latest = this.#rooms
      .filter(({ archived }) => !archived)
      .sort((a, b) => (b.last?.at ?? "").localeCompare(a.last?.at ?? "") || (a.sort < b.sort ? -1 : 1));
    return repeat(
      latest,
      ({ slug }) => slug,
      (room) => html`<li data-slug=${room.slug}>
        <a class="lobby-row" href=${this.#calls.addressOf(room.slug)}>
          <span class="lobby-head"><bdi class="lobby-title">${room.title}</bdi>${room.private ? icon("lock", gettext("private")) : nothing}
            ${room.unread > 0 ? html`<span class=${room.muted ? "chip" : "chip is-new"}>${interpolate(gettext("%(n)s unread"), { n: room.unread })}</span>` : nothing}
            ${room.last === null ? nothing : html`<time class="lobby-time" datetime=${room.last.at} title=${fullTime(room.last.at)}>${listTime(room.last.at)}</time>`}</span>
          ${lobbyWords(room)}
        </a></li>`,
    );
  }

  /** Marks the open room, also in what the server painted, and keeps it in sight. */
  #showHere() {
    if (this.#row?.isConnected && this.#row.getAttribute("data-slug") === this.#here) return;
    this.#row = this.#list.querySelector(`li[data-slug="${this.#here}"]`);
    for (const row of this.#list.querySelectorAll("li[data-slug]")) {
      const isHere = row.getAttribute("data-slug") === this.#here;
      const link = row.querySelector("a");
      if (isHere && link?.getAttribute("aria-current") !== "page") {
        link?.setAttribute("aria-current", "page");
        row.scrollIntoView({ block: "nearest" });
      } else if (!isHere) link?.removeAttribute("aria-current");
    }
  }

  /** Rows of unread rooms that are out of sight. */
  #hiddenUnread() {
    const rows = [...this.#list.querySelectorAll("[data-section=unread] li.is-unread")];
    if (rows.length === 0) return { above: [], below: [] };
    const { top, bottom } = this.#scroller.getBoundingClientRect();
    return {
      above: rows.filter((row) => row.getBoundingClientRect().bottom < top + 4).reverse(),
      below: rows.filter((row) => row.getBoundingClientRect().top > bottom - 4),
    };
  }

  /** When the frame is painted: the places of the rows are known then, and cost no layout of their own. */
  #showPills = oncePerFrame(() => {
    const { above, below } = this.#hiddenUnread();
    for (const [name, arrow, count] of /** @type {const} */ ([
      ["above", "↑", above.length],
      ["below", "↓", below.length],
    ])) {
      this.#pills[name].hidden = count === 0;
      setText(this.#pills[name], `${arrow} ${interpolate(gettext("%(n)s unread"), { n: count })}`);
    }
  });
}

/**
 * Whether the lists show the same.
 *
 * @param {SidebarRoom[]} a
 * @param {SidebarRoom[]} b
 */
function isSameList(a, b) {
  if (a.length !== b.length) return false;
  const names = /** @type {(keyof SidebarRoom)[]} */ (Object.keys(a[0] ?? {}));
  return a.every((room, index) => names.every((name) => room[name] === b[index]?.[name]));
}

/** @param {RoomEntry} room */
function sign(room) {
  if (room.archived) return icon("archive", gettext("archived"));
  return room.private
    ? icon("lock", gettext("private"))
    : html`<svg class="icon" aria-hidden="true"><use href="#icon-public"/></svg>`;
}

/**
 * @param {string} name
 * @param {string} label
 */
const icon = (name, label) =>
  html`<svg class="icon" role="img" aria-label=${label}><use href=${`#icon-${name}`}/></svg>`;

/** @param {RoomEntry} room */
function lastWords({ last }) {
  if (last === null) return nothing;
  const words = last.text === null ? gettext("message deleted") : last.text;
  return html`<span class="rooms-last" dir="auto"><bdi>${last.user.name}</bdi>: ${words}</span>`;
}

/** @param {RoomEntry} room */
function lobbyWords({ last }) {
  if (last === null) return html`<span class="lobby-last" data-role="last">${gettext("No messages yet")}</span>`;
  return html`<span class="lobby-last" dir="auto" data-role="last">${
    last.text === null
      ? html`<em>${gettext("message deleted")}</em>`
      : html`<bdi class="lobby-author">${last.user.name}</bdi>: ${last.text}`
  }</span>`;
}
