// Forms that are sent without leaving their page, so that the input of other forms on it stays.
//
// The answer is the form as it is now, with what was done or what is wrong; `shown` gets it, to wire it up.

const IN_PLACE = { "X-In-Place": "1" };

/** `form` has an element `[data-role=failure]` for what no answer says. */
export function sendInPlace(form, { sending = () => {}, shown = () => {} } = {}) {
  let isSending = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isSending) return;
    isSending = true;
    sending();
    try {
      const body = new FormData(form, event.submitter);
      const response = await fetch(form.getAttribute("action"), {
        method: "POST",
        body,
        headers: IN_PLACE,
        redirect: "manual",
      });
      const answer = response.ok ? formIn(await response.text(), form.id) : null;
      if (answer !== null) show(form, answer, shown);
      else if (response.type === "opaqueredirect")
        fail(form, "You are signed out. Sign in again in another tab, then reload this page.");
      else fail(form, `The server refused this (${response.status}). Reload this page, then try again.`);
    } catch {
      fail(form, "The server did not answer. Try again.");
    } finally {
      isSending = false;
    }
  });
}

/** The cursor goes to what was done, or to the first wrong field. */
export function focusIn(form) {
  const target = form.querySelector("[autofocus]");
  if (target === null) return;
  // The admin's search hides its field behind an element of its own.
  const search = target.classList.contains("select2-hidden-accessible")
    ? target.parentElement.querySelector(".select2-selection")
    : null;
  (search ?? target).focus();
}

function show(form, answer, shown) {
  form.replaceChildren(...answer.childNodes);
  shown();
  focusIn(form);
}

function formIn(text, id) {
  return new DOMParser().parseFromString(text, "text/html").getElementById(id);
}

function fail(form, text) {
  const place = form.querySelector("[data-role=failure]");
  place.textContent = text;
  place.hidden = false;
}
