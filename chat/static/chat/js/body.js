// The body of a message before it is sent. The server cleans it again by the same rule: chat/validators.py.

// White space, control characters, characters that Unicode ignores by default (zero-width marks, fillers, bidi controls,
// tags), and letters without ink. chat/validators.py has the same ranges; a test compares them.
const BLANK =
  "\\u{0}-\\u{20}\\u{7F}-\\u{A0}\\u{AD}\\u{34F}\\u{61C}\\u{115F}-\\u{1160}\\u{1680}\\u{17B4}-\\u{17B5}\\u{180B}-\\u{180F}" +
  "\\u{2000}-\\u{200F}\\u{2028}-\\u{202F}\\u{205F}-\\u{206F}\\u{2800}\\u{3000}\\u{3164}\\u{FE00}-\\u{FE0F}\\u{FEFF}\\u{FFA0}" +
  "\\u{FFF0}-\\u{FFFB}\\u{13430}-\\u{13455}\\u{16FE4}\\u{1BCA0}-\\u{1BCA3}\\u{1D159}\\u{1D173}-\\u{1D17A}\\u{E0000}-\\u{E0FFF}";
const VISIBLE = new RegExp(`[^${BLANK}]`, "u");
const LINE_BREAK = /[\n\v\f\r\x85\u2028\u2029]/u;

/**
 * The body as it is sent: normal form C, no half characters, no blank lines at either end.
 *
 * @param {string} body
 * @returns {string} empty when no character is visible
 */
export function clean(body) {
  const lines = (body.toWellFormed?.() ?? body).normalize("NFC");
  const first = lines.search(VISIBLE);
  if (first < 0) return "";
  let last = lines.length - 1;
  // Never past `first`. The second half of a pair by itself is visible: it stops here, as its whole character does.
  while (last > first && !VISIBLE.test(charEndingAt(lines, last))) last -= charEndingAt(lines, last).length;
  let start = first;
  while (start > 0 && !LINE_BREAK.test(lines.charAt(start - 1))) start -= 1;
  let end = last + 1;
  while (end < lines.length && !LINE_BREAK.test(lines.charAt(end))) end += 1;
  return lines.slice(start, end);
}

/**
 * The number of characters as the server counts them: code points.
 *
 * @param {string} body
 */
export function countChars(body) {
  return [...body].length;
}

/**
 * @param {string} text
 * @param {number} index  of the character's last code unit
 */
function charEndingAt(text, index) {
  const unit = text.charCodeAt(index);
  const isSecondHalf = unit >= 0xdc00 && unit < 0xe000 && index > 0;
  return isSecondHalf ? text.slice(index - 1, index + 1) : text.charAt(index);
}
