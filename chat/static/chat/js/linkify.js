// Finds the addresses in a text. Only http and https: a click must not run code. The text of a link always names the host
// that it opens. The time is proportional to the length of the text.

import { shownHost } from "./hosts.js";

const SCHEME = /\bhttps?:\/\//gi;

// Letters, marks and digits of any language, without invisible ones.
const WORD = String.raw`(?!\p{Default_Ignorable_Code_Point})[\p{L}\p{M}\p{N}]`;
const LABEL = `(?:[\\w-]|${WORD})+`;
const HOST = new RegExp(String.raw`(?:\[[\da-f:.]+\]|${LABEL}(?:\.${LABEL})*)(?:\.(?=[/?#]))?`, "iuy");
const PORT = /:\d{1,5}(?!\d)/y;
// A name and password before the host: the reader would take them for the host.
const USER = /(?:[\w\-.~!$&'()*+,;=:%[\]|^{}]|(?![\p{P}\s])\P{ASCII})*@/uy;
// The rest of an address. Punctuation beyond ASCII belongs to the sentence and ends it; so does a comma before another
// address.
const REST = new RegExp(String.raw`[/?#](?:(?![,;|']https?:\/\/)[\w!#$%&'()*+,\-./:;=?@[\]^{|}~]|${WORD})*`, "uy");

// After a host these end the address. After any other character a further part of a name would belong to the host.
const ENDS_HOST = /[\s"'()<>[\]{},;:.?|\\`]|(?=\P{ASCII})\p{P}|$/uy;
const OTHER = new RegExp(String.raw`(?:(?!${LABEL}|[\s"'()<>[\]{},;:?|\\${"`"}/#]).)+`, "uy");
const CONTINUES = new RegExp(`\\.?${LABEL}|@`, "uy");
const IDEOGRAPHIC_DOT = /[\u3002\uff0e\uff61](?=[\w-])/uy;

// Scripts without spaces between words: after `.com` they belong to the sentence.
const UNSPACED =
  /^[a-z]{2,}(?=[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}])/iu;

const OPENERS = "([{";
const CLOSERS = ")]}";
const TRAILING = new Set(".,:;!?'*_~|([{");

/**
 * A part of a text; with `href` it is a link.
 * @typedef {{ text: string, href?: string }} Piece
 */

/**
 * Splits a text into plain text and links, in order.
 *
 * @param {string} text
 * @returns {Piece[]}
 */
export function linkify(text) {
  /** @type {Piece[]} */
  const pieces = [];
  let from = 0;
  SCHEME.lastIndex = 0;
  for (let scheme = SCHEME.exec(text); scheme !== null; scheme = SCHEME.exec(text)) {
    const link = linkAt(text, scheme.index, SCHEME.lastIndex);
    if (link === null) continue;
    if (scheme.index > from) pieces.push({ text: text.slice(from, scheme.index) });
    pieces.push({ text: link.text, href: link.href });
    from = SCHEME.lastIndex = link.end;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}

/**
 * The link whose scheme begins at `start` and whose host begins at `hostAt`; null when there is none.
 *
 * @param {string} text
 * @param {number} start
 * @param {number} hostAt
 */
export function linkAt(text, start, hostAt) {
  if (match(USER, text, hostAt) !== null) return null;
  const typed = match(HOST, text, hostAt);
  if (typed === null) return null;
  const host = withoutSentence(typed);
  let end = hostAt + host.length;
  let rest = "";
  if (host === typed) {
    const port = match(PORT, text, end) ?? "";
    rest = port + withoutTail(match(REST, text, end + port.length) ?? "");
    end += rest.length;
    if (rest === "" && isBrokenOff(text, end, host)) return null;
  }
  const url = openable(text.slice(start, end));
  if (url === null) return null;
  return { text: text.slice(start, hostAt) + shownHost(host, url, rest) + rest, href: url.href, end };
}

/**
 * The host without the words that follow it in a script without spaces, and without `_` and `-` at its end.
 *
 * @param {string} host
 */
function withoutSentence(host) {
  const lastLabel = host.lastIndexOf(".") + 1;
  const ending = UNSPACED.exec(host.slice(lastLabel));
  return ending === null ? host.replace(/[_-]{1,64}$/, "") : host.slice(0, lastLabel + ending[0].length);
}

/**
 * Whether the name continues after a character that ended it, such as a zero-width space: its first part is another host.
 *
 * @param {string} text
 * @param {number} end
 * @param {string} host
 */
function isBrokenOff(text, end, host) {
  if (!host.includes(".") && match(IDEOGRAPHIC_DOT, text, end) !== null) return true;
  if (match(ENDS_HOST, text, end) !== null) return false;
  const between = match(OTHER, text, end) ?? "";
  return match(CONTINUES, text, end + between.length) !== null;
}

/**
 * The address up to a bracket that it does not open, without the punctuation at its end.
 *
 * @param {string} address
 */
function withoutTail(address) {
  const opened = [0, 0, 0];
  let end = 0;
  for (; end < address.length; end += 1) {
    const opener = OPENERS.indexOf(address.charAt(end));
    const closer = CLOSERS.indexOf(address.charAt(end));
    if (opener >= 0) opened[opener] += 1;
    if (closer >= 0) opened[closer] -= 1;
    if (opened[closer] < 0) break;
  }
  while (end > 0 && TRAILING.has(address.charAt(end - 1))) end -= 1;
  return address.slice(0, end);
}

/**
 * The address as the browser reads it; null when a link must not open it.
 *
 * @param {string} address
 */
export function openable(address) {
  try {
    const url = new URL(address);
    // A name before the host would be taken for the host.
    const isPlain = /^(?:https?|mailto):$/.test(url.protocol) && url.username === "" && url.password === "";
    return isPlain ? url : null;
  } catch {
    return null;
  }
}

/**
 * The match of a sticky pattern at `index`.
 *
 * @param {RegExp} sticky
 * @param {string} text
 * @param {number} index
 */
function match(sticky, text, index) {
  sticky.lastIndex = index;
  return sticky.exec(text)?.[0] ?? null;
}
