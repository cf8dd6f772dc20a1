// The rows of the dashboard's tables: one of a process, one of a host's numbers.

import { locale } from "../../hubbub/js/locale.js";
import { hostFacts, level } from "./dashboard-state.js";
import { fillLevel, fillPart, noteStale, part, setSubject } from "./fill.js";
import { hostLabel, hostLabelOf, nameParts } from "./reading-names.js";
import { bytesText, decimal, duration } from "./units.js";

/** @import { Host, Process, Sample } from "./types.js" */

/**
 * @param {HTMLElement} row
 * @param {Process} process
 * @param {Sample} sample
 */
export function fillProcess(row, process, sample) {
  const { name, pid } = nameParts(process.id);
  setSubject(row, `process:${process.id}`);
  fillPart(row, "name", name);
  fillPart(row, "host", `${hostLabelOf(sample, process)} · ${pid}`);
  noteStale(row, process);
  fillPart(row, "sockets", process.sockets.toLocaleString(locale));
  fillPart(row, "in", decimal(process.frames_in_per_second));
  fillPart(row, "deliveries", decimal(process.deliveries_per_second));
  fillPart(row, "p99", decimal(process.lag_p99_ms));
  fillPart(row, "max", decimal(process.lag_max_ms));
  fillLevel(part(row, "lag"), level("lag", process.lag_p99_ms));
  fillPart(row, "memory", bytesText(process.memory_bytes));
}

/**
 * @param {HTMLElement} row
 * @param {Host} host
 * @param {Sample} sample
 */
export function fillFacts(row, host, sample) {
  const facts = hostFacts(host);
  fillPart(row, "name", hostLabel(sample, host));
  fillPart(row, "cpu", `${decimal(facts.cpu)} %`);
  fillPart(row, "busiest", `${decimal(facts.busiest)} %`);
  fillPart(row, "memory", `${decimal(facts.memory)} %`);
  fillPart(row, "swap", `${decimal(facts.swap)} %`);
  fillPart(row, "disk", `${decimal(facts.disk)} %`);
  fillPart(row, "load", host.load.map(decimal).join(" "));
  fillPart(row, "received", `${bytesText(facts.received)}/s`);
  fillPart(row, "sent", `${bytesText(facts.sent)}/s`);
  fillPart(row, "uptime", duration(host.uptime_seconds));
  noteStale(row, host);
}
