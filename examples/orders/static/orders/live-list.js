// The list of the admin, live: after each change the page is read again, and its rows replace those on the screen.

import { Hubbub } from "../hubbub/js/hub.js";

const list = () => document.querySelector("#changelist-form");
const isSelecting = () => document.querySelector(".action-select:checked") !== null;
let isStale = false;
let isReading = false;

async function refresh() {
  if (isReading) return;
  isReading = true;
  try {
    // A selection is kept: the list follows when it ends.
    while (isStale && !isSelecting()) {
      isStale = false;
      await show(await fetch(location.href));
    }
  } finally {
    isReading = false;
  }
}

/** @param {Response} answer */
async function show(answer) {
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const rows = page.querySelector("#changelist-form");
  if (!answer.ok || rows === null || isSelecting()) return;
  list()?.replaceWith(rows);
  const boxes = document.querySelectorAll("tr input.action-select");
  // Of the admin's actions.js: the new rows can be selected.
  if (boxes.length > 0) /** @type {any} */ (window).Actions(boxes);
}

function changed() {
  isStale = true;
  refresh();
}

if (list() !== null) {
  // A join brings the state, too: the list may have changed between this page and the join.
  new Hubbub({ path: "/ws/live/" }).topic("orders", { state: changed });
  document.addEventListener("change", refresh);
}
