// The question before a room is left. The last moderator of a private room reads at once what has to be done first.

import { gettext } from "../../hubbub/js/texts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { Dialog } from "./dialog.js";
import { openMembers } from "./dialog-members.js";

/** @import { Page } from "./dialog.js" */
/** @import { MembersPage } from "./types.js" */

/** @typedef {"leave" | "appoint" | "alone"} Way  appoint: somebody else must be a moderator first; alone: there is nobody else */

const TEXTS = {
  heading: gettext("Leave this room?"),
  private: gettext("You can return when a moderator invites you again."),
  public: gettext("It goes off your list. You can return at any time."),
  appoint: gettext("You are its only moderator. Make another member a moderator first."),
  alone: gettext("You are its only member. Invite somebody and make them a moderator, or archive the room."),
  archived: gettext("You are its only member. Invite somebody and make them a moderator first."),
  members: gettext("Open members"),
  archive: gettext("Archive the room"),
  stay: gettext("Stay"),
  leave: gettext("Leave"),
};

/** @param {Page} page */
export function openLeave(page) {
  const { send, goTo } = page;
  const room = page.room();
  /** @type {Way} */
  let way = "leave";
  let opensMembers = false;
  const archive = async () => {
    if (await dialog.run(() => send("room.change", { archived: true }))) dialog.close();
  };
  const dialog = new Dialog({
    name: "leave",
    heading: TEXTS.heading,
    cancel: TEXTS.stay,
    content: () => html`<p class="dialog-about"><bdi>${room.title}</bdi></p>
      <p class="soft" role="status">${textOf(way, room)}</p>
      ${
        way === "alone" && !room.archived
          ? html`<button class="button" type="button" data-role="archive" @click=${archive}>${TEXTS.archive}</button>`
          : nothing
      }`,
    get submit() {
      if (way !== "leave") {
        return {
          label: TEXTS.members,
          async run() {
            opensMembers = true;
          },
        };
      }
      return {
        label: TEXTS.leave,
        isDanger: true,
        async run() {
          await send("room.leave");
          goTo(null);
        },
      };
    },
    closed: () => opensMembers && openMembers(page),
  });
  if (room.private) {
    // Moderators come first: two members tell.
    send("room.members", { limit: 2 }).then(
      (/** @type {MembersPage} */ answer) => {
        way = wayOut(answer, page.hub.user?.id);
        dialog.update();
      },
      () => {}, // Leaving shows why it fails.
    );
  }
  return dialog;
}

/**
 * @param {Way} way
 * @param {{ private: boolean, archived: boolean }} room
 */
function textOf(way, room) {
  if (way === "leave") return room.private ? TEXTS.private : TEXTS.public;
  if (way === "appoint") return TEXTS.appoint;
  return room.archived ? TEXTS.archived : TEXTS.alone;
}

/**
 * How a user may leave a private room.
 *
 * @param {Pick<MembersPage, "members">} answer  its first two members
 * @param {string | null | undefined} userId
 * @returns {Way}
 */
export function wayOut({ members: [first, second] }, userId) {
  const isModerator = first?.id === userId && first?.role === "moderator";
  if (first === undefined || !isModerator || second?.role === "moderator") return "leave";
  return second === undefined ? "alone" : "appoint";
}
