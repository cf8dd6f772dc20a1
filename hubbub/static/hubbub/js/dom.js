// Elements that a page's templates promise.

/**
 * The element that matches. Throws where the page has none, or one of another kind.
 *
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} kind  its class, such as HTMLButtonElement
 * @returns {T}
 */
export function find(root, selector, kind) {
  const element = root.querySelector(selector);
  if (element instanceof kind) return element;
  throw new Error(`${selector}: the page has no such ${kind.name}`);
}

/**
 * A copy of the one element in a template.
 *
 * @param {HTMLTemplateElement} template
 * @returns {HTMLElement}
 */
export function copyOf(template) {
  const element = template.content.firstElementChild;
  if (element === null) throw new Error(`#${template.id}: the template is empty`);
  return /** @type {HTMLElement} */ (element.cloneNode(true));
}
