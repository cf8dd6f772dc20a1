// The initials and colour of an avatar.

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
