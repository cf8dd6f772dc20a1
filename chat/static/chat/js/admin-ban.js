// The form that bans: its date is in the browser's own time zone, and one user is chosen at a time.

const form = document.querySelector("[data-ban]");
const { until, until_utc: untilUtc, user } = form.elements;
const recent = [...form.querySelectorAll("[name=recent]")];

form.querySelector("[data-role=zone]").textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
form.addEventListener("submit", () => {
  untilUtc.value = until.value === "" ? "" : new Date(until.value).toISOString();
});

// The search of the admin is jQuery's, and tells of its changes by that alone.
const $ = window.django?.jQuery;
for (const radio of recent) {
  radio.addEventListener("change", () => {
    if ($ && user.tagName === "SELECT") $(user).val(null).trigger("change");
    else user.value = "";
  });
}
if ($ && user.tagName === "SELECT") $(user).on("select2:select", unchoose);
else user.addEventListener("input", unchoose);

function unchoose() {
  for (const radio of recent) radio.checked = false;
}
