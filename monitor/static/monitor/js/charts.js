// The charts of one host or process, drawn by uPlot over one time axis with one cursor.

import { copyOf, find } from "../../hubbub/js/dom.js";
import { hours } from "../../hubbub/js/locale.js";
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { HOST_CHARTS, PROCESS_CHARTS } from "./chart-kinds.js";
import { columns, timeRange } from "./dashboard-state.js";
import { timeOfDay } from "./fill.js";
import { endsBefore, tick } from "./units.js";

/** @import { ChartKind } from "./chart-kinds.js" */
/** @import { DashboardState, Subject } from "./types.js" */

/** @typedef {ChartKind<any>} Kind  of a host or a process: by the subject's prefix */
/** @typedef {{ plot: uPlot, kind: Kind, figure: HTMLElement }} Chart */

const HEIGHT_PX = 168;
const LABEL_PX = hours.hour === "numeric" ? 70 : 54; // Of a time: "12:47:10 PM" or "18:47:10".
const MARGIN_PX = 6; // Right of the newest value, so that its point is not cut.
const AXIS_PX = 68; // Room for "512 KiB/s", in all charts, so that their time axes align.
const LINES = ["--line-1", "--line-2", "--line-3"];
const DASHES = [undefined, [6, 4], [2, 3]]; // Lines differ by pattern, not by color alone.
const SCALED_UNITS = new Set(["bytes", "rate"]);
const POWERS_OF_TWO = Array.from({ length: 50 }, (_, power) => 2 ** power);
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000];

export class Charts {
  #root;
  #template;
  /** @type {Kind[] | null} */
  #kinds = null;
  /** @type {Chart[]} */
  #charts = [];
  /** @type {[from: number, to: number]} in seconds */
  #range = [0, 1];

  /**
   * @param {HTMLElement} root
   * @param {HTMLTemplateElement} template  of one chart
   */
  constructor(root, template) {
    this.#root = root;
    this.#template = template;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    new ResizeObserver(() => this.#fit()).observe(root);
  }

  /** Draws with the colours that the page has now. */
  redraw() {
    for (const { plot } of this.#charts) plot.redraw();
  }

  /**
   * @param {DashboardState} state
   * @param {Subject | null} subject
   */
  render(state, subject) {
    const kinds = subject?.startsWith("process:") ? PROCESS_CHARTS : HOST_CHARTS;
    if (kinds !== this.#kinds) this.#build(kinds);
    this.#range = timeRange(state);
    for (const chart of this.#charts) {
      const picks = chart.kind.lines.map(([, pick]) => pick);
      chart.plot.setData(columns(state, subject, picks));
      showValues(chart);
    }
  }

  /** @param {Kind[]} kinds */
  #build(kinds) {
    for (const { plot } of this.#charts) plot.destroy();
    this.#kinds = kinds;
    this.#root.replaceChildren();
    this.#charts = kinds.map((kind) => {
      const figure = copyOf(this.#template);
      find(figure, "[data-title]", HTMLElement).textContent = kind.title;
      const legend = find(figure, "[data-lines]", HTMLElement);
      for (const [index, [name]] of kind.lines.entries()) {
        const item = copyOf(find(legend, "template", HTMLTemplateElement));
        item.dataset.line = String(index + 1);
        find(item, "[data-name]", HTMLElement).textContent = name;
        legend.append(item);
      }
      this.#root.append(figure);
      /** @type {uPlot.AlignedData} */
      const empty = [[], ...kind.lines.map(() => [])];
      const plot = new uPlot(this.#options(kind, figure), empty, find(figure, "[data-plot]", HTMLElement));
      return { plot, kind, figure };
    });
    this.#fit();
  }

  /**
   * @param {Kind} kind
   * @param {HTMLElement} figure
   * @returns {uPlot.Options}
   */
  #options(kind, figure) {
    const grid = { stroke: () => color("--line"), width: 1 };
    const axis = { stroke: () => color("--ink-soft"), grid, ticks: { show: false }, font: `12px ${token("--sans")}` };
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
        y: { range: (_, __, max) => [0, kind.top(max ?? 0)] },
      },
      axes: [
        { ...axis, space: LABEL_PX + 16, size: 28, gap: 6, values: timeLabels },
        {
          ...axis,
          size: AXIS_PX,
          gap: 6,
          space: 36,
          incrs: SCALED_UNITS.has(kind.unit) ? POWERS_OF_TWO : kind.whole ? WHOLE_STEPS : undefined,
          values: (_, values) => values.map((value) => tick(value, kind.unit)),
        },
      ],
      series: [
        {},
        ...kind.lines.map((_, index) => ({
          stroke: () => color(LINES[index] ?? ""),
          width: 1.5,
          dash: DASHES[index],
          points: { show: false },
        })),
      ],
      hooks: { setCursor: [(plot) => showValues({ plot, kind, figure })] },
    };
  }

  #fit() {
    for (const { plot, figure } of this.#charts) {
      const width = Math.floor(find(figure, "[data-plot]", HTMLElement).clientWidth);
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT_PX });
    }
  }
}

/**
 * Shows the values under the cursor, else the newest, in the legend.
 *
 * @param {Chart} chart
 */
function showValues({ plot, kind, figure }) {
  const index = plot.cursor.idx ?? plot.data[0].length - 1;
  for (const [line, item] of figure.querySelectorAll("[data-line]").entries()) {
    const value = plot.data[line + 1]?.[index];
    find(item, "[data-value]", HTMLElement).textContent =
      value === null || value === undefined ? "–" : kind.show(value);
  }
}

/**
 * The labels of the time axis; a label that the edge of the chart would cut is empty.
 *
 * @param {uPlot} plot
 * @param {number[]} times  in seconds
 */
function timeLabels(plot, times) {
  const { min = 0, max = 0 } = plot.scales.x ?? {};
  const pxPerSecond = (plot.width - AXIS_PX - MARGIN_PX) / (max - min);
  const isWhole = endsBefore(max, (LABEL_PX / 2 - MARGIN_PX) / pxPerSecond);
  return times.map((time) => (isWhole(time) ? timeOfDay(time * 1000) : ""));
}

/** @param {string} name  of a CSS property of the page */
function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Of no size. A canvas knows no `light-dark(…)`: the style of an element has the colour that is shown.
const probe = document.createElement("span");

/** @param {string} name  of a CSS property of the page that is a colour */
function color(name) {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}
