// What a screen reader says of messages that have come: one sentence for those that came together.

import { gettext, interpolate, ngettext } from "../../hubbub/js/texts.js";

/** @import { RoomState } from "./types.js" */

/**
 * @param {RoomState} state
 * @param {number} after  the seq of the last message that was said
 * @returns {string} "": nothing is to be said; own messages are not
 */
export function arrivalText({ messages, me }, after) {
  const first = messages.findLastIndex(({ seq }) => seq <= after) + 1;
  const news = messages.slice(first).filter(({ user, deleted }) => user.id !== me.id && !deleted);
  if (news.length === 0) return "";
  const from = namesText([...new Set(news.map(({ user }) => user.name))]);
  if (news.length === 1) return `${from}: ${news[0]?.body ?? ""}`;
  const text = ngettext("%(n)s new message from %(names)s", "%(n)s new messages from %(names)s", news.length);
  return interpolate(text, { n: news.length, names: from });
}

/** @param {string[]} names */
function namesText(names) {
  if (names.length > 2) return interpolate(ngettext("%(n)s person", "%(n)s people", names.length), { n: names.length });
  const [first = "", second = ""] = names;
  return names.length === 1 ? first : interpolate(gettext("%(first)s and %(second)s"), { first, second });
}
