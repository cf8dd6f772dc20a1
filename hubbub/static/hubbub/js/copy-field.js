// Fields with a text to copy, such as a new token: a click selects the text, and a button copies it. Plain http has no
// clipboard for scripts, so the button falls back to the browser's old command, and then to selecting the text.

import { find } from "./dom.js";
import { gettext } from "./texts.js";

const COPIED = gettext("Copied.");
const SELECTED = gettext("The text is selected. Copy it with Ctrl+C or ⌘C.");

/**
 * Copies the text of a field.
 *
 * @param {Pick<HTMLInputElement, "focus" | "select" | "value">} field
 * @param {object} browser
 * @param {Pick<Clipboard, "writeText">} [browser.clipboard]  undefined on plain http
 * @param {(command: string) => boolean} browser.execCommand
 * @returns {Promise<string>} a text for the user
 */
export async function copy(field, { clipboard, execCommand }) {
  const byCommand = () => (execCommand("copy") ? COPIED : SELECTED);
  field.focus();
  field.select();
  try {
    if (clipboard === undefined) return byCommand();
    await clipboard.writeText(field.value);
    return COPIED;
  } catch {
    return byCommand(); // The browser refused the clipboard.
  }
}

/** @param {Element} part */
function start(part) {
  const field = find(part, "input", HTMLInputElement);
  const button = find(part, "button", HTMLButtonElement);
  const status = find(part, "[role=status]", HTMLElement);
  field.addEventListener("focus", () => field.select());
  field.addEventListener("click", () => field.select());
  button.hidden = false;
  button.addEventListener("click", async () => {
    /** @param {string} command */
    const execCommand = (command) => document.execCommand(command);
    status.textContent = await copy(field, { clipboard: navigator.clipboard, execCommand });
  });
}

for (const part of globalThis.document?.querySelectorAll("[data-copy]") ?? []) start(part);
