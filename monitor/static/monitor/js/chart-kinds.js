// Which charts a host and a process have.

import { gettext } from "../../hubbub/js/texts.js";
import { bytesText, decimal, percent } from "./units.js";

/** @import { Host, Process } from "./types.js" */

/**
 * One chart. `lines` name each line and pick its value; `top` is the upper end of the axis for the largest value.
 * @template R
 * @typedef {object} ChartKind
 * @property {string} title
 * @property {(value: number) => string} show
 * @property {string} unit  of the axis, as `tick` takes it
 * @property {boolean} [whole]  whether the axis has whole numbers only
 * @property {(max: number) => number} top
 * @property {[name: string, pick: (reading: R) => number][]} lines
 */

const PERCENT_TOP = 103; // A line at 100 is not cut.

/** @param {number} value */
const asPercent = (value) => `${decimal(value)}\u00a0%`;
/** @param {number} value */
const asRate = (value) => `${bytesText(value)}/s`;
/** @param {number} value */
const asPerSecond = (value) => `${decimal(value)}/s`;
/** @param {number} value */
const asMs = (value) => `${decimal(value)}\u00a0ms`;
/** @param {number} value */
const asCount = (value) => String(Math.round(value));

/** @type {ChartKind<Host>[]} */
export const HOST_CHARTS = [
  {
    title: gettext("CPU"),
    show: asPercent,
    unit: "%",
    top: () => PERCENT_TOP,
    lines: [
      [gettext("all cores"), (host) => host.cpu_percent],
      [gettext("busiest"), (host) => Math.max(0, ...host.cores_percent)],
    ],
  },
  {
    title: gettext("Memory"),
    show: asPercent,
    unit: "%",
    top: () => PERCENT_TOP,
    lines: [
      [gettext("memory"), (host) => percent(host.memory_bytes)],
      [gettext("swap"), (host) => percent(host.swap_bytes)],
      [gettext("disk"), (host) => percent(host.disk_bytes)],
    ],
  },
  {
    title: gettext("Load"),
    show: decimal,
    unit: "",
    top: (max) => Math.max(1, max * 1.1),
    lines: [
      [gettext("1 min"), (host) => host.load[0]],
      [gettext("5 min"), (host) => host.load[1]],
      [gettext("15 min"), (host) => host.load[2]],
    ],
  },
  {
    title: gettext("Network"),
    show: asRate,
    unit: "rate",
    top: (max) => Math.max(1024, max * 1.1),
    lines: [
      [gettext("received"), (host) => host.network_bytes_per_second.received],
      [gettext("sent"), (host) => host.network_bytes_per_second.sent],
    ],
  },
];

/** @type {ChartKind<Process>[]} */
export const PROCESS_CHARTS = [
  {
    title: gettext("Sockets"),
    show: asCount,
    unit: "",
    whole: true,
    top: (max) => Math.max(5, max * 1.1),
    lines: [[gettext("open"), (process) => process.sockets]],
  },
  {
    title: gettext("Messages"),
    show: asPerSecond,
    unit: "/s",
    top: (max) => Math.max(5, max * 1.1),
    lines: [
      [gettext("in"), (process) => process.frames_in_per_second],
      [gettext("deliveries"), (process) => process.deliveries_per_second],
    ],
  },
  {
    title: gettext("Event-loop lag"),
    show: asMs,
    unit: "ms",
    top: (max) => Math.max(10, max * 1.1),
    lines: [
      [gettext("p99"), (process) => process.lag_p99_ms],
      [gettext("max"), (process) => process.lag_max_ms],
    ],
  },
  {
    title: gettext("Memory"),
    show: bytesText,
    unit: "bytes",
    top: (max) => Math.max(1024, max * 1.25),
    lines: [[gettext("resident"), (process) => process.memory_bytes]],
  },
];
