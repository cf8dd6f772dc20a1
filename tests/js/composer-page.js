// The composer's templates in a document without a browser.

import { readFileSync } from "node:fs";

import { parseHTML } from "linkedom";

import { give } from "./served.js";

const FOLDER = new URL("../../chat/templates/chat/", import.meta.url);

/**
 * A page with a composer, or with an editor.
 *
 * @param {"composer" | "editor"} name
 */
export function composerPage(name) {
  const edit = name === "editor";
  /** @param {string} file */
  const read = (file) => readFileSync(new URL(file, FOLDER), "utf8");
  const box = read("composer_box.html").replace(
    /{% if edit %}([\s\S]*?)(?:{% else %}([\s\S]*?))?{% endif %}/g,
    (_, yes, no = "") => (edit ? yes : no),
  );
  const source = read(`${name}.html`)
    .replace(/{% include "chat\/composer_box.html"[^%]*%}/, box)
    .replace(/{% translate ["']([^"']*)["'] %}/g, "$1")
    .replace(/{% if (?:room|not room)[\s\S]*?{% endif %}/g, (whole) => (whole.includes("hidden") ? " hidden" : ""))
    .replace("{{ id }}", "body")
    .replace(/{#.*?#}|{% load i18n %}/g, "");
  const page = parseHTML(`<!doctype html><html><body>${source.replace(/<\/?template[^>]*>/g, "")}</body></html>`);
  const { window, document } = page;
  for (const kind of ["HTMLElement", "HTMLTextAreaElement", "HTMLButtonElement", "Event", "CustomEvent"]) {
    give(kind, Reflect.get(window, kind));
  }
  const media = { matches: false, addEventListener() {} };
  give("document", document);
  give("matchMedia", () => media);
  give(
    "ResizeObserver",
    class {
      observe() {}
    },
  );
  give("navigator", { platform: "Linux x86_64" });
  const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
  const field = /** @type {HTMLTextAreaElement} */ (form.querySelector("textarea"));
  giveSelection(field);
  return { document, form, field, media };
}

/**
 * A selection, which linkedom lacks.
 *
 * @param {HTMLTextAreaElement} field
 */
function giveSelection(field) {
  Object.assign(field, {
    selectionStart: 0,
    selectionEnd: 0,
    /**
     * @param {number} start
     * @param {number} end
     */
    setSelectionRange(start, end) {
      Object.assign(field, { selectionStart: start, selectionEnd: end });
    },
    /**
     * @param {string} text
     * @param {number} from
     * @param {number} to
     */
    setRangeText(text, from, to) {
      field.value = field.value.slice(0, from) + text + field.value.slice(to);
      field.setSelectionRange(from + text.length, from + text.length);
    },
  });
}

/**
 * @param {EventTarget} target
 * @param {string} type
 * @param {object} [fields]
 */
export function fire(target, type, fields = {}) {
  const event = new Event(type, { bubbles: true, cancelable: true });
  for (const [name, value] of Object.entries(fields)) Object.defineProperty(event, name, { value });
  target.dispatchEvent(event);
  return event;
}

/**
 * Types a text into the field.
 *
 * @param {HTMLTextAreaElement} field
 * @param {string} text
 */
export function type(field, text) {
  field.value = text;
  field.setSelectionRange(text.length, text.length);
  fire(field, "input");
}

const NO_KEYS = { isComposing: false, keyCode: 0, shiftKey: false, altKey: false, ctrlKey: false, metaKey: false };

/**
 * Presses a key in the field. Returns whether the browser does what the key does by itself.
 *
 * @param {HTMLElement} field
 * @param {string} key
 * @param {object} more
 */
export function press(field, key, more = {}) {
  return !fire(field, "keydown", { key, code: "", ...NO_KEYS, ...more }).defaultPrevented;
}
