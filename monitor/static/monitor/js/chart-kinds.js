// Which charts a host and a process have.

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
    title: "CPU",
    show: asPercent,
    unit: "%",
    top: () => PERCENT_TOP,
    lines: [
      ["all cores", (host) => host.cpu_percent],
      ["busiest", (host) => Math.max(0, ...host.cores_percent)],
    ],
  },
  {
    title: "Memory",
    show: asPercent,
    unit: "%",
    top: () => PERCENT_TOP,
    lines: [
      ["memory", (host) => percent(host.memory_bytes)],
      ["swap", (host) => percent(host.swap_bytes)],
      ["disk", (host) => percent(host.disk_bytes)],
    ],
  },
  {
    title: "Load",
    show: decimal,
    unit: "",
    top: (max) => Math.max(1, max * 1.1),
    lines: [
      ["1 min", (host) => host.load[0]],
      ["5 min", (host) => host.load[1]],
      ["15 min", (host) => host.load[2]],
    ],
  },
  {
    title: "Network",
    show: asRate,
    unit: "rate",
    top: (max) => Math.max(1024, max * 1.1),
    lines: [
      ["received", (host) => host.network_bytes_per_second.received],
      ["sent", (host) => host.network_bytes_per_second.sent],
    ],
  },
];

/** @type {ChartKind<Process>[]} */
export const PROCESS_CHARTS = [
  {
    title: "Sockets",
    show: asCount,
    unit: "",
    whole: true,
    top: (max) => Math.max(5, max * 1.1),
    lines: [["open", (process) => process.sockets]],
  },
  {
    title: "Messages",
    show: asPerSecond,
    unit: "/s",
    top: (max) => Math.max(5, max * 1.1),
    lines: [
      ["in", (process) => process.frames_in_per_second],
      ["deliveries", (process) => process.deliveries_per_second],
    ],
  },
  {
    title: "Event-loop lag",
    show: asMs,
    unit: "ms",
    top: (max) => Math.max(10, max * 1.1),
    lines: [
      ["p99", (process) => process.lag_p99_ms],
      ["max", (process) => process.lag_max_ms],
    ],
  },
  {
    title: "Memory",
    show: bytesText,
    unit: "bytes",
    top: (max) => Math.max(1024, max * 1.25),
    lines: [["resident", (process) => process.memory_bytes]],
  },
];
