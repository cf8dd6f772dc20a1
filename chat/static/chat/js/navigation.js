// Addresses of rooms: a click on one shows its room without a page load, and "Back" the one before.

/** @typedef {{ slug: string | null, at: number | null }} Target  null: the lobby; the seq of a message */

export class Navigation {
  #room;
  #lobby;
  #show;
  #address = location.pathname + location.search; // What is shown.

  /**
   * @param {object} paths
   * @param {string} paths.room  of a room, with `slug` in the place of its slug
   * @param {string} paths.lobby
   * @param {(target: Target) => void} show
   * @param {() => boolean} [close]  closes what lies over the page: "Back" does that first; false: nothing does
   */
  constructor({ room, lobby }, show, close = () => false) {
    this.#room = room;
    this.#lobby = lobby;
    this.#show = show;
    document.addEventListener("click", (event) => this.#onClick(event));
    addEventListener("popstate", () => {
      const target = this.targetOf(location.href);
      if (target === null) return;
      if (close()) history.pushState(null, "", this.#address);
      else {
        this.#address = location.pathname + location.search;
        show(target);
      }
    });
  }

  /**
   * The address of a room, and of a message in it.
   *
   * @param {string} slug
   * @param {number | null} at
   */
  addressOf(slug, at = null) {
    const path = this.#room.replace(/slug(?=\/?$)/, encodeURIComponent(slug));
    return at === null ? path : `${path}?at=${at}`;
  }

  /**
   * Shows a room, or the lobby.
   *
   * @param {string | null} slug
   * @param {number | null} at
   */
  go(slug, at = null) {
    const address = slug === null ? this.#lobby : this.addressOf(slug, at);
    if (address !== location.pathname + location.search) history.pushState(null, "", address);
    this.#address = address;
    this.#show({ slug, at });
  }

  /**
   * The room that an address shows; null: it is no page of these.
   *
   * @param {string} href
   * @returns {Target | null}
   */
  targetOf(href) {
    const url = new URL(href, location.href);
    if (url.origin !== location.origin) return null;
    if (url.pathname === this.#lobby) return { slug: null, at: null };
    const [before = "", after = ""] = this.#room.split(/slug(?=\/?$)/);
    if (!url.pathname.startsWith(before) || !url.pathname.endsWith(after)) return null;
    const slug = url.pathname.slice(before.length, url.pathname.length - after.length);
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(slug)) return null;
    const at = url.searchParams.get("at");
    return { slug, at: at !== null && /^\d{1,15}$/.test(at) ? Number(at) : null };
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!(link instanceof HTMLAnchorElement) || link.hasAttribute("download")) return;
    const isWithinPage = link.hash !== "" && link.pathname === location.pathname && link.search === location.search;
    const target = isWithinPage ? null : this.targetOf(link.href);
    if (target === null) return;
    event.preventDefault();
    this.go(target.slug, target.at);
  }
}
