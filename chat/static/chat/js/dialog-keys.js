// The keys of the page, as tables.

import { gettext, pgettext } from "../../hubbub/js/texts.js";
import { html } from "../vendor/lit-html/lit-html.js";
import { Dialog } from "./dialog.js";

/** @import { Page } from "./dialog.js" */

/**
 * A key, or keys that are pressed together, such as ["Alt", "↑"]. Several ways are several rows of keys.
 * @typedef {{ keys: string[][], does: string }} KeyRow
 */

/** @type {{ heading: string, rows: KeyRow[] }[]} */
export const KEYS = [
  {
    heading: gettext("Everywhere"),
    rows: [
      { keys: [["Ctrl", "K"]], does: gettext("Jump to a room") },
      {
        keys: [
          ["Alt", "↑"],
          ["Alt", "↓"],
        ],
        does: gettext("The room above, the room below"),
      },
      {
        keys: [
          ["Alt", "Shift", "↑"],
          ["Alt", "Shift", "↓"],
        ],
        does: gettext("The same among unread rooms"),
      },
      { keys: [["F6"]], does: gettext("The next part of the page") },
      { keys: [["?"]], does: gettext("This list") },
    ],
  },
  {
    heading: gettext("Writing"),
    rows: [
      { keys: [["Enter"]], does: gettext("Send") },
      { keys: [["Shift", "Enter"]], does: gettext("A new line") },
      { keys: [["Ctrl", "Enter"]], does: gettext("Send, also from a block of code") },
      {
        keys: [
          ["Ctrl", "B"],
          ["Ctrl", "I"],
          ["Ctrl", "Shift", "X"],
        ],
        does: gettext("Bold, italic, strikethrough"),
      },
      {
        keys: [
          ["Ctrl", "E"],
          ["Ctrl", "Shift", "E"],
        ],
        does: gettext("Code, block of code"),
      },
      {
        keys: [
          ["Ctrl", "Shift", "8"],
          ["Ctrl", "Shift", "9"],
          ["Ctrl", "Shift", "L"],
        ],
        does: gettext("List, quote, link"),
      },
      { keys: [["↑"]], does: gettext("Edit your last message, from an empty field") },
      { keys: [["Esc"]], does: gettext("Leave an edit; mark the room as read") },
    ],
  },
  {
    heading: gettext("Among the messages"),
    rows: [
      { keys: [["↑"], ["↓"]], does: gettext("The message above, the message below") },
      { keys: [["E"]], does: gettext("Edit it") },
      { keys: [["L"]], does: gettext("Copy its link") },
      { keys: [["U"]], does: gettext("Mark as unread from there") },
      { keys: [["Delete"]], does: gettext("Delete it") },
      { keys: [["Esc"]], does: gettext("Back to the field") },
    ],
  },
];

const TEXTS = { heading: gettext("Keys"), key: gettext("Key"), does: gettext("What it does") };
const NAMES = /** @type {Record<string, string>} */ ({
  Ctrl: pgettext("key", "Ctrl"),
  Shift: pgettext("key", "Shift"),
  Enter: pgettext("key", "Enter"),
  Delete: pgettext("key", "Delete"),
});
const MAC = /** @type {Record<string, string>} */ ({ Ctrl: "⌘", Alt: "⌥", Shift: "⇧" });

/**
 * @param {Page} _page
 * @param {{ heading: string, rows: KeyRow[] }[]} sections
 */
export function openKeys(_page, sections = KEYS) {
  const isMac = /mac|iphone|ipad/i.test(navigator.platform);
  /** @param {string} key */
  const label = (key) => (isMac ? MAC[key] : undefined) ?? NAMES[key] ?? key;
  /** @param {string[]} keys */
  const together = (keys) => html`<span class="keys">${keys.map((key) => html`<kbd>${label(key)}</kbd>`)}</span> `;
  return new Dialog({
    name: "keys",
    heading: TEXTS.heading,
    isText: true,
    content: () =>
      sections.map(
        ({ heading, rows }) => html`<table class="keys-table">
          <caption>${heading}</caption>
          <thead class="visually-hidden"><tr><th scope="col">${TEXTS.key}</th><th scope="col">${TEXTS.does}</th></tr></thead>
          <tbody>${rows.map(({ keys, does }) => html`<tr><th scope="row">${keys.map(together)}</th><td>${does}</td></tr>`)}</tbody>
        </table>`,
      ),
  });
}
