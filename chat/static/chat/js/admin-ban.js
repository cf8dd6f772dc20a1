// The form that bans: its date is in the time zone of the browser, and one user is selected at a time.

import { find } from "../../hubbub/js/dom.js";
import { focusIn, sendInPlace } from "./in-place.js";

/** @import { JQueryList } from "./types.js" */

const form = find(document, "[data-ban]", HTMLFormElement);
// The admin's search is made by jQuery, and announces its changes through jQuery only.
const $ = window.django?.jQuery;

sendInPlace(form, {
  sending() {
    const { until, untilUtc } = fields();
    untilUtc.value = until.value === "" ? "" : new Date(until.value).toISOString();
  },
  shown() {
    $?.(form).find(".admin-autocomplete").djangoAdminSelect2();
    listen();
  },
});
// After the admin's own script, which builds the search.
if ($) $(() => start());
else start();

function start() {
  listen();
  focusIn(form);
}

/** The form's fields; a response replaces them. */
function fields() {
  return {
    until: find(form, "[name=until]", HTMLInputElement),
    untilUtc: find(form, "[name=until_utc]", HTMLInputElement),
    user: /** @type {HTMLInputElement | HTMLSelectElement} */ (find(form, "[name=user]", HTMLElement)),
    recent: /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("[name=recent]")]),
  };
}

function listen() {
  const { until, user, recent } = fields();
  const search = $ && user.tagName === "SELECT" ? $(user) : null;
  find(form, "[data-role=zone]", HTMLElement).textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (until.dataset.proposed) until.value = localTime(new Date(until.dataset.proposed));
  for (const radio of recent) {
    radio.addEventListener("change", () => {
      if (search) search.val(null).trigger("change");
      else user.value = "";
    });
  }
  const clearRecent = () => {
    for (const radio of recent) radio.checked = false;
  };
  if (search === null) {
    user.addEventListener("input", clearRecent);
    return;
  }
  search.on("select2:select", () => {
    clearRecent();
    // The search takes the focus back when it closes, right after this event.
    setTimeout(() => until.focus());
  });
  typeToSearch(search);
  nameSearch();
}

/** The admin's search takes the place of the field, but not its label: a screen reader would read out nothing. */
function nameSearch() {
  const label = "ban-user";
  for (const part of form.querySelectorAll(".select2-selection, .select2-selection__rendered")) {
    const own = part.matches("[role=combobox]") ? part.querySelector(".select2-selection__rendered")?.id : part.id;
    part.setAttribute("aria-labelledby", [label, own].filter(Boolean).join(" "));
  }
}

/**
 * A letter typed on the closed search opens it, and is its first one.
 *
 * @param {JQueryList} user
 */
function typeToSearch(user) {
  user
    .next()
    .find(".select2-selection")
    .on("keydown", (event) => {
      const { key, ctrlKey, metaKey, altKey } = event.originalEvent ?? event;
      if (key.length !== 1 || key === " " || ctrlKey || metaKey || altKey) return;
      user.select2("open"); // Its field takes the focus, and so this key.
    });
}

/**
 * A time as a field for date and time writes it.
 *
 * @param {Date} date
 */
function localTime(date) {
  /** @param {number} number */
  const two = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}
