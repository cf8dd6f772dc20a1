// Links in CommonMark: what a link is made of, and how it is taken back. Pure.

import { openable } from "./linkify.js";

/** @import { TextEdit } from "./types.js" */

const LABEL_SIGNS = /[[\]]/g;
const IS_ADDRESS = /^https?:\/\/[^\s()<>]+$/;
const SCHEME = /^[a-z][a-z\d+.-]*:(?!\d)/i;
const LINK = /^\[((?:[^[\]\\]|\\.)*)\]\(https?:\/\/[^\s()<>]+\)$/;
// They would end the address in a message.
const ENDS_ADDRESS = /[\s()<>\\]/g;

/** @param {string} text */
export const isAddress = (text) => IS_ADDRESS.test(text);

/**
 * A typed address, as it stands in a link. Without a scheme it gets that of the web.
 *
 * @param {string} typed
 * @returns {string | null} null: a link cannot open it
 */
export function addressOf(typed) {
  const trimmed = typed.trim();
  const whole = SCHEME.test(trimmed) ? trimmed : `https://${trimmed.replace(/^\/\//, "")}`;
  const url = openable(whole);
  if (url === null || !/^https?:$/.test(url.protocol)) return null;
  return whole.replace(ENDS_ADDRESS, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}

/**
 * Replaces a selection by a link, and puts the caret behind it. Without a text the address is its own.
 *
 * @param {number} start
 * @param {number} end  of the selection
 * @param {{ address: string, text: string }} link
 * @returns {TextEdit}
 */
export function linkEdit(start, end, { address, text }) {
  const insert = text.trim() === "" ? address : `[${text.replace(LABEL_SIGNS, "\\$&")}](${address})`;
  const caret = start + insert.length;
  return { from: start, to: end, insert, start: caret, end: caret };
}

/**
 * Takes back a link that is selected.
 *
 * @param {string} text
 * @param {number} start
 * @param {number} end
 * @returns {TextEdit | null} null: no link is selected
 */
export function unlinkEdit(text, start, end) {
  const label = LINK.exec(text.slice(start, end))?.[1];
  if (label === undefined) return null;
  const insert = label.replace(/\\([[\]])/g, "$1");
  return { from: start, to: end, insert, start, end: start + insert.length };
}

/**
 * Makes a selected text the label of a link to an address that is pasted on it.
 *
 * @param {string} text
 * @param {number} start
 * @param {number} end  of the selection
 * @param {string} address
 * @returns {TextEdit | null} null: there is no label, or no address
 */
export function pastedLinkEdit(text, start, end, address) {
  const label = text.slice(start, end);
  if (label.trim() === "" || isAddress(label) || !isAddress(address)) return null;
  return linkEdit(start, end, { address, text: label });
}
