// The dashboard's page. Rows and cards are reused and filled, so that focus and selections stay.

import { closeText } from "../../hubbub/js/close-texts.js";
import { copyOf, find } from "../../hubbub/js/dom.js";
import { locale } from "../../hubbub/js/locale.js";
import { gettext, interpolate } from "../../hubbub/js/texts.js";
import { Charts } from "./charts.js";
import { freshness, hostOf, newest, processOf, subject } from "./dashboard-state.js";
import { fill, part, timeOfDay } from "./fill.js";
import { fillCard } from "./host-card.js";
import { hostLabel, hostLabelOf, nameParts } from "./reading-names.js";
import { fillFacts, fillProcess } from "./table-rows.js";
import { age } from "./units.js";

/** @import { DashboardState, Freshness, Sample, Subject } from "./types.js" */

const WORDS = {
  connecting: gettext("Connecting"),
  waiting: gettext("Waiting"),
  live: gettext("Live"),
  stale: gettext("Stale"),
  offline: gettext("Offline"),
};

export class DashboardView {
  #root;
  #charts;

  /**
   * @param {HTMLElement} root
   * @param {{ choose: (subject: Subject) => void }} calls  choose: the user wants the charts of a subject
   */
  constructor(root, { choose }) {
    this.#root = root;
    this.#charts = new Charts(this.#part("charts"), template("chart"));
    root.addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("[data-subject]") : null;
      if (button instanceof HTMLElement && button.dataset.subject) choose(button.dataset.subject);
    });
  }

  /**
   * @param {DashboardState} state
   * @param {number} now  milliseconds of the browser's monotonic clock
   */
  render(state, now) {
    const sample = newest(state);
    this.#part("content").hidden = sample === null;
    if (sample !== null) this.#fill(state, sample);
    this.tick(state, now);
  }

  /** The theme of the page has changed. */
  recolour() {
    this.#charts.redraw();
  }

  /**
   * Shows the parts that change with time alone.
   *
   * @param {DashboardState} state
   * @param {number} now
   */
  tick(state, now) {
    const { word, ageMs } = freshness(state, now);
    this.#root.dataset.freshness = word;
    fill(this.#part("word"), WORDS[word]);
    const madeAt = ageMs === null ? "" : timeOfDay(Date.now() - ageMs);
    fill(this.#part("detail"), detail(state, word, madeAt));
    fill(this.#part("age"), ageMs === null ? "–" : age(ageMs));
    fill(this.#part("served-by"), state.servedBy ?? "–");
    this.#part("empty").hidden = word !== "waiting";
    // Without new samples every number on the page is stale.
    const since = word === "live" ? "" : madeAt;
    for (const element of elements(this.#root, ".state")) {
      const stale = element.dataset.since || since;
      fill(element, stale ? interpolate(gettext("Stale since %(time)s"), { time: stale }) : gettext("Live"));
      element.closest("[data-key]")?.classList.toggle("is-stale", stale !== "");
    }
  }

  /**
   * @param {DashboardState} state
   * @param {Sample} sample
   */
  #fill(state, sample) {
    fill(this.#part("seq"), sample.seq.toLocaleString(locale));
    this.#fillRows("hosts", "host-card", sample.hosts, (card, host) => fillCard(card, host, state, sample));
    this.#fillRows("processes", "process-row", sample.processes, (row, process) => fillProcess(row, process, sample));
    this.#fillRows("facts", "fact-row", sample.hosts, (row, host) => fillFacts(row, host, sample));
    this.#part("no-processes").hidden = sample.processes.size > 0;
    const shown = subject(state);
    for (const button of elements(this.#root, "button[data-subject]")) {
      const isShown = button.dataset.subject === shown;
      button.setAttribute("aria-pressed", String(isShown));
      button.closest("[data-key]")?.classList.toggle("is-chosen", isShown);
    }
    if (shown === null) return;
    fill(this.#part("charts-of"), titleOf(sample, shown));
    this.#charts.render(state, shown);
  }

  /**
   * One element per reading, in their order, each filled.
   *
   * @template R
   * @param {string} name  of the part that contains the elements
   * @param {string} templateId
   * @param {Map<string, R>} readings  by id
   * @param {(element: HTMLElement, reading: R) => void} fillElement
   */
  #fillRows(name, templateId, readings, fillElement) {
    const parent = this.#part(name);
    const children = /** @type {HTMLElement[]} */ ([...parent.children]);
    const unused = new Map(children.map((child) => [child.dataset.key, child]));
    let place = parent.firstElementChild;
    for (const [key, reading] of readings) {
      const element = unused.get(key) ?? copyOf(template(templateId));
      unused.delete(key);
      element.dataset.key = key;
      if (element === place) place = place.nextElementSibling;
      else parent.insertBefore(element, place);
      fillElement(element, reading);
    }
    for (const element of unused.values()) element.remove();
  }

  /** @param {string} name */
  #part(name) {
    return part(this.#root, name);
  }
}

/**
 * @param {Sample} sample
 * @param {Subject} subject
 */
function titleOf(sample, subject) {
  const host = hostOf(sample, subject);
  if (host) return hostLabel(sample, host);
  const process = processOf(sample, subject);
  return process
    ? interpolate(gettext("%(process)s on %(host)s"), {
        process: nameParts(process.id).name,
        host: hostLabelOf(sample, process),
      })
    : "";
}

/**
 * @param {DashboardState} state
 * @param {Freshness} word
 * @param {string} madeAt
 */
function detail({ why }, word, madeAt) {
  switch (word) {
    case "stale":
      return interpolate(gettext("no sample since %(time)s"), { time: madeAt });
    case "offline":
      if (!why.final) return gettext("Reconnecting…");
      return closeText(why.code);
    default:
      return why.via === "http" ? gettext("over HTTP: this network blocks WebSockets") : "";
  }
}

/**
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {NodeListOf<HTMLElement>}
 */
function elements(root, selector) {
  return root.querySelectorAll(selector);
}

/** @param {string} id */
function template(id) {
  return find(document, `#${id}`, HTMLTemplateElement);
}
