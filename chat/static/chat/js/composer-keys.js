// What Enter means in the composer. Pure.

const BY_INPUT_METHOD = 229; // The `keyCode` of keys that an input method takes, in Safari also right after it has ended.

/** @typedef {"send" | "break" | "none"} Meaning  "none": the key is not the composer's */
/** @typedef {Pick<KeyboardEvent, "key" | "keyCode" | "isComposing" | "shiftKey" | "altKey" | "ctrlKey" | "metaKey">} Key */

/**
 * Whether an input method is open (Japanese, for example): Enter selects its candidate, Escape discards it.
 *
 * @param {Pick<KeyboardEvent, "isComposing" | "keyCode">} event
 */
export const isComposing = (event) => event.isComposing || event.keyCode === BY_INPUT_METHOD;

/**
 * @param {Key} event
 * @param {{ isTouch: boolean, isInFence: () => boolean }} place
 * @returns {Meaning}
 */
export function enterMeans(event, { isTouch, isInFence }) {
  if (event.key !== "Enter" || isComposing(event)) return "none";
  if (event.ctrlKey || event.metaKey) return "send";
  if (event.shiftKey || event.altKey || isTouch || isInFence()) return "break";
  return "send";
}
