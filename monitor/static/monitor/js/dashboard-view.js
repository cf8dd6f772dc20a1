// The only part of the dashboard that touches the page. Rows and cards are kept and filled, never made anew.

import { Charts } from "./charts.js";
import {
  columns,
  find,
  freshness,
  hostFacts,
  hostLabel,
  hostLabelOf,
  level,
  nameParts,
  newest,
  subject,
} from "./dashboard-state.js";
import { age, bytes, bytesText, decimal, duration, percent } from "./units.js";

const SPARK_SAMPLES = 60;
const SPARK_HEIGHT = 28;
const CORE_HEIGHT = 20;

const WORDS = { connecting: "Connecting", waiting: "Waiting", live: "Live", stale: "Stale", offline: "Offline" };

const SPARKS = {
  cpu: [(host) => host.cpu_percent, 100],
  memory: [(host) => percent(host.memory_bytes), 100],
  load: [(host) => host.load[0], null],
  network: [(host) => host.network_bytes_per_second.received + host.network_bytes_per_second.sent, null],
};

export class DashboardView {
  #root;
  #charts;
  #choose;

  /** `choose(subject)`: somebody wants its charts. */
  constructor(root, { choose }) {
    this.#root = root;
    this.#choose = choose;
    this.#charts = new Charts(this.#part("charts"), this.#template("chart"));
    root.addEventListener("click", (event) => {
      const chosen = event.target.closest("[data-subject]");
      if (chosen) this.#choose(chosen.dataset.subject);
    });
  }

  render(state, now) {
    const sample = newest(state);
    this.#part("content").hidden = sample === null;
    if (sample !== null) this.#fill(state, sample);
    this.tick(state, now);
  }

