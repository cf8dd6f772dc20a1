// The language and the clock of the page, as `<html lang data-clock>` names them, for Intl.

/**
 * The browser's variant of the page's language, such as en-GB on an English page; else that language.
 *
 * @param {string} language
 * @param {readonly string[]} preferred  of the browser
 */
export function localeOf(language, preferred) {
  const base = (/** @type {string} */ tag) => tag.toLowerCase().split("-")[0];
  return preferred.find((tag) => base(tag) === base(language)) ?? language;
}

/**
 * The options of an hour and a minute. A clock of 12 hours has no zero before the hour: "6:47 PM".
 *
 * @param {string} locale
 * @param {string | undefined} clock  "12" or "24"; anything else: by the language
 * @returns {Intl.DateTimeFormatOptions}
 */
export function hourOptions(locale, clock) {
  const byLanguage = new Intl.DateTimeFormat(locale, { hour: "numeric" }).resolvedOptions().hourCycle;
  const hourCycle = clock === "12" ? "h12" : clock === "24" ? "h23" : byLanguage;
  const hour = hourCycle === "h12" || hourCycle === "h11" ? "numeric" : "2-digit";
  return { hour, minute: "2-digit", hourCycle };
}

const root = globalThis.document?.documentElement; // Node.js has none.

export const locale = root?.lang ? localeOf(root.lang, navigator.languages) : "en";
export const hours = hourOptions(locale, root?.dataset.clock);

/** The reader has chosen another clock. */
export function renewHours() {
  Object.assign(hours, hourOptions(locale, root?.dataset.clock));
}
