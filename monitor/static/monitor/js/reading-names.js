// The names of hosts and processes, as the dashboard shows them.

/** @import { Host, Process, Sample } from "./types.js" */

const SHORT_ID = 4;

/**
 * The name of a host, with a part of its id where another host has the same name.
 *
 * @param {Sample} sample
 * @param {Pick<Host, "id" | "name">} host
 */
export function hostLabel(sample, { id = "", name }) {
  const twins = [...sample.hosts.values()].filter((host) => host.name === name && (host.id ?? "") !== id);
  return twins.length === 0 ? name : `${name} (${id.slice(0, distinctLength(id, twins))})`;
}

/**
 * The name of a process's host.
 *
 * @param {Sample} sample
 * @param {Pick<Process, "id" | "host_name">} process
 */
export function hostLabelOf(sample, process) {
  const id = nameParts(process.id).host;
  return hostLabel(sample, { id, name: process.host_name ?? id });
}

/**
 * The host's id, the name and the pid in the id of a process.
 *
 * @param {string} id
 */
export function nameParts(id) {
  const [, host = "", name = "", pid = ""] = /^(.*?):(.*):(.*?)$/.exec(id) ?? ["", "", id, ""];
  return { host, name, pid };
}

/**
 * How many characters of an id tell a host from its twins.
 *
 * @param {string} id
 * @param {Host[]} twins
 */
function distinctLength(id, twins) {
  let length = Math.min(SHORT_ID, id.length);
  while (length < id.length && twins.some((twin) => (twin.id ?? "").startsWith(id.slice(0, length)))) length += 1;
  return length;
}