  #fill(state, sample) {
    const shown = subject(state);
    fill(this.#part("seq"), sample.seq.toLocaleString("en"));
    this.#rows("hosts", "host-card", sample.hosts, (card, host) => this.#fillCard(card, host, state, sample));
    this.#rows("processes", "process-row", sample.processes, (row, process) => fillProcess(row, process, sample));
    this.#rows("facts", "fact-row", sample.hosts, (row, host) => fillFacts(row, host, sample));
    this.#part("no-processes").hidden = sample.processes.size > 0;
    for (const one of this.#root.querySelectorAll("button[data-subject]"))
      one.setAttribute("aria-pressed", one.dataset.subject === shown);
    for (const one of this.#root.querySelectorAll("[data-key]:has(button[data-subject])")) {
      one.classList.toggle("is-chosen", one.querySelector("button").dataset.subject === shown);
    }
    if (shown === null) return;
    const reading = find(sample, shown);
    const isHost = shown.startsWith("host:");
    fill(
      this.#part("charts-of"),
      isHost ? hostLabel(sample, reading) : `${nameParts(reading.id).name} on ${hostLabelOf(sample, reading)}`,
    );
    this.#charts.render(state, shown);
  }

  /** What changes with the time alone. */
  tick(state, now) {
    const { word, ageMs } = freshness(state, now);
    this.#root.dataset.freshness = word;
    fill(this.#part("word"), WORDS[word]);
    const madeAt = ageMs === null ? "" : timeOfDay(Date.now() - ageMs);
    fill(this.#part("detail"), detail(state, word, madeAt));
    fill(this.#part("age"), ageMs === null ? "–" : age(ageMs));
    fill(this.#part("served-by"), state.servedBy ?? "–");
    this.#part("empty").hidden = word !== "waiting";
    // While no sample comes, nothing on the page is of now.
    const since = word === "live" ? "" : madeAt;
    for (const one of this.#root.querySelectorAll(".state")) {
      const stale = one.dataset.since || since;
      fill(one, stale ? `Stale since ${stale}` : "Live");
      one.closest("[data-key]").classList.toggle("is-stale", stale !== "");
    }
  }

  /** One element per entry, in its order, each filled. */
  #rows(part, template, entries, fillOne) {
    const parent = this.#part(part);
    const known = new Map([...parent.children].map((one) => [one.dataset.key, one]));
    let place = parent.firstElementChild;
    for (const [key, reading] of entries) {
      let one = known.get(key);
      known.delete(key);
      if (!one) {
        one = this.#template(template).content.firstElementChild.cloneNode(true);
        one.dataset.key = key;
      }
      if (one === place) place = place.nextElementSibling;
      else parent.insertBefore(one, place);
      fillOne(one, reading);
    }
    for (const one of known.values()) one.remove();
  }

  #fillCard(card, host, state, sample) {
    const facts = hostFacts(host);
    const key = `host:${host.id ?? host.name}`;
    const cores = host.cores_percent.length;
    const network = bytes(facts.received + facts.sent);
    setSubject(card, key);
    set(card, "name", hostLabel(sample, host));
    setStale(card, host);
    set(card, "about", `up ${duration(host.uptime_seconds)}`);
    fillMetric(card, "cpu", decimal(facts.cpu), "%", `busiest core ${decimal(facts.busiest)}\u00a0%`, facts.levels.cpu);
    const { used, total } = host.memory_bytes;
    fillMetric(
      card,
      "memory",
      decimal(facts.memory),
      "%",
      `${bytesText(used)} of ${bytesText(total)}`,
      facts.levels.memory,
    );
    fillMetric(card, "load", decimal(facts.load), "", `${cores} ${cores === 1 ? "core" : "cores"}`, facts.levels.load);
    fillMetric(
      card,
      "network",
      network.text,
      `${network.unit}/s`,
      `↓\u00a0${bytesText(facts.received)} ↑\u00a0${bytesText(facts.sent)}`,
      "",
    );
    for (const [name, [pick, top]] of Object.entries(SPARKS)) {
      const [, values] = columns(state, key, [pick], SPARK_SAMPLES);
      const most = top ?? Math.max(1, ...values);
      for (const path of part(card, name).querySelectorAll("path"))
        path.setAttribute("d", sparkPath(values, most, path.dataset.area));
    }
    const svg = part(card, "cores");
    svg.setAttribute("viewBox", `0 0 ${cores} ${CORE_HEIGHT}`);
    svg.style.setProperty("--cores", cores);
    svg.querySelector("[data-rest]").setAttribute("d", bars(host.cores_percent.map(() => 100)));
    svg.querySelector("[data-busy]").setAttribute("d", bars(host.cores_percent));
  }

  #part(name) {
    return part(this.#root, name);
  }

  #template(name) {
    return document.getElementById(name);
  }
}

function fillMetric(card, name, text, unit, about, tint) {
  const metric = part(card, name);
  set(metric, "number", text);
  set(metric, "unit", unit);
  set(metric, "about", about);
  fillLevel(metric, tint);
}

function fillProcess(row, process, sample) {
  const { name, pid } = nameParts(process.id);
  setSubject(row, `process:${process.id}`);
  set(row, "name", name);
  set(row, "host", `${hostLabelOf(sample, process)} · ${pid}`);
  setStale(row, process);
  set(row, "sockets", process.sockets.toLocaleString("en"));
  set(row, "in", decimal(process.frames_in_per_second));
  set(row, "deliveries", decimal(process.deliveries_per_second));
  set(row, "p99", decimal(process.lag_p99_ms));
  set(row, "max", decimal(process.lag_max_ms));
  fillLevel(part(row, "lag"), level("lag", process.lag_p99_ms));
  set(row, "memory", bytesText(process.memory_bytes));
}

function fillFacts(row, host, sample) {
  const facts = hostFacts(host);
  set(row, "name", hostLabel(sample, host));
  set(row, "cpu", `${decimal(facts.cpu)} %`);
  set(row, "busiest", `${decimal(facts.busiest)} %`);
  set(row, "memory", `${decimal(facts.memory)} %`);
  set(row, "swap", `${decimal(facts.swap)} %`);
  set(row, "disk", `${decimal(facts.disk)} %`);
  set(row, "load", host.load.map(decimal).join(" "));
  set(row, "received", `${bytesText(facts.received)}/s`);
  set(row, "sent", `${bytesText(facts.sent)}/s`);
  set(row, "uptime", duration(host.uptime_seconds));
  setStale(row, host);
}

/** `tick` makes words of it. */
function setStale(element, reading) {
  part(element, "state").dataset.since = reading.stale_since ? timeOfDay(Date.parse(reading.stale_since)) : "";
}

function fillLevel(element, tint) {
  element.dataset.level = tint.replace(" ", "-");
  set(element, "level", tint);
}

function detail(state, word, madeAt) {
  switch (word) {
    case "stale":
      return `since ${madeAt}: no sample comes`;
    case "offline":
      if (!state.why.final) return "Reconnecting…";
      return state.why.code === 4005
        ? "Your account may not see this any more"
        : state.why.reason || "Reload the page to try again";
    default:
      return "";
  }
}

function sparkPath(values, most, area) {
  let path = "";
  let start = null;
  const step = 100 / (SPARK_SAMPLES - 1);
  const left = 100 - (values.length - 1) * step;
  values.forEach((value, index) => {
    const x = (left + index * step).toFixed(2);
    if (value === null) {
      if (area && start !== null) path += `V${SPARK_HEIGHT}H${start}Z`;
      start = null;
      return;
    }
    const y = (1 + (1 - Math.min(1, value / most)) * (SPARK_HEIGHT - 2)).toFixed(1);
    path += `${start === null ? "M" : "L"}${x} ${y}`;
    if (start === null) start = x;
    if (area && index === values.length - 1) path += `V${SPARK_HEIGHT}H${start}Z`;
  });
  return path;
}

function bars(percents) {
  return percents
    .map((one, index) => `M${index + 0.1} ${CORE_HEIGHT}h.8v${((-one / 100) * CORE_HEIGHT).toFixed(1)}h-.8z`)
    .join("");
}

function setSubject(element, key) {
  element.querySelector("button").dataset.subject = key;
}

function timeOfDay(ms) {
  return new Date(ms).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
}

function part(root, name) {
  return root.querySelector(`[data-part="${name}"]`);
}

function set(root, name, text) {
  fill(part(root, name), text);
}

/** Only what has changed: a screen reader and a selection are left in peace. */
function fill(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
