// A form is sent only while the server answers and its user is signed in. Else the page stays, with all that was typed.

import { ownIdOf } from "../../hubbub/js/own-name.js";
import { gettext } from "../../hubbub/js/texts.js";
import { parsePage } from "../../hubbub/js/trusted.js";

const TOKEN = "input[name=csrfmiddlewaretoken]";
const AWAY = gettext("The server did not answer. What you typed stays here: try again in a moment.");
const ENDED = gettext("You are signed out. What you typed stays here: sign in again in another tab, then save it.");

/** @param {HTMLFormElement} form */
export function sendSafely(form) {
  let isSending = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isSending) return;
    isSending = true;
    const problem = await problemOf(form);
    isSending = false;
    if (problem === "") form.submit();
    else say(form, problem);
  });
}

/**
 * Why the form cannot be sent now; "": it can. A sign-in since the page was made has another token, which the form then gets.
 *
 * @param {HTMLFormElement} form
 */
async function problemOf(form) {
  try {
    const response = await fetch(location.pathname, { redirect: "manual" });
    if (response.type === "opaqueredirect") return ENDED;
    if (!response.ok) return AWAY;
    const page = parsePage(await response.text());
    const [mine, now] = [form, page].map((root) => /** @type {HTMLInputElement | null} */ (root.querySelector(TOKEN)));
    // The server refuses what was typed for another user.
    if (mine && now && ownIdOf(page) === ownIdOf(document)) mine.value = now.value;
    return "";
  } catch {
    return AWAY;
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {string} text
 */
function say(form, text) {
  const place = form.querySelector("[data-role=unsent]") ?? document.createElement("p");
  place.className = "form-error";
  place.setAttribute("data-role", "unsent");
  place.setAttribute("role", "alert");
  place.textContent = text;
  form.querySelector("[type=submit]")?.before(place);
}
