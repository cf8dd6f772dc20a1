// The avatar of a user: a picture, or initials in a colour.

/** @import { Person } from "../../hubbub/js/types.js" */

/**
 * The address of a user's picture; null: there is none, or the page does not know where pictures are.
 *
 * @param {Person} user
 */
export function pictureOf({ picture }) {
  const address = document.querySelector("[data-pictures]")?.getAttribute("data-pictures");
  return picture && address ? address.replace("HASH", encodeURIComponent(picture)) : null;
}

/**
 * Shows a user's picture in an empty element; without one, or when it cannot be loaded, the initials.
 *
 * @param {HTMLElement} element
 * @param {Person} user
 */
export function showAvatar(element, { id, name, picture }) {
  element.textContent = initialsOf(name);
  element.classList.add(id === null ? "is-gone" : `tint-${tintOf(name)}`);
  const address = document.querySelector("[data-pictures]")?.getAttribute("data-pictures");
  if (!picture || !address) return;
  const image = document.createElement("img");
  image.alt = "";
  image.loading = "lazy";
  image.addEventListener("load", () => element.replaceChildren(image)); // Initials would shine through.
  image.addEventListener("error", () => image.remove());
  image.src = address.replace("HASH", encodeURIComponent(picture));
  element.append(image);
}

/**
 * One or two letters that stand for a name.
 *
 * @param {string} name
 */
export function initialsOf(name) {
  const words = name.split(/[\s._@+-]+/u).filter(Boolean);
  const initials = words.slice(0, 2).map((word) => [...word][0]?.toUpperCase());
  return initials.join("") || "?";
}

/**
 * Which of the twelve tints a name has, always the same.
 *
 * @param {string} name
 * @returns {number} 0 to 11
 */
export function tintOf(name) {
  let hash = 2166136261;
  for (const char of name) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16777619);
  return ((hash >>> 16) ^ (hash & 0xffff)) % 12;
}
