// What lies over the page, closed as by Escape: "Back" on a phone means that first.

/** @returns {boolean} false: nothing lies over the page */
export function closeTop() {
  const menu = document.querySelector("#popup");
  if (menu !== null) {
    menu.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true }));
    return true;
  }
  const dialog = [...document.querySelectorAll("dialog")].findLast(({ open }) => open);
  if (dialog === undefined) return false;
  // As the browser does it: the dialog may ask, or close something within it first.
  if (dialog.dispatchEvent(new Event("cancel", { cancelable: true }))) dialog.close();
  return true;
}
