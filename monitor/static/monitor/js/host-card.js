// The card of a host: its main numbers, each with a line of the last minutes, and one bar per core.

import { find } from "../../hubbub/js/dom.js";
import { gettext, interpolate, ngettext } from "../../hubbub/js/texts.js";
import { columns, hostFacts } from "./dashboard-state.js";
import { fillLevel, fillPart, noteStale, part, setSubject } from "./fill.js";
import { hostLabel } from "./reading-names.js";
import { bytes, bytesText, decimal, duration, percent } from "./units.js";

/** @import { DashboardState, Host, Level, Sample } from "./types.js" */

const SPARK_SAMPLES = 60;
const SPARK_HEIGHT = 28;
const CORE_HEIGHT = 20;

/** @type {[name: string, pick: (host: Host) => number, top: number | null][]} without a `top` it is the largest value */
const SPARKS = [
  ["cpu", (host) => host.cpu_percent, 100],
  ["memory", (host) => percent(host.memory_bytes), 100],
  ["load", (host) => host.load[0], null],
  ["network", (host) => host.network_bytes_per_second.received + host.network_bytes_per_second.sent, null],
];

/**
 * @param {HTMLElement} card
 * @param {Host} host
 * @param {DashboardState} state
 * @param {Sample} sample
 */
export function fillCard(card, host, state, sample) {
  const facts = hostFacts(host);
  const key = `host:${host.id ?? host.name}`;
  const cores = host.cores_percent.length;
  const network = bytes(facts.received + facts.sent);
  setSubject(card, key);
  fillPart(card, "name", hostLabel(sample, host));
  noteStale(card, host);
  fillPart(card, "about", interpolate(gettext("up %(time)s"), { time: duration(host.uptime_seconds) }));
  fillMetric(card, "cpu", {
    number: decimal(facts.cpu),
    unit: "%",
    about: interpolate(gettext("busiest core %(percent)s\u00a0%%"), { percent: decimal(facts.busiest) }),
    level: facts.levels.cpu,
  });
  const { used, total } = host.memory_bytes;
  fillMetric(card, "memory", {
    number: decimal(facts.memory),
    unit: "%",
    about: interpolate(gettext("%(used)s of %(total)s"), { used: bytesText(used), total: bytesText(total) }),
    level: facts.levels.memory,
  });
  fillMetric(card, "load", {
    number: decimal(facts.load),
    unit: "",
    about: interpolate(ngettext("%(n)s core", "%(n)s cores", cores), { n: cores }),
    level: facts.levels.load,
  });
  fillMetric(card, "network", {
    number: network.text,
    unit: `${network.unit}/s`,
    about: `↓\u00a0${bytesText(facts.received)} ↑\u00a0${bytesText(facts.sent)}`,
    level: "",
  });
  for (const [name, pick, top] of SPARKS) drawSpark(part(card, name), state, key, pick, top);
  drawCores(card, host.cores_percent);
}

/**
 * @param {HTMLElement} card
 * @param {string} name
 * @param {{ number: string, unit: string, about: string, level: Level }} metric
 */
function fillMetric(card, name, { number, unit, about, level }) {
  const metric = part(card, name);
  fillPart(metric, "number", number);
  fillPart(metric, "unit", unit);
  fillPart(metric, "about", about);
  fillLevel(metric, level);
}

/**
 * @param {HTMLElement} metric
 * @param {DashboardState} state
 * @param {string} key
 * @param {(host: Host) => number} pick
 * @param {number | null} top
 */
function drawSpark(metric, state, key, pick, top) {
  const [, values = []] = columns(state, key, [pick], SPARK_SAMPLES);
  const max = top ?? Math.max(1, ...values.map((value) => value ?? 0));
  for (const path of metric.querySelectorAll("path")) {
    path.setAttribute("d", sparkPath(values, max, path.dataset.area !== undefined));
  }
}

/**
 * @param {HTMLElement} card
 * @param {number[]} percents
 */
function drawCores(card, percents) {
  const svg = find(card, "[data-part=cores]", SVGElement);
  svg.setAttribute("viewBox", `0 0 ${percents.length} ${CORE_HEIGHT}`);
  svg.style.setProperty("--cores", String(percents.length));
  find(svg, "[data-rest]", SVGElement).setAttribute("d", bars(percents.map(() => 100)));
  find(svg, "[data-busy]", SVGElement).setAttribute("d", bars(percents));
}

/**
 * The path of a line that ends at the right edge; null values are gaps.
 *
 * @param {(number | null)[]} values
 * @param {number} max
 * @param {boolean} isArea  whether the path encloses the area below the line
 */
function sparkPath(values, max, isArea) {
  let path = "";
  /** @type {string | null} */
  let start = null;
  const step = 100 / (SPARK_SAMPLES - 1);
  const left = 100 - (values.length - 1) * step;
  for (const [index, value] of values.entries()) {
    if (value === null) {
      if (isArea && start !== null) path += `V${SPARK_HEIGHT}H${start}Z`;
      start = null;
      continue;
    }
    const x = (left + index * step).toFixed(2);
    const y = (1 + (1 - Math.min(1, value / max)) * (SPARK_HEIGHT - 2)).toFixed(1);
    path += `${start === null ? "M" : "L"}${x} ${y}`;
    start ??= x;
    if (isArea && index === values.length - 1) path += `V${SPARK_HEIGHT}H${start}Z`;
  }
  return path;
}

/**
 * The path of one bar per core.
 *
 * @param {number[]} percents
 */
function bars(percents) {
  const heights = percents.map((value) => ((-value / 100) * CORE_HEIGHT).toFixed(1));
  return heights.map((height, index) => `M${index + 0.1} ${CORE_HEIGHT}h.8v${height}h-.8z`).join("");
}
