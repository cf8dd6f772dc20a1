// Forms that are sent without leaving their page, so that the input in its other forms stays.
//
// The response is the form in its new state, with the result or the errors; `shown` may then attach listeners to it.

import { find } from "../../hubbub/js/dom.js";
import { gettext, interpolate } from "../../hubbub/js/texts.js";
import { parsePage } from "../../hubbub/js/trusted.js";

const IN_PLACE = { "X-In-Place": "1" };

/**
 * @param {HTMLFormElement} form  has an element `[data-role=failure]` for requests that got no such response
 * @param {{ sending?: () => void, shown?: () => void }} calls  run before the request, and after the form was replaced
 */
export function sendInPlace(form, { sending = () => {}, shown = () => {} } = {}) {
  let isSending = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isSending) return;
    isSending = true;
    sending();
    try {
      const body = new FormData(form, event.submitter);
      const response = await fetch(form.getAttribute("action") ?? "", {
        method: "POST",
        body,
        headers: IN_PLACE,
        redirect: "manual",
      });
      const answer = response.ok ? parsePage(await response.text()).getElementById(form.id) : null;
      if (answer !== null) show(form, answer, shown);
      else if (response.type === "opaqueredirect") {
        fail(form, gettext("You are signed out. Sign in again in another tab, then reload this page."));
      } else fail(form, refusal(response.status));
    } catch {
      fail(form, gettext("The server did not answer. Try again."));
    } finally {
      isSending = false;
    }
  });
}

/**
 * Focuses the result, or the first wrong field.
 *
 * @param {HTMLFormElement} form
 */
export function focusIn(form) {
  /** @type {HTMLElement | null} */
  const target = form.querySelector("[autofocus]");
  if (target === null) return;
  // The admin's search hides its field behind an element of its own.
  const isSearch = target.classList.contains("select2-hidden-accessible");
  /** @type {HTMLElement | null | undefined} */
  const search = isSearch ? target.parentElement?.querySelector(".select2-selection") : null;
  (search ?? target).focus();
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement} answer
 * @param {() => void} shown
 */
function show(form, answer, shown) {
  form.replaceChildren(...answer.childNodes);
  shown();
  focusIn(form);
}

/**
 * @param {HTMLFormElement} form
 * @param {string} text
 */
function fail(form, text) {
  const place = find(form, "[data-role=failure]", HTMLElement);
  place.textContent = text;
  place.hidden = false;
}

/** @param {number} status  of the response */
function refusal(status) {
  return interpolate(gettext("The server refused this (%(status)s). Reload this page, then try again."), { status });
}
