// How the host of an address is shown: as it was typed where that can be taken for no other, else as it is looked up.

const isOneOf = (scripts) => new RegExp(`^[\\d\\-${scripts.map((script) => `\\p{sc=${script}}`).join("")}]+$`, "u");

// Letters of western and central European languages, but those that are easily taken for others: ı, ĸ, ŀ, ŉ.
const LATIN = /^(?![^]*[ıĸŀŉ])[\w\-\u00df-\u00f6\u00f8-\u00ff\u0101-\u017e]+$/u;
// Their letters look like Latin's, or they are read from the right: with nothing else in the host.
const ALONE = ["Cyrillic", "Greek", "Armenian", "Georgian", "Hebrew", "Arabic"].map((script) => isOneOf([script]));
const FROM_THE_RIGHT = /[\p{sc=Hebrew}\p{sc=Arabic}]/u;
const BESIDE_LATIN = [
  ...[
    "Devanagari",
    "Bengali",
    "Gurmukhi",
    "Gujarati",
    "Tamil",
    "Telugu",
    "Kannada",
    "Sinhala",
    "Thai",
    "Khmer",
    "Ethiopic",
  ],
].map((script) => isOneOf([script]));
// Not of strokes alone: they look like slashes and dashes.
const CHINESE_AND_JAPANESE = /^(?![\dー一丶丿丨〇ノソンゾニ-]+$)[\d\-\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}ー]+$/u;
const KOREAN = isOneOf(["Hangul"]);

/** `typed`: the host as it stands in the text; `url`: what was read from it; `rest`: what follows it, from the port on. */
export function shownHost(typed, url, rest) {
  const host = typed.toLowerCase().replace(/\.$/, "");
  // A capital I looks like a small l.
  const isPlain =
    !typed.includes("I") &&
    (/^[\x00-\x7f]*$/.test(host) ? host === url.hostname.replace(/\.$/, "") : isReadable(host, rest));
  return isPlain ? typed : url.hostname;
}

/** Whether the letters of a host beyond ASCII can be taken for no others. */
function isReadable(host, rest) {
  // What is not in this form is looked up as something else.
  if (host.normalize("NFKC") !== host) return false;
  const labels = host.split(".");
  if (ALONE.some((script) => labels.every((label) => script.test(label)))) {
    // What follows, with a digit in it, could be shown before it.
    return !FROM_THE_RIGHT.test(host) || rest === "" || rest === "/";
  }
  const scripts = [LATIN, CHINESE_AND_JAPANESE, KOREAN, ...BESIDE_LATIN];
  return labels.every((label) => scripts.some((script) => script.test(label)));
}
