// The number on the icon of the installed app, where the system shows one.

/** @type {WeakMap<object, number>} what each shows */
const shown = new WeakMap();

/**
 * @param {number} count  of rooms with unread messages; 0: no badge
 * @param {Pick<Navigator, "setAppBadge" | "clearAppBadge">} [browser]
 */
export async function showBadge(count, browser = navigator) {
  if (shown.get(browser) === count) return;
  shown.set(browser, count);
  try {
    // Not each browser has both, and some have them only where the site is installed.
    await (count > 0 ? browser.setAppBadge?.(count) : browser.clearAppBadge?.());
  } catch {
    // The system shows none.
  }
}
