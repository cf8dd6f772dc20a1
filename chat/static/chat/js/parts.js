// Elements of the page by their roles, and copies of its templates.

import { copyOf, find } from "../../hubbub/js/dom.js";

/**
 * A copy of the element in a template.
 *
 * @param {string} id
 */
export function stamp(id) {
  return copyOf(find(document, `#${id}`, HTMLTemplateElement));
}

/**
 * Shows a text. The same text again would cost a layout of the page.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * The element that has a role in the page's script.
 *
 * @param {ParentNode} root
 * @param {string} role
 */
export function part(root, role) {
  return find(root, `[data-role=${role}]`, HTMLElement);
}
