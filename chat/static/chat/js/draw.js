// Draws by lit-html, also where another program has changed the page: extensions that translate or correct move and remove nodes
// which the library remembers. Then the place is emptied and drawn anew.

import { render } from "../vendor/lit-html/lit-html.js";

export const REPAIRED = "page-repaired";

/**
 * @param {(isAnew: boolean) => unknown} value  what is to be drawn; asked for again where the place was emptied
 * @param {HTMLElement} place  holds nothing else
 * @returns {boolean} whether the place was emptied: what its fields had is gone
 */
export function draw(value, place) {
  const drawn = value(false);
  try {
    render(drawn, place);
    return false;
  } catch (error) {
    if (!Reflect.has(place, "_$litPart$")) throw error; // The first time: an error of the page's own.
    const focused = document.activeElement;
    place.replaceChildren();
    Reflect.deleteProperty(place, "_$litPart$");
    render(value(true), place);
    if (focused instanceof HTMLElement && place.contains(focused)) focused.focus();
    document.dispatchEvent(new CustomEvent(REPAIRED));
    return true;
  }
}
