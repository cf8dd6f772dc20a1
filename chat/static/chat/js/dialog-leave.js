// The question before a room is left.

import { gettext } from "../../hubbub/js/texts.js";
import { html } from "../vendor/lit-html/lit-html.js";
import { Dialog } from "./dialog.js";

/** @import { Page } from "./dialog.js" */

const TEXTS = {
  heading: gettext("Leave this room?"),
  private: gettext("You can return when a moderator invites you again."),
  public: gettext("It goes off your list. You can return at any time."),
  stay: gettext("Stay"),
  leave: gettext("Leave"),
};

/** @param {Page} page */
export function openLeave(page) {
  const { send, goTo } = page;
  const room = page.room();
  return new Dialog({
    name: "leave",
    heading: TEXTS.heading,
    cancel: TEXTS.stay,
    content: () => html`<p class="dialog-about"><bdi>${room.title}</bdi></p>
      <p class="soft">${room.private ? TEXTS.private : TEXTS.public}</p>`,
    submit: {
      label: TEXTS.leave,
      isDanger: true,
      async run() {
        await send("room.leave");
        goTo(null);
      },
    },
  });
}
