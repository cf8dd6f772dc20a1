// The emoji that this browser used last.

const KEY = "hubbub.emoji";
const MAX_RECENT = 18;

/** @returns {string[]} the last one first */
export function recentEmoji() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((emoji) => typeof emoji === "string").slice(0, MAX_RECENT) : [];
  } catch {
    return []; // The storage is forbidden, or has something else.
  }
}

/** @param {string} emoji */
export function rememberEmoji(emoji) {
  const recent = [emoji, ...recentEmoji().filter((other) => other !== emoji)].slice(0, MAX_RECENT);
  try {
    localStorage.setItem(KEY, JSON.stringify(recent));
  } catch {
    // Full or forbidden: nothing is remembered.
  }
}
