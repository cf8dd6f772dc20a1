// Finds the addresses in a text. Only http and https: nothing that a click could run.

const ADDRESS = /\bhttps?:\/\/[^\s<>"“”«»]+/giu;
const TRAILING = /[.,;:!?'’*_~…]$/u;
const CLOSERS = { ")": "(", "]": "[", "}": "{" };

/** The text in pieces, in order: {text} or {text, href}. */
export function linkify(text) {
  const pieces = [];
  let from = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const address = withoutTail(found[0]);
    const href = hrefOf(address);
    if (href === null) continue;
    if (found.index > from) pieces.push({ text: text.slice(from, found.index) });
    pieces.push({ text: address, href });
    from = found.index + address.length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}

/** The sentence's own punctuation behind an address is not part of it; a bracket is, when it was opened inside. */
function withoutTail(address) {
  for (;;) {
    const last = address.at(-1);
    const opener = CLOSERS[last];
    const unopened = opener !== undefined && count(address, last) > count(address, opener);
    if (!unopened && !TRAILING.test(address)) return address;
    address = address.slice(0, -1);
  }
}

function count(text, char) {
  return text.split(char).length - 1;
}

function hrefOf(address) {
  try {
    const { protocol, href } = new URL(address);
    return protocol === "http:" || protocol === "https:" ? href : null;
  } catch {
    return null;
  }
}
