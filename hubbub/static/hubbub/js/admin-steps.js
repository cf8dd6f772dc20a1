// The page of an action of the admin on many rows: sends step after step and shows the progress, until the action ends
// or somebody presses "Stop". Without this script the button "Go on" sends each step.

const RUNNING = "The next rows follow automatically. Keep this page open.";
const STOPPING = "Stopping after this step.";
const LOST = "The server did not answer. Press “Go on” to try again.";

/** Send steps until the action has ended or is to stop. `send` gives the page of the next step, or null at the end. */
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

async function start(form) {
  const { go_on: goOn, stop } = form.elements;
  const status = document.querySelector("[data-role=status]");
  let isRunning = true;
  let isStopped = false;

  form.addEventListener("submit", (event) => {
    if (!isRunning) return;
    event.preventDefault(); // Two steps at once would both count the same rows.
    isStopped = true;
    status.textContent = STOPPING;
  });
  goOn.hidden = true;
  status.textContent = RUNNING;
  const end = await run({ send: () => send(form), show: (page) => show(form, page), isStopped: () => isStopped });
  isRunning = false;
  if (end === "ended") location.assign(listAddress());
  else if (end === "stopped") form.requestSubmit(stop);
  else {
    status.textContent = LOST;
    goOn.hidden = false;
  }
}

/** The page's own address: that of the list, which the last answer redirects to. */
const listAddress = () => location.pathname + location.search;

async function send(form) {
  const body = new URLSearchParams(new FormData(form));
  const response = await fetch(listAddress(), { method: "POST", body, redirect: "manual" });
  if (response.type === "opaqueredirect") return null; // The list shows the message.
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!response.ok || page.querySelector("[data-steps]") === null) throw new Error(`step refused: ${response.status}`);
  return page;
}

function show(form, page) {
  const hidden = (of) => [...of.querySelectorAll("input[type=hidden]")];
  for (const input of hidden(form)) input.remove();
  form.prepend(...hidden(page.querySelector("[data-steps]")));
  for (const part of ["h1", "[data-role=failed]"]) {
    document.querySelector(`#content ${part}`).textContent = page.querySelector(`#content ${part}`).textContent;
  }
  document.title = page.title;
  document.querySelector("[data-role=progress]").value = page.querySelector("[data-role=progress]").value;
}

const form = globalThis.document?.querySelector("[data-steps]");
if (form) start(form);
