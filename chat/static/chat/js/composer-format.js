// The formats of a message that the composer has buttons and keys for.

import { codeBlockEdit, linesEdit } from "./composer-blocks.js";
import { markEdit } from "./composer-marks.js";

/** @import { FormatKind, TextEdit } from "./types.js" */

/**
 * @param {Exclude<FormatKind, "link">} kind  a link is asked for, see dialog-link.js
 * @param {string} text
 * @param {number} start
 * @param {number} end  of the selection
 * @returns {TextEdit}
 */
export function formatEdit(kind, text, start, end) {
  switch (kind) {
    case "code-block":
      return codeBlockEdit(text, start, end);
    case "list":
      return linesEdit("- ", text, start, end);
    case "quote":
      return linesEdit("> ", text, start, end);
    default:
      return markEdit(kind, text, start, end);
  }
}

/** @type {Record<string, FormatKind>} by the keys that are held beside Ctrl, then the key on a keyboard of the US */
const KEYS = {
  KeyB: "bold",
  KeyI: "italic",
  KeyE: "code",
  ShiftKeyX: "strike",
  ShiftKeyE: "code-block",
  ShiftKeyL: "link",
  ShiftDigit8: "list",
  ShiftDigit9: "quote",
};

/**
 * The format of a key; null: it has none. Letters count by what they write, digits by their place.
 *
 * @param {Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">} event
 * @param {boolean} isApple  the command key is held in place of Ctrl
 * @returns {FormatKind | null}
 */
export function formatOfKey({ key, code, ctrlKey, metaKey, shiftKey, altKey }, isApple) {
  if (altKey || (isApple ? !metaKey || ctrlKey : !ctrlKey || metaKey)) return null;
  const place = /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : code;
  return KEYS[(shiftKey ? "Shift" : "") + place] ?? null;
}
