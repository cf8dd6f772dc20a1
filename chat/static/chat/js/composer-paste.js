// Pasted code: a small offer to make a block of it; the text is pasted as it is in any case. An address that is pasted on a
// selected text becomes its link.

import { isInFence } from "./composer-blocks.js";
import { pastedLinkEdit } from "./composer-link.js";
import { longestRun } from "./composer-marks.js";
import { part } from "./parts.js";

/** @import { Field } from "./composer-field.js" */
/** @import { TextEdit } from "./types.js" */

const MIN_FENCE = 3;
const EDITOR_TYPES = ["vscode-editor-data", "application/x-vscode-snippet"];
const CODE_HTML = /<pre[\s>]|font-family:[^;"']*(?:mono|consolas|menlo|courier)/i;
const INDENTED = /^(?:\t| {2,})\S/;
const CODE_END = /[{};]\s*$|(?:=>|\)\s*:|[([])\s*$/;
const CODE_START =
  /^\s*(?:[)}\]]|<\/?[a-z][^>]*>|#include\b|(?:def|class|function|import|from|const|let|var|return|if|for|while)\b.*[:;{)=])/;
const ITEM = /^\s*(?:[-+*>]|\d+[.)])\s/;

export class PasteOffer {
  #field;
  #place;
  /** @type {{ start: number, end: number } | null} where the text was pasted */
  #pasted = null;

  /**
   * @param {HTMLElement} form
   * @param {Field} field
   */
  constructor(form, field) {
    this.#field = field;
    this.#place = part(form, "offer");
    field.element.addEventListener("paste", (event) => this.#onPaste(event));
    part(form, "offer-block").addEventListener("click", () => this.#accept());
    part(form, "offer-close").addEventListener("click", () => {
      this.withdraw();
      field.element.focus();
    });
  }

  get isOpen() {
    return !this.#place.hidden;
  }

  withdraw() {
    this.#pasted = null;
    this.#place.hidden = true;
  }

  /** @param {ClipboardEvent} event */
  #onPaste(event) {
    const { clipboardData } = event;
    const text = (clipboardData?.getData("text/plain") ?? "").replace(/\r\n?/g, "\n");
    const selection = this.#field.selection;
    const { start } = selection;
    if (this.#field.element.readOnly || isInFence(this.#field.text, start)) return;
    const link = pastedLinkEdit(this.#field.text, start, selection.end, text.trim());
    if (link !== null) {
      event.preventDefault();
      this.#field.apply(link);
      return;
    }
    if (!looksLikeCode(text, clipboardData?.types ?? [], clipboardData?.getData("text/html") ?? "")) return;
    // After this event the browser inserts the text.
    setTimeout(() => {
      const { end } = this.#field.selection;
      if (this.#field.text.slice(start, end) !== text) return;
      this.#pasted = { start, end };
      this.#place.hidden = false;
    });
  }

  #accept() {
    const pasted = this.#pasted;
    this.withdraw();
    if (pasted !== null) this.#field.apply(blockEdit(this.#field.text, pasted.start, pasted.end));
  }
}

/**
 * Whether a pasted text is code: several lines from an editor, or with indents, braces and semicolons.
 *
 * @param {string} text
 * @param {readonly string[]} types  of the clipboard
 * @param {string} html  of the clipboard
 */
export function looksLikeCode(text, types, html) {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines.length < 2 || /^ {0,3}(?:`{3}|~{3})/m.test(text)) return false;
  if (types.some((type) => EDITOR_TYPES.includes(type)) || CODE_HTML.test(html)) return true;
  /** @param {RegExp} sign */
  const share = (sign) => lines.filter((line) => sign.test(line)).length / lines.length;
  if (share(ITEM) > 0.5) return false;
  const signs = lines.filter((line) => CODE_END.test(line) || CODE_START.test(line)).length / lines.length;
  return signs >= 0.5 || (signs > 0 && share(INDENTED) > 0);
}

/**
 * Makes a part of a text a fenced block on lines of its own. The caret stands behind it.
 *
 * @param {string} text
 * @param {number} start
 * @param {number} end
 * @returns {TextEdit}
 */
export function blockEdit(text, start, end) {
  const code = text.slice(start, end).replace(/^(?:[^\S\n]*\n)+|\s+$/g, "");
  const fence = "`".repeat(Math.max(MIN_FENCE, longestRun(code) + 1));
  const before = start === 0 || text[start - 1] === "\n" ? "" : "\n";
  const after = end === text.length || text[end] === "\n" ? "" : "\n";
  const insert = `${before}${fence}\n${code}\n${fence}${after}`;
  const caret = start + insert.length;
  return { from: start, to: end, insert, start: caret, end: caret };
}
