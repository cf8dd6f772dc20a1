// What the server has put into the page: the answers to its first joins, and the room that it shows.

/** @import { FirstAnswer } from "../../hubbub/js/types.js" */
/** @import { RoomEntry, RoomHere } from "./types.js" */

/**
 * The answer to a join that the page was made with; null: it has none.
 *
 * @param {"state" | "rooms" | "person"} name
 * @returns {FirstAnswer | null}
 */
export function firstOf(name) {
  return JSON.parse(document.getElementById(`first-${name}`)?.textContent ?? "null");
}

/**
 * What the page knows of a room before it is joined.
 *
 * @param {HTMLElement} root
 * @param {RoomEntry[]} rooms  of the user
 * @param {string} slug
 * @returns {RoomHere}
 */
export function roomOf(root, rooms, slug) {
  const { title = "", description = "", archived, isPrivate, roleHere, manages } = root.dataset;
  if (slug === root.dataset.slug) {
    const role = /** @type {RoomHere["role"]} */ (roleHere);
    const [isArchived, isManager] = [archived === "true", manages === "true"];
    return { slug, title, description, archived: isArchived, private: isPrivate === "true", role, manages: isManager };
  }
  const entry = rooms.find((room) => room.slug === slug);
  const painted = root.querySelector(`#rooms li[data-slug="${slug}"] [data-role=room-title]`)?.textContent;
  return {
    slug,
    title: entry?.title ?? painted ?? slug,
    description: "",
    archived: entry?.archived ?? false,
    private: entry?.private ?? false,
    role: "member",
    manages: false,
  };
}
