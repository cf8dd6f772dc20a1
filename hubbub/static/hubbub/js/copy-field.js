// Fields with a text to copy, such as a new token: a click selects the text, and a button copies it. Plain http has no
// clipboard for scripts, so the button falls back to the browser's old command, and then to selecting the text.

const COPIED = "Copied.";
const SELECTED = "The text is selected. Copy it with Ctrl+C or ⌘C.";

/** Copy the text of the field. Returns the words for the user. */
export async function copy(field, { clipboard, execCommand }) {
  field.focus();
  field.select();
  try {
    await clipboard.writeText(field.value);
    return COPIED;
  } catch {
    return execCommand("copy") ? COPIED : SELECTED; // No clipboard, or it was refused.
  }
}

function start(part) {
  const field = part.querySelector("input");
  const button = part.querySelector("button");
  const status = part.querySelector("[role=status]");
  field.addEventListener("focus", () => field.select());
  field.addEventListener("click", () => field.select());
  button.hidden = false;
  button.addEventListener("click", async () => {
    const execCommand = (name) => document.execCommand(name);
    status.textContent = await copy(field, { clipboard: navigator.clipboard, execCommand });
  });
}

for (const part of globalThis.document?.querySelectorAll("[data-copy]") ?? []) start(part);
