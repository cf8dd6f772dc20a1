// The avatar of a user in a template of lit-html.

import { keyed } from "../vendor/lit-html/directives/keyed.js";
import { ref } from "../vendor/lit-html/directives/ref.js";
import { html } from "../vendor/lit-html/lit-html.js";
import { showAvatar } from "./avatars.js";

/** @import { Person } from "../../hubbub/js/types.js" */

/** @param {Person} user */
export function avatar(user) {
  /** @param {Element | undefined} element */
  const show = (element) => {
    if (element?.childNodes.length === 0) showAvatar(/** @type {HTMLElement} */ (element), user);
  };
  // Another name or picture is another element: a picture that still loads must not show on it.
  return keyed(
    `${user.name}\n${user.picture ?? ""}`,
    html`<span class="avatar" aria-hidden="true" ${ref(show)}></span>`,
  );
}
