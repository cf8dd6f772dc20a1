// Why a command failed, as the page explains it: by the code, or by the detail where the page knows it.

import { gettext, gettext_noop, interpolate } from "../../hubbub/js/texts.js";

// The details of refusals, as sentences. tests/chat/test_failure_texts.py compares them with the server's.
const DETAILS = [
  gettext_noop("A letter has too many marks."),
  gettext_noop("A mark needs a letter before it."),
  gettext_noop("A message cannot contain the character NUL."),
  gettext_noop("A message may have at most %(limit)s characters."),
  gettext_noop("A message may have at most %(limit)s combining marks on one letter."),
  gettext_noop("A message must contain visible text."),
  gettext_noop("A private room needs a moderator: make another member a moderator first."),
  gettext_noop("A word mixes letters of several scripts. Use one script per word."),
  gettext_noop("Another room has this address: choose another one."),
  gettext_noop("Ensure this value has at most %(limit)s characters (it has %(count)s)."),
  gettext_noop("Message not found."),
  gettext_noop("Nobody here has the name %(name)s."),
  gettext_noop("Only members may write in this room."),
  gettext_noop("Only moderators of the room may do this."),
  gettext_noop("Only the author may edit a message."),
  gettext_noop("Only the author may restore a message."),
  gettext_noop("Only the author or a moderator may delete a message."),
  gettext_noop("Room not found."),
  gettext_noop("The invisible character U+%(code)s is not allowed here."),
  gettext_noop("The membership has just changed: try again."),
  gettext_noop("This field cannot be blank."),
  gettext_noop("This id was used for another command."),
  gettext_noop("This is not the text of the deleted message."),
  gettext_noop("This is too long to be sent."),
  gettext_noop("This message can no longer be restored."),
  gettext_noop("This message is deleted."),
  gettext_noop("This message is not deleted."),
  gettext_noop("This room is archived."),
  gettext_noop("This user is banned from the room: the ban must be lifted first."),
  gettext_noop("This user is not a member of the room: invite first."),
  gettext_noop("Use at least one letter or digit."),
  gettext_noop("You are not a member of this room."),
  gettext_noop("You are signed out."),
  gettext_noop("You may not make rooms."),
];

/**
 * @param {{ code: string, message: string }} failure
 * @returns {string} a sentence
 */
export function failureText({ code, message }) {
  switch (code) {
    case "disconnected":
      return gettext("The connection was lost; try again.");
    case "rate_limited":
      return gettext("You are sending too fast; try again in a moment.");
    case "unavailable":
      return gettext("The server is busy; try again in a moment.");
    case "not_found":
      return gettext("You no longer have access to this.");
    case "internal":
      return gettext("Server error; try again.");
    default:
      return detailText(message);
  }
}

/** @param {string} message */
function detailText(message) {
  const field = /^(title|description): (.*)$/.exec(message);
  if (field === null) return sentence(message);
  return `${field[1] === "title" ? gettext("Title") : gettext("Description")}: ${sentence(field[2] ?? "")}`;
}

/** @param {string} detail */
function sentence(detail) {
  const english = `${detail.charAt(0).toUpperCase()}${detail.slice(1).replace(/\.$/, "")}.`;
  for (const known of DETAILS) {
    const values = valuesIn(english, known);
    if (values !== null) return interpolate(gettext(known), values);
  }
  return english;
}

/**
 * The values in a text that was made of a text with names for them; null: it was made of another one.
 *
 * @param {string} made
 * @param {string} text
 */
function valuesIn(made, text) {
  if (!text.includes("%(")) return made === text ? {} : null;
  const pattern = text.replace(/[.()+]/g, "\\$&").replace(/%\\\((\w+)\\\)s/g, "(?<$1>.+)");
  const found = new RegExp(`^${pattern}$`, "u").exec(made);
  return found === null ? null : { ...found.groups };
}
