// The dialog for a link: it asks for what the selection does not have, its address or its text.

import { gettext } from "../../hubbub/js/texts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { addressOf, isAddress } from "./composer-link.js";
import { Dialog } from "./dialog.js";

const TEXTS = {
  heading: gettext("Insert a link"),
  address: gettext("Address"),
  text: gettext("Text"),
  insert: gettext("Insert"),
  invalid: gettext("This is not a web address."),
};

/**
 * @param {string} selected
 * @param {(link: { address: string, text: string }) => void} done  called once the dialog is closed
 */
export function openLink(selected, done) {
  const hasAddress = isAddress(selected);
  const asksText = hasAddress || selected.trim() === "";
  const address = html`<label for="link-address">${TEXTS.address}</label>
    <input id="link-address" name="address" required inputmode="url" autocapitalize="none" spellcheck="false" dir="ltr" autocomplete="off"
      placeholder="example.org" @input=${check}>`;
  const text = html`<label for="link-text">${TEXTS.text}</label>
    <input id="link-text" name="text" dir="auto" autocomplete="off" ?required=${hasAddress}>`;
  const dialog = new Dialog({
    name: "link",
    heading: TEXTS.heading,
    content: () => html`${hasAddress ? nothing : address}${asksText ? text : nothing}`,
    submit: {
      label: TEXTS.insert,
      async run(fields) {
        dialog.close(); // The field behind it takes changes only now, and what is typed next comes behind the link.
        done({
          address: addressOf(hasAddress ? selected : String(fields.address)) ?? "",
          text: asksText ? String(fields.text).trim() : selected,
        });
      },
    },
  });
  return dialog;
}

/**
 * Lets the browser say what is wrong with an address, beside its field.
 *
 * @param {Event} event
 */
function check({ target }) {
  const field = /** @type {HTMLInputElement} */ (target);
  field.setCustomValidity(field.value.trim() === "" || addressOf(field.value) !== null ? "" : TEXTS.invalid);
}
