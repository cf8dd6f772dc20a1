// The charts of one host or process, by uPlot, over one time axis with one cursor.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { columns, timeRange } from "./dashboard-state.js";
import { bytesText, decimal, percent, tick, wholeBefore } from "./units.js";

const HEIGHT_PX = 168;
const HALF_LABEL_PX = 27; // Of a time.
const MARGIN_PX = 6; // On the right of the newest value, whose point is seen whole.
const AXIS_PX = 68; // Room for "512 KiB/s", in all charts, so that their times stand below one another.
const PERCENT_TOP = 103; // A line at 100 is seen whole.
const LINES = ["--line-1", "--line-2", "--line-3"];
const DASHES = [undefined, [6, 4], [2, 3]]; // A line is told by its pattern too, not by colour alone.

const asPercent = (value) => `${decimal(value)}\u00a0%`;
const asRate = (value) => `${bytesText(value)}/s`;
const asPerSecond = (value) => `${decimal(value)}/s`;
const asMs = (value) => `${decimal(value)}\u00a0ms`;
const asCount = (value) => String(Math.round(value));

const KINDS = {
  host: [
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
      top: (most) => Math.max(1, most * 1.1),
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
      top: (most) => Math.max(1024, most * 1.1),
      lines: [
        ["received", (host) => host.network_bytes_per_second.received],
        ["sent", (host) => host.network_bytes_per_second.sent],
      ],
    },
  ],
  process: [
    {
      title: "Sockets",
      show: asCount,
      whole: true,
      top: (most) => Math.max(5, most * 1.1),
      lines: [["open", (one) => one.sockets]],
    },
    {
      title: "Messages",
      show: asPerSecond,
      unit: "/s",
      top: (most) => Math.max(5, most * 1.1),
      lines: [
        ["in", (one) => one.frames_in_per_second],
        ["deliveries", (one) => one.deliveries_per_second],
      ],
    },
    {
      title: "Event-loop lag",
      show: asMs,
      unit: "ms",
      top: (most) => Math.max(10, most * 1.1),
      lines: [
        ["p99", (one) => one.lag_p99_ms],
        ["max", (one) => one.lag_max_ms],
      ],
    },
    {
      title: "Memory",
      show: bytesText,
      unit: "bytes",
      top: (most) => Math.max(1024, most * 1.25),
      lines: [["resident", (one) => one.memory_bytes]],
    },
  ],
};

export class Charts {
  #root;
  #template;
  #kind = null;
  #plots = []; // {plot, definition, figure}
  #range = [0, 1];

  constructor(root, template) {
    this.#root = root;
    this.#template = template;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
      this.#each(({ plot }) => plot.redraw()),
    );
    new ResizeObserver(() => this.#fit()).observe(root);
  }

  render(state, key) {
    const kind = key === null ? "host" : key.slice(0, key.indexOf(":"));
    if (kind !== this.#kind) this.#build(kind);
    this.#range = timeRange(state);
    this.#each((one) => {
      one.plot.setData(
        columns(
          state,
          key,
          one.definition.lines.map(([, pick]) => pick),
        ),
      );
      caption(one);
    });
  }

  #build(kind) {
    this.#each(({ plot }) => plot.destroy());
    this.#kind = kind;
    this.#root.replaceChildren();
    this.#plots = KINDS[kind].map((definition) => {
      const figure = this.#template.content.firstElementChild.cloneNode(true);
      figure.querySelector("[data-title]").textContent = definition.title;
      const key = figure.querySelector("[data-lines]");
      definition.lines.forEach(([name], index) => {
        const item = key.querySelector("template").content.firstElementChild.cloneNode(true);
        item.dataset.line = index + 1;
        item.querySelector("[data-name]").textContent = name;
        key.append(item);
      });
      this.#root.append(figure);
      const one = { definition, figure };
      one.plot = new uPlot(
        this.#options(definition, one),
        [[], ...definition.lines.map(() => [])],
        figure.querySelector("[data-plot]"),
      );
      return one;
    });
    this.#fit();
  }

  #options(definition, one) {
    const soft = () => token("--ink-soft");
    const grid = { stroke: () => token("--line"), width: 1 };
    const axis = { stroke: soft, grid, ticks: { show: false }, font: `12px ${token("--sans")}` };
    return {
      width: 300,
      height: HEIGHT_PX,
      padding: [null, MARGIN_PX, null, null],
      legend: { show: false },
      cursor: {
        y: false,
        sync: { key: "dashboard" },
        drag: { setScale: false, x: false, y: false },
        points: { size: 7 },
      },
      scales: {
        x: { time: true, range: () => this.#range },
        y: { range: (_, __, most) => [0, definition.top(most ?? 0)] },
      },
      axes: [
        { ...axis, space: 70, size: 28, gap: 6, values: labels },
        {
          ...axis,
          size: AXIS_PX,
          gap: 6,
          space: 36,
          incrs: SCALED.has(definition.unit) ? POWERS : definition.whole ? WHOLE : undefined,
          values: (_, values) => values.map((value) => tick(value, definition.unit ?? "")),
        },
      ],
      series: [
        {},
        ...definition.lines.map((_, index) => ({
          stroke: () => token(LINES[index]),
          width: 1.5,
          dash: DASHES[index],
          points: { show: false },
        })),
      ],
      hooks: { setCursor: [() => one.plot && caption(one)] },
    };
  }

  #fit() {
    this.#each(({ plot, figure }) => {
      const width = Math.floor(figure.querySelector("[data-plot]").clientWidth);
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT_PX });
    });
  }

  #each(run) {
    for (const one of this.#plots) run(one);
  }
}

const SCALED = new Set(["bytes", "rate"]);
const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000];

/** The values under the cursor, else the newest. */
function caption({ plot, definition, figure }) {
  const times = plot.data[0];
  const index = plot.cursor.idx ?? times.length - 1;
  const items = figure.querySelectorAll("[data-line]");
  items.forEach((item, line) => {
    const value = plot.data[line + 1]?.[index];
    item.querySelector("[data-value]").textContent = value == null ? "–" : definition.show(value);
  });
}

/** The times at the axis, without those that the edge of the chart would cut. */
function labels(plot, times) {
  const { min, max } = plot.scales.x;
  const pxPerSecond = (plot.width - AXIS_PX - MARGIN_PX) / (max - min);
  const isWhole = wholeBefore(max, (HALF_LABEL_PX - MARGIN_PX) / pxPerSecond);
  return times.map((time) => (isWhole(time) ? clock(time) : ""));
}

function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
}

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
