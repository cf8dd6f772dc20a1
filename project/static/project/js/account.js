// The account page: times in the time zone of the reader, a chosen picture made small, and the own name as it is when the
// page becomes visible again.

import { exactTime, fullTime, shortTime } from "../../chat/js/times.js";
import { followChoices, tellChoices } from "../../hubbub/js/choices.js";
import { find } from "../../hubbub/js/dom.js";
import { onReturn } from "../../hubbub/js/fetched.js";
import { locale } from "../../hubbub/js/locale.js";
import { ownIdOf, takeOwnName } from "../../hubbub/js/own-name.js";
import { gettext, interpolate } from "../../hubbub/js/texts.js";
import { sendSafely } from "./send-safely.js";

const NAME_MS = 5_000; // Between two requests for the name.

for (const time of document.querySelectorAll("time")) {
  // Seconds distinguish two sign-ins of the same kind of browser within a minute.
  time.textContent = "seconds" in time.dataset ? exactTime(time.dateTime) : shortTime(time.dateTime);
  time.title = fullTime(time.dateTime);
}

const SIDE = 512; // In pixels: the server makes a smaller one.
const SMALL_BYTES = 500_000; // Sent as it is.

const chosen = find(document, "#id_profile_picture", HTMLInputElement);
const save = find(document, "[data-profile] button[type=submit]", HTMLButtonElement);
chosen.addEventListener("change", makeSmall);

/** Replaces a large picture by a small one before it is sent: a camera's would be beyond the server's limit. */
async function makeSmall() {
  const file = chosen.files?.[0];
  if (file === undefined || file.size <= SMALL_BYTES) return;
  save.disabled = true;
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, SIDE / Math.min(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)];
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    /** @type {Blob | null} */
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/webp", 0.9));
    if (blob === null || blob.size >= file.size || chosen.files?.[0] !== file) return;
    const files = new DataTransfer();
    files.items.add(new File([blob], file.name, { type: blob.type }));
    chosen.files = files.files;
  } catch {
    // Not a picture that this browser reads.
    if (chosen.files?.[0] === file && file.size > Number(chosen.dataset.maxBytes)) refuse(file);
  } finally {
    save.disabled = false;
  }
}

/**
 * Says at once what the server would only say by a cut connection.
 *
 * @param {File} file
 */
function refuse(file) {
  const limit = Number(chosen.dataset.maxBytes) / 1_000_000;
  chosen.value = "";
  const help = find(document, "#id_profile_picture_helptext", HTMLElement);
  help.setAttribute("role", "alert");
  help.textContent = interpolate(gettext("%(file)s is too large. A picture may have %(size)s MB."), {
    file: file.name,
    size: limit.toLocaleString(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
  });
}

for (const { form } of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input[name=form]"))) {
  if (form !== null) sendSafely(form);
}
tellChoices(ownIdOf(document) ?? "");
followChoices(ownIdOf(document) ?? "", {});
onReturn(find(document, "a.brand", HTMLAnchorElement).href, NAME_MS, takeOwnName);
