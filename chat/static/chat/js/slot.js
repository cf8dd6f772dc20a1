// The slot beside the talk: a column on a wide page, over the talk on a narrow one, a sheet on a phone. It stays as it was left.

import { part } from "./parts.js";

const KEY = "hubbub.slot";

/**
 * @param {HTMLElement} root
 * @returns {() => boolean} closes what lies over the talk; false: nothing does
 */
export function wireSlot(root) {
  const [toggle, people, close] = [part(root, "people-toggle"), part(root, "people"), part(root, "people-close")];
  const wide = matchMedia("(min-width: 68.75rem)");
  const show = (/** @type {boolean} */ isOpen) => {
    people.hidden = !isOpen;
    root.classList.toggle("shows-people", isOpen);
    toggle.setAttribute("aria-expanded", String(isOpen));
  };
  const set = (/** @type {boolean} */ isOpen) => {
    show(isOpen);
    try {
      localStorage.setItem(KEY, isOpen ? "people" : "");
    } catch {
      // Not remembered.
    }
    if (isOpen && !wide.matches) close.focus();
    else if (!isOpen) toggle.focus();
  };
  toggle.addEventListener("click", () => set(people.hidden === true));
  close.addEventListener("click", () => set(false));
  people.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    set(false);
  });
  // Over the talk, a click beside it closes it.
  root.addEventListener("pointerdown", ({ target }) => {
    if (wide.matches || people.hidden || !(target instanceof Node)) return;
    if (!people.contains(target) && !toggle.contains(target)) show(false);
  });
  /** @type {boolean} */
  let isRemembered = false;
  try {
    isRemembered = localStorage.getItem(KEY) === "people";
  } catch {
    // Not remembered.
  }
  show(isRemembered && wide.matches);
  return () => {
    if (wide.matches || people.hidden) return false;
    set(false);
    return true;
  };
}
