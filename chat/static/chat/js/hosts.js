// How a link shows its host: as it was typed where no other host looks the same, else in the form that is looked up.

/** @param {string} script  its name in Unicode */
const lettersOf = (script) => new RegExp(`^[\\d\\-\\p{sc=${script}}]+$`, "u");

// Letters of western and central European languages, without those that look like others: ı, ĸ, ŀ, ŉ.
const LATIN = /^(?!.*[ıĸŀŉ])[\w\-\u00df-\u00f6\u00f8-\u00ff\u0101-\u017e]+$/su;
// Their letters look like Latin ones, or they are written from right to left: no other script may be in the host.
const ALONE = ["Cyrillic", "Greek", "Armenian", "Georgian", "Hebrew", "Arabic"].map(lettersOf);
const RIGHT_TO_LEFT = /[\p{sc=Hebrew}\p{sc=Arabic}]/u;
const INDIC = ["Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Tamil", "Telugu", "Kannada", "Sinhala"];
const BESIDE_LATIN = [...INDIC, "Thai", "Khmer", "Ethiopic"].map(lettersOf);
// Not strokes alone: they look like slashes and dashes.
const CHINESE_AND_JAPANESE = /^(?![\dー一丶丿丨〇ノソンゾニ-]+$)[\d\-\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}ー]+$/u;
const KOREAN = lettersOf("Hangul");
const ASCII = /^\p{ASCII}*$/u;

/**
 * The host as a link shows it.
 *
 * @param {string} typed  the host in the text
 * @param {URL} url  the address that the link opens
 * @param {string} rest  the text after the host, from the port on
 */
export function shownHost(typed, url, rest) {
  const host = typed.toLowerCase().replace(/\.$/, "");
  // A capital I looks like a small l.
  const isPlain =
    !typed.includes("I") && (ASCII.test(host) ? host === url.hostname.replace(/\.$/, "") : isReadable(host, rest));
  return isPlain ? typed : url.hostname;
}

/**
 * Whether no letter of a host beyond ASCII looks like another letter.
 *
 * @param {string} host
 * @param {string} rest
 */
function isReadable(host, rest) {
  // DNS looks up the normal form, which is another host.
  if (host.normalize("NFKC") !== host) return false;
  const labels = host.split(".");
  if (ALONE.some((script) => labels.every((label) => script.test(label)))) {
    // A digit in the rest could be displayed before the host.
    return !RIGHT_TO_LEFT.test(host) || rest === "" || rest === "/";
  }
  const scripts = [LATIN, CHINESE_AND_JAPANESE, KOREAN, ...BESIDE_LATIN];
  return labels.every((label) => scripts.some((script) => script.test(label)));
}
