// The dialogs by which people manage a room: its settings, its members, leaving it, and a new room.

import { find } from "../../hubbub/js/dom.js";
import { failureOf } from "../../hubbub/js/errors.js";
import { newId } from "../../hubbub/js/new-id.js";
import { failureText } from "./failure-texts.js";
import { part, stamp } from "./parts.js";

/** @import { Hubbub } from "../../hubbub/js/hub.js" */
/** @import { RoomSession } from "./room-session.js" */
/** @import { Member, MembersPage, RoomMade, RoomState } from "./types.js" */

/**
 * Sends a command of the room.
 * @typedef {(command: string, fields?: Record<string, unknown>) => Promise<any>} Send
 */

/**
 * Makes the buttons of the dialogs work.
 *
 * @param {HTMLElement} root
 * @param {object} calls
 * @param {Hubbub} calls.hub
 * @param {() => RoomSession | null} calls.page  the open room
 * @param {(slug: string | null) => void} calls.go  shows a room, or the list of rooms
 */
export function wireDialogs(root, { hub, page, go }) {
  const open = () => {
    const session = page();
    if (session === null) throw new Error("no room is shown");
    return session;
  };
  /** @type {Send} */
  const send = (command, fields) => open().send(command, fields);
  const state = () => open().state;
  wireMembers(root, send, state);
  wireSettings(root, send, state);
  wire(root, "leave", async () => {
    await send("room.leave");
    go(null);
  });
  if (root.querySelector("[data-role=create-dialog]") === null) return;
  const lobbyTopic = hub.topic("lobby", { state: () => {} });
  let id = newId(); // Sent again with the next attempt: two answers, one room.
  wire(root, "create", async (fields) => {
    const { title, description, private: isPrivate } = fields;
    try {
      /** @type {RoomMade} */
      const { slug } = await lobbyTopic.send("room.create", { id, title, description, private: isPrivate });
      go(slug);
    } catch (error) {
      if (failureOf(error).code !== "disconnected" && failureOf(error).code !== "unavailable") id = newId();
      throw error;
    }
  });
}

/**
 * @param {HTMLElement} root
 * @param {Send} send
 * @param {() => RoomState} state
 */
function wireSettings(root, send, state) {
  const dialog = wire(root, "settings", async (fields) => {
    // Only what this user has changed: another one may have changed the rest since the dialog was opened.
    await send("room.change", Object.fromEntries(Object.entries(fields).filter(([name]) => isChanged(name))));
    dialog?.close();
    for (const input of dialog?.querySelectorAll("input") ?? []) input.defaultChecked = input.checked;
  });
  /** @param {string} name */
  const isChanged = (name) => {
    const input = field(/** @type {HTMLDialogElement} */ (dialog), name);
    return input.type === "checkbox" ? input.checked !== input.defaultChecked : input.value !== input.defaultValue;
  };
  if (dialog === null) return;
  part(root, "settings-open").addEventListener("click", () => {
    const { title, description, archived } = state().room;
    for (const [name, text] of Object.entries({ title, description })) {
      field(dialog, name).value = field(dialog, name).defaultValue = text;
    }
    field(dialog, "archived").checked = field(dialog, "archived").defaultChecked = archived;
    field(dialog, "private").checked = field(dialog, "private").defaultChecked;
  });
}

/**
 * @param {HTMLElement} root
 * @param {Send} send
 * @param {() => RoomState} state
 */
function wireMembers(root, send, state) {
  /** @type {string | null} */
  let place = null;
  const dialog = wire(root, "members", async ({ name }) => {
    await send("member.invite", { name });
    if (dialog !== null) field(dialog, "name").value = "";
    await read(true);
  });
  if (dialog === null) return;
  const list = part(dialog, "members-list");
  const more = part(dialog, "members-more");
  const problem = part(dialog, "problem");

  /** @param {boolean} isAnew */
  const read = async (isAnew) => {
    /** @type {MembersPage} */
    const page = await send("room.members", isAnew || place === null ? {} : { place });
    if (isAnew) list.replaceChildren();
    list.append(...page.members.map(itemOf));
    place = page.next;
    more.hidden = place === null;
  };
  /** @param {Promise<void>} reading */
  const shown = (reading) => reading.catch((error) => (problem.textContent = failureText(failureOf(error))));
  /** @param {Member} member */
  const itemOf = ({ id, name, role }) => {
    const item = stamp("member");
    part(item, "name").textContent = name;
    part(item, "role").textContent = role === "moderator" ? "moderator" : "";
    const isModerator = role === "moderator";
    const [appoint, remove] = [part(item, "appoint"), part(item, "remove")];
    const mayManage = state().room.manages || state().room.role === "moderator";
    appoint.hidden = remove.hidden = !mayManage;
    appoint.textContent = isModerator ? "Make member" : "Make moderator";
    appoint.setAttribute("aria-label", `${appoint.textContent}: ${name}`);
    remove.setAttribute("aria-label", `Remove ${name}`);
    const next = isModerator ? "member" : "moderator";
    appoint.addEventListener("click", () =>
      shown(send("member.role", { member: id, role: next }).then(() => read(true))),
    );
    remove.addEventListener("click", () => shown(send("member.remove", { member: id }).then(() => read(true))));
    return item;
  };
  more.addEventListener("click", () => shown(read(false)));
  part(root, "members-open").addEventListener("click", () => {
    part(dialog, "invite").hidden = !(state().room.manages || state().room.role === "moderator");
    shown(read(true));
  });
}

/**
 * Opens a dialog by its button, and sends its form. A refusal is shown in it.
 *
 * @param {HTMLElement} root
 * @param {string} role
 * @param {(fields: Record<string, any>) => Promise<void>} submit
 * @returns {HTMLDialogElement | null} null: this user's page has no such dialog
 */
function wire(root, role, submit) {
  const dialog = root.querySelector(`[data-role=${role}-dialog]`);
  if (!(dialog instanceof HTMLDialogElement)) return null;
  const problem = part(dialog, "problem");
  part(root, `${role}-open`).addEventListener("click", () => {
    problem.textContent = "";
    root.querySelector(".room-menu")?.removeAttribute("open");
    dialog.showModal();
  });
  part(dialog, "cancel").addEventListener("click", () => dialog.close());
  find(dialog, "form", HTMLFormElement).addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    try {
      await submit(fieldsOf(dialog));
    } catch (error) {
      problem.textContent = failureText(failureOf(error));
    }
  });
  return dialog;
}

/** @param {HTMLDialogElement} dialog */
function fieldsOf(dialog) {
  /** @type {Record<string, string | boolean>} */
  const fields = {};
  for (const input of dialog.querySelectorAll("input")) {
    fields[input.name] = input.type === "checkbox" ? input.checked : input.value;
  }
  return fields;
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {string} name
 */
function field(dialog, name) {
  return find(dialog, `input[name=${name}]`, HTMLInputElement);
}
