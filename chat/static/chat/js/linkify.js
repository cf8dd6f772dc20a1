// Finds the addresses in a text. Only http and https: nothing that a click could run. What is shown of a link always names
// the host that it opens. Takes time in proportion to the length of any text.

import { shownHost } from "./hosts.js";

const SCHEME = /\bhttps?:\/\//gi;

// Letters, marks and digits of any language, but nothing that cannot be seen.
const WORD = String.raw`(?!\p{Default_Ignorable_Code_Point})[\p{L}\p{M}\p{N}]`;
const LABEL = `(?:[\\w-]|${WORD})+`;
const HOST = new RegExp(String.raw`(?:\[[\da-f:.]+\]|${LABEL}(?:\.${LABEL})*)(?:\.(?=[/?#]))?`, "iuy");
const PORT = /:\d{1,5}(?!\d)/y;
// A name and password before the host: what is read first is then not what is opened.
const USER = new RegExp(String.raw`(?:[\w\-.~!$&'()*+,;=:%[\]|^{}]|(?![\p{P}\s])[^\x00-\x7f])*@`, "uy");
// The rest. Of punctuation only ASCII's: any other ends an address, as the sentence's own. A comma before another address does, too.
const REST = new RegExp(String.raw`[/?#](?:(?![,;|']https?:\/\/)[\w!#$%&'()*+,\-./:;=?@[\]^{|}~]|${WORD})*`, "uy");

// Behind a host these end the address. Behind anything else a further part of a name would belong to it.
const ENDS_HOST = /[\s"'()<>[\]{},;:.?|\\`]|(?=\P{ASCII})\p{P}|$/uy;
const OTHER = new RegExp(String.raw`(?:(?!${LABEL}|[\s"'()<>[\]{},;:?|\\${"`"}/#]).)+`, "uy");
const GOES_ON = new RegExp(`\\.?${LABEL}|@`, "uy");
const IDEOGRAPHIC_DOT = /[\u3002\uff0e\uff61](?=[\w-])/uy;

// Scripts without spaces between words: behind `.com` they are the sentence's.
const UNSPACED =
  /^[a-z]{2,}(?=[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}])/iu;

const OPENERS = "([{";
const CLOSERS = ")]}";
const TRAILING = new Set(".,:;!?'*_~|([{");

/** The text in pieces, in order: {text} or {text, href}. */
export function linkify(text) {
  const pieces = [];
  let from = 0;
  SCHEME.lastIndex = 0;
  for (let found = SCHEME.exec(text); found !== null; found = SCHEME.exec(text)) {
    const link = linkAt(text, found.index, SCHEME.lastIndex);
    if (link === null) continue;
    if (found.index > from) pieces.push({ text: text.slice(from, found.index) });
    pieces.push({ text: link.text, href: link.href });
    from = SCHEME.lastIndex = link.end;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}

/** The link whose scheme stands at `start` and whose host at `hostAt`; null when there is none. */
function linkAt(text, start, hostAt) {
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
  const url = parse(text.slice(start, end));
  if (url === null) return null;
  return { text: text.slice(start, hostAt) + shownHost(host, url, rest) + rest, href: url.href, end };
}

/** Without what follows the last label in a script that leaves no space before it, and without `_` and `-`. */
function withoutSentence(host) {
  const lastLabel = host.lastIndexOf(".") + 1;
  const found = UNSPACED.exec(host.slice(lastLabel));
  return found === null ? host.replace(/[_-]{1,64}$/, "") : host.slice(0, lastLabel + found[0].length);
}

/** Whether a name goes on behind what ended it, such as a zero-width space: to link its beginning would be another host. */
function isBrokenOff(text, end, host) {
  if (!host.includes(".") && match(IDEOGRAPHIC_DOT, text, end) !== null) return true;
  if (match(ENDS_HOST, text, end) !== null) return false;
  const other = match(OTHER, text, end) ?? "";
  return match(GOES_ON, text, end + other.length) !== null;
}

/** A bracket that was not opened inside ends the address, and so does the punctuation at its end. */
function withoutTail(address) {
  const opened = [0, 0, 0];
  let end = 0;
  for (; end < address.length; end += 1) {
    const opener = OPENERS.indexOf(address[end]);
    const closer = CLOSERS.indexOf(address[end]);
    if (opener >= 0) opened[opener] += 1;
    if (closer >= 0 && (opened[closer] -= 1) < 0) break;
  }
  while (end > 0 && TRAILING.has(address[end - 1])) end -= 1;
  return address.slice(0, end);
}

function parse(address) {
  try {
    const url = new URL(address);
    const isPlain =
      (url.protocol === "http:" || url.protocol === "https:") && url.username === "" && url.password === "";
    return isPlain ? url : null;
  } catch {
    return null;
  }
}

function match(sticky, text, index) {
  sticky.lastIndex = index;
  return sticky.exec(text)?.[0] ?? null;
}
