// The user's own name: elements with `data-own-name` show it, labels with `data-own-label` end with it.

/** @param {string} name */
export function showOwnName(name) {
  for (const element of document.querySelectorAll("[data-own-name]")) {
    if (isInput(element)) element.value = name;
    else element.textContent = name;
  }
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-own-label]"))) {
    element.setAttribute("aria-label", `${element.dataset.ownLabel} ${name}`);
  }
}

/**
 * Shows the name that a fetched page has, unless another user has signed in with this browser meanwhile.
 *
 * @param {Document} page
 */
export function takeOwnName(page) {
  const [here, there] = [ownIdOf(document), ownIdOf(page)];
  const name = page.querySelector("[data-own-name]");
  if (here !== undefined && here === there && name !== null) showOwnName(name.textContent ?? "");
}

/**
 * The id of the user whom the header of the page names.
 *
 * @param {Document} page
 */
export function ownIdOf(page) {
  /** @type {HTMLElement | null} */
  const element = page.querySelector("[data-own-id]");
  return element?.dataset.ownId;
}

/**
 * @param {Element} element
 * @returns {element is HTMLInputElement}
 */
function isInput(element) {
  return element.tagName === "INPUT";
}
