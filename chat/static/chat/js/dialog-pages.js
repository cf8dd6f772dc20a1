// A list that the server gives in pages, and the search in what is loaded of it.

import { gettext } from "../../hubbub/js/texts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { matches } from "./jump-match.js";

/** @import { Dialog } from "./dialog.js" */

const TEXTS = {
  loading: gettext("Loading…"),
  more: gettext("More"),
  again: gettext("Load again"),
  search: gettext("Search"),
  partly: gettext("Only the loaded part of the list is searched."),
  none: gettext("Nothing matches."),
};

/**
 * @template Item
 * @typedef {{ items: Item[], next: string | null }} PageOfList
 */

/** @template Item */
export class Pages {
  /** @type {Item[]} */
  items = [];
  query = "";
  #read;
  #nameOf;
  /** @type {string | null} */
  #next = null;
  #hasBegun = false;
  #hasFailed = false;
  #isLoading = false;

  /**
   * @param {(fields: { place?: string }) => Promise<PageOfList<Item>>} read
   * @param {(item: Item) => string} nameOf
   */
  constructor(read, nameOf) {
    this.#read = read;
    this.#nameOf = nameOf;
  }

  /** The items that match the search. */
  get found() {
    return this.items.filter((item) => matches(this.#nameOf(item), this.query));
  }

  /** Whether all of the list is here, and it is empty. */
  get isEmpty() {
    return this.#hasBegun && this.#next === null && this.items.length === 0;
  }

  /**
   * Loads the next page.
   *
   * @param {Dialog} dialog
   */
  async load(dialog) {
    if (this.#isLoading) return;
    this.#isLoading = true;
    this.#hasFailed = false;
    dialog.show(null);
    try {
      const page = await this.#read(this.#next === null ? {} : { place: this.#next });
      this.items = [...this.items, ...page.items];
      this.#next = page.next;
      this.#hasBegun = true;
    } catch (error) {
      this.#hasFailed = true;
      dialog.show(error);
    } finally {
      this.#isLoading = false;
      dialog.update();
    }
  }

  /**
   * The field of the search; nothing for a list without entries.
   *
   * @param {Dialog} dialog
   */
  field(dialog) {
    /** @param {InputEvent} event */
    const typed = ({ target }) => {
      this.query = /** @type {HTMLInputElement} */ (target).value;
      dialog.update();
    };
    if (this.isEmpty) return nothing;
    return html`<input class="dialog-search" type="search" placeholder=${TEXTS.search} aria-label=${TEXTS.search}
      autocomplete="off" dir="auto" @input=${typed}>`;
  }

  /**
   * Below the list: the next page, or that nothing matches.
   *
   * @param {Dialog} dialog
   */
  rest(dialog) {
    const isSearch = this.query.trim() !== "";
    const hasRest = this.#next !== null || this.#hasFailed;
    const notes = [
      this.#isLoading ? TEXTS.loading : "",
      isSearch && this.#hasBegun && this.found.length === 0 ? TEXTS.none : "",
      isSearch && hasRest ? TEXTS.partly : "",
    ];
    return html`<p class="soft" role="status">${notes.filter(Boolean).join(" ")}</p>
      ${hasRest && !this.#isLoading ? this.#button(dialog) : nothing}`;
  }

  /** @param {Dialog} dialog */
  #button(dialog) {
    return html`<button class="text-button" type="button" data-role="more" @click=${() => this.load(dialog)}
      >${this.#hasFailed ? TEXTS.again : TEXTS.more}</button>`;
  }
}
