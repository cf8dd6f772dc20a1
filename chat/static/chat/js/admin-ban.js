// The form that bans: its date is in the browser's own time zone, and one user is chosen at a time.

import { focusIn, sendInPlace } from "./in-place.js";

const form = document.querySelector("[data-ban]");
// The search of the admin is jQuery's, and tells of its changes by that alone.
const $ = window.django?.jQuery;

sendInPlace(form, {
  sending() {
    const { until, until_utc: untilUtc } = form.elements;
    untilUtc.value = until.value === "" ? "" : new Date(until.value).toISOString();
  },
  shown() {
    $?.(form).find(".admin-autocomplete").djangoAdminSelect2();
    wire();
  },
});
// After the admin's own script, which makes the search.
if ($) $(() => start());
else start();

function start() {
  wire();
  focusIn(form);
}

function wire() {
  const { until, user } = form.elements;
  const recent = [...form.querySelectorAll("[name=recent]")];
  const isSearch = $ && user.tagName === "SELECT";
  form.querySelector("[data-role=zone]").textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (until.dataset.proposed) until.value = localTime(new Date(until.dataset.proposed));
  for (const radio of recent) {
    radio.addEventListener("change", () => {
      if (isSearch) $(user).val(null).trigger("change");
      else user.value = "";
    });
  }
  const chosen = () => {
    for (const radio of recent) radio.checked = false;
  };
  if (!isSearch) return user.addEventListener("input", chosen);
  $(user).on("select2:select", () => {
    chosen();
    // The search takes the cursor back when it closes, right after this.
    setTimeout(() => until.focus());
  });
  typeToSearch($(user));
}

/** A letter that is typed on the closed search opens it, and is its first one. */
function typeToSearch(user) {
  user
    .next()
    .find(".select2-selection")
    .on("keydown", (event) => {
      const { key, ctrlKey, metaKey, altKey } = event.originalEvent ?? event;
      if (key.length !== 1 || key === " " || ctrlKey || metaKey || altKey) return;
      user.select2("open"); // Its field has the cursor now, and takes this key.
    });
}

/** As a field for date and time has it. */
function localTime(date) {
  const two = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}
