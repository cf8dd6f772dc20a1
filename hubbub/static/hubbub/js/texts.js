// The texts of scripts in the language of the page. `{% text_scripts %}` of the page's template brings the catalogues; without
// one, a text is shown as it stands in the script: in English.

/**
 * The texts of one app in one language, by their English text. A text with plurals has one for each form of the language.
 * @typedef {{ plural: (n: number) => number, texts: Record<string, string | string[]> }} Catalogue
 */

/** @type {Catalogue[]} */
const catalogues = Reflect.get(globalThis, "hubbubTexts") ?? [];

/**
 * @param {string} text  in English
 * @returns {string}
 */
export function gettext(text) {
  const found = find(text)?.translation;
  return typeof found === "string" ? found : text;
}

/**
 * As `gettext`, where one English text has two meanings.
 *
 * @param {string} context
 * @param {string} text
 */
export function pgettext(context, text) {
  const found = find(`${context}\u0004${text}`)?.translation;
  return typeof found === "string" ? found : text;
}

/**
 * The text for a number. The number is put in by `interpolate`.
 *
 * @param {string} one  in English
 * @param {string} many  in English
 * @param {number} n
 */
export function ngettext(one, many, n) {
  const { catalogue, translation } = find(one) ?? {};
  const found = Array.isArray(translation) ? translation[catalogue?.plural(n) ?? 0] : undefined;
  return found ?? (n === 1 ? one : many);
}

/**
 * Puts values into a text: `interpolate("%(n)s new", { n: 3 })` is "3 new", and `%%` is a percent sign.
 *
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
export function interpolate(text, values) {
  return text.replace(/%%|%\((\w+)\)s/g, (whole, name) => (whole === "%%" ? "%" : String(values[name] ?? whole)));
}

/**
 * Marks a text for translation where `gettext` is called with a variable.
 *
 * @param {string} text
 */
export function gettext_noop(text) {
  return text;
}

/** @param {string} key */
function find(key) {
  for (const catalogue of catalogues) {
    if (Object.hasOwn(catalogue.texts, key)) return { catalogue, translation: catalogue.texts[key] };
  }
  return undefined;
}
