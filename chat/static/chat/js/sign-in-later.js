// The session has ended while a dialog has a text that is nowhere else: the page stays, says so, and goes on once the user has
// signed in in another tab.

import { gettext } from "../../hubbub/js/texts.js";
import { html } from "../vendor/lit-html/lit-html.js";
import { Dialog } from "./dialog.js";

const TEXTS = {
  ended: gettext("You are signed out."),
  signIn: gettext("Sign in in another tab"),
  stays: gettext("What you typed stays here."),
};

/**
 * @param {() => void} leave  for the sign-in page
 * @param {() => void} connect  again
 * @returns {() => void} leaves at once, or when the dialog is closed
 */
export function signInLater(leave, connect) {
  /** @type {Dialog | null} */
  let held = null;
  const again = () => {
    if (held === null) return;
    held.note(null); // Still without a session, the server says so again.
    held = null;
    connect();
  };
  addEventListener("focus", again); // The user is back from the other tab.
  return () => {
    if (held !== null) return;
    const dialog = Dialog.typedIn;
    if (dialog === null) {
      leave();
      return;
    }
    held = dialog;
    dialog.note(
      html`${TEXTS.ended} <a href=${document.documentElement.dataset.signIn ?? ""} target="_blank">${TEXTS.signIn}</a>. ${TEXTS.stays}`,
    );
    dialog.element.addEventListener("close", again, { once: true });
  };
}
