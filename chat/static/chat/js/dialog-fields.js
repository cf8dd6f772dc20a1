// The fields of a dialog.

/** @typedef {Record<string, string | boolean>} Fields  by name */

/**
 * Whether a field has another value than it had first.
 *
 * @param {HTMLElement} element
 */
export function isTyped(element) {
  return inputsOf(element).some((input) =>
    input.type === "checkbox" ? input.checked !== input.defaultChecked : input.value !== input.defaultValue,
  );
}

/**
 * @param {HTMLElement} element
 * @returns {Fields}
 */
export function fieldsOf(element) {
  return Object.fromEntries(
    inputsOf(element).map((input) => [input.name, input.type === "checkbox" ? input.checked : input.value]),
  );
}

/** @param {HTMLElement} element */
function inputsOf(element) {
  return [.../** @type {NodeListOf<HTMLInputElement>} */ (element.querySelectorAll("input[name]"))];
}

/**
 * Puts values back into the fields that have their names.
 *
 * @param {HTMLElement} element
 * @param {Fields} fields
 */
export function fill(element, fields) {
  for (const input of inputsOf(element)) {
    const value = fields[input.name];
    if (typeof value === "boolean") input.checked = value;
    else if (value !== undefined) input.value = value;
  }
}
