// The people that the page knows, for the field that invites them. Pure.

/** @import { Person } from "../../hubbub/js/types.js" */
/** @import { RoomState } from "./types.js" */

const MAX_PEOPLE = 200;

/**
 * People present in these rooms, and authors of their messages; each once, by name.
 *
 * @param {Iterable<Pick<RoomState, "messages" | "present">>} states
 * @returns {Person[]}
 */
export function peopleOf(states) {
  /** @type {Map<string, Person>} */
  const people = new Map();
  for (const { messages, present } of states) {
    for (const user of [...(present?.users ?? []), ...messages.map(({ user }) => user)]) {
      if (user.id !== null) people.set(user.id, user);
    }
  }
  return [...people.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/**
 * The names to suggest: of people who are no members.
 *
 * @param {Person[]} people
 * @param {{ id: string | null }[]} members
 */
export function suggested(people, members) {
  const ids = new Set(members.map(({ id }) => id));
  return people
    .filter(({ id }) => !ids.has(id))
    .map(({ name }) => name)
    .slice(0, MAX_PEOPLE);
}
