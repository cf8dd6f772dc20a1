// Why the connection has ended for good, as pages say it: by the code of the close, since its reason is in English.

import { gettext } from "./texts.js";

/** @type {Record<number, string>} */
const TEXTS = {
  4001: gettext("You are signed out. Sign in again."),
  4002: gettext("You are signed out. Sign in again."),
  4003: gettext("You are signed out. Sign in again."),
  4004: gettext("You no longer have access."),
  4005: gettext("Your account no longer has access."),
  4008: gettext("The server ended the connection: the page sent too much that it cannot read. Reload the page."),
  4009: gettext("Too many pages are open. Close some of them."),
};

/**
 * @param {number | undefined} code
 * @returns {string} a sentence
 */
export function closeText(code) {
  return TEXTS[code ?? 0] ?? gettext("The connection has ended. Reload the page to try again.");
}
