// The page of an admin action on many rows: sends step after step and shows the progress, until the action ends or the
// user presses "Stop". Without this script the button "Continue" sends each step.

import { find } from "./dom.js";
import { gettext } from "./texts.js";
import { parsePage } from "./trusted.js";

const RUNNING = gettext("The next rows follow automatically. Keep this page open.");
const STOPPING = gettext("Stopping after this step.");
const LOST = gettext("The server did not answer. Press “Continue” to try again.");

/**
 * Sends steps until the action ends or must stop.
 *
 * @template Page
 * @param {object} calls
 * @param {() => Promise<Page | null>} calls.send  resolves with the page of the next step, or with null at the end
 * @param {(page: Page) => void} calls.show
 * @param {() => boolean} calls.isStopped
 * @returns {Promise<"ended" | "stopped" | "lost">} lost: a step got no answer
 */
export async function run({ send, show, isStopped }) {
  try {
    for (;;) {
      const page = await send();
      if (page === null) return "ended";
      show(page);
      if (isStopped()) return "stopped";
    }
  } catch {
    return "lost";
  }
}

/** @param {HTMLFormElement} form */
async function start(form) {
  const continueButton = find(form, "[name=continue]", HTMLButtonElement);
  const stop = find(form, "[name=stop]", HTMLButtonElement);
  const status = find(document, "[data-role=status]", HTMLElement);
  let isRunning = true;
  let isStopped = false;

  form.addEventListener("submit", (event) => {
    if (!isRunning) return;
    event.preventDefault(); // Two steps at the same time would count the same rows twice.
    isStopped = true;
    status.textContent = STOPPING;
  });
  continueButton.hidden = true;
  status.textContent = RUNNING;
  const end = await run({ send: () => send(form), show: (page) => show(form, page), isStopped: () => isStopped });
  isRunning = false;
  if (end === "ended") location.assign(listAddress());
  else if (end === "stopped") form.requestSubmit(stop);
  else {
    status.textContent = LOST;
    continueButton.hidden = false;
  }
}

/** The address of this page and of the list, to which the last response redirects. */
const listAddress = () => location.pathname + location.search;

/**
 * @param {HTMLFormElement} form
 * @returns {Promise<Document | null>}
 */
async function send(form) {
  const fields = [...new FormData(form)].map(([name, value]) => [name, String(value)]);
  const body = new URLSearchParams(fields);
  const response = await fetch(listAddress(), { method: "POST", body, redirect: "manual" });
  if (response.type === "opaqueredirect") return null; // The list shows the message.
  const page = parsePage(await response.text());
  if (!response.ok || page.querySelector("[data-steps]") === null) throw new Error(`step refused: ${response.status}`);
  return page;
}

/**
 * @param {HTMLFormElement} form
 * @param {Document} page
 */
function show(form, page) {
  for (const input of form.querySelectorAll("input[type=hidden]")) input.remove();
  form.prepend(...page.querySelectorAll("[data-steps] input[type=hidden]"));
  for (const part of ["h1", "[data-role=failed]"]) {
    const selector = `#content ${part}`;
    find(document, selector, HTMLElement).textContent = find(page, selector, HTMLElement).textContent;
  }
  document.title = page.title;
  const progress = "[data-role=progress]";
  find(document, progress, HTMLProgressElement).value = find(page, progress, HTMLProgressElement).value;
}

/** @type {HTMLFormElement | null | undefined} */
const form = globalThis.document?.querySelector("[data-steps]");
if (form) start(form);
