// The keys of the page, as tables.

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
    heading: "Everywhere",
    rows: [
      { keys: [["Ctrl", "K"]], does: "Jump to a room" },
      {
        keys: [
          ["Alt", "↑"],
          ["Alt", "↓"],
        ],
        does: "The room above, the room below",
      },
      {
        keys: [
          ["Alt", "Shift", "↑"],
          ["Alt", "Shift", "↓"],
        ],
        does: "The same among unread rooms",
      },
      { keys: [["F6"]], does: "The next part of the page" },
      { keys: [["?"]], does: "This list" },
    ],
  },
  {
    heading: "Writing",
    rows: [
      { keys: [["Enter"]], does: "Send" },
      { keys: [["Shift", "Enter"]], does: "A new line" },
      { keys: [["↑"]], does: "Edit your last message, from an empty field" },
      { keys: [["Esc"]], does: "Leave an edit; mark the room as read" },
    ],
  },
  {
    heading: "Among the messages",
    rows: [
      { keys: [["↑"], ["↓"]], does: "The message above, the message below" },
      { keys: [["E"]], does: "Edit it" },
      { keys: [["L"]], does: "Copy its link" },
      { keys: [["U"]], does: "Mark as unread from there" },
      { keys: [["Delete"]], does: "Delete it" },
      { keys: [["Esc"]], does: "Back to the field" },
    ],
  },
];

const TEXTS = { heading: "Keys", key: "Key", does: "What it does" };
const MAC = /** @type {Record<string, string>} */ ({ Ctrl: "⌘", Alt: "⌥", Shift: "⇧" });

/**
 * @param {Page} _page
 * @param {{ heading: string, rows: KeyRow[] }[]} sections
 */
export function openKeys(_page, sections = KEYS) {
  const isMac = /mac|iphone|ipad/i.test(navigator.platform);
  /** @param {string} key */
  const label = (key) => (isMac ? (MAC[key] ?? key) : key);
  /** @param {string[]} keys */
  const together = (keys) => html`<span class="keys">${keys.map((key) => html`<kbd>${label(key)}</kbd>`)}</span> `;
  return new Dialog({
    name: "keys",
    heading: TEXTS.heading,
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
