// The dashboard's state as a value, and values derived from it. No DOM, no clock. Times of samples are the server's, in
// milliseconds since 1970; `now` and `madeAt` are the browser's, of a monotonic clock. The two are never compared.

import { percent } from "./units.js";

/** @import { DashboardAction, DashboardState, Freshness, Host, HostFacts, Level } from "./types.js" */
/** @import { MetricsHistory, MetricsSampled, Reading, Sample, Subject } from "./types.js" */

const MAX_SAMPLES = 300;
const GAP = 1.75; // More than this many steps between two samples is a gap.
const MIN_WINDOW_S = 60;

/**
 * Values from which a number is "high" and "very high". Load is per core, lag in milliseconds.
 * @type {Record<"cpu" | "memory" | "load" | "lag", [number, number]>}
 */
const LIMITS = { cpu: [75, 90], memory: [80, 92], load: [1, 2], lag: [50, 250] };

/**
 * @param {{ staleMs: number }} options
 * @returns {DashboardState}
 */
export function initial({ staleMs }) {
  return {
    staleMs,
    intervalMs: 2000,
    connection: "connecting",
    wasOpen: false,
    why: {},
    servedBy: null,
    samples: [],
    madeAt: null,
    chosen: null,
  };
}

/**
 * @param {DashboardState} state
 * @param {DashboardAction} action
 * @returns {DashboardState}
 */
export function reduce(state, action) {
  switch (action.type) {
    case "connection": {
      const wasOpen = state.wasOpen || action.state === "open";
      return { ...state, connection: action.state, why: action.why ?? {}, wasOpen };
    }
    case "hello": {
      const { connection } = action.frame;
      const at = connection.lastIndexOf(":");
      return { ...state, servedBy: at < 0 ? connection : connection.slice(0, at) };
    }
    case "history":
      return withHistory(state, action.frame, action.now);
    case "sample":
      return withSample(state, action.frame, action.now);
    case "chosen":
      return { ...state, chosen: action.subject };
    default:
      return state;
  }
}

/** @param {DashboardState} state */
export function newest(state) {
  return state.samples.at(-1) ?? null;
}

/**
 * How current the page is.
 *
 * @param {DashboardState} state
 * @param {number} now
 * @returns {{ word: Freshness, ageMs: number | null }} the age of the newest sample; null where there is none
 */
export function freshness(state, now) {
  const ageMs = state.madeAt === null ? null : Math.max(0, now - state.madeAt);
  if (state.connection !== "open") return { word: state.wasOpen || state.why.final ? "offline" : "connecting", ageMs };
  if (ageMs === null) return { word: "waiting", ageMs };
  return { word: ageMs >= Math.max(state.staleMs, 2.5 * state.intervalMs) ? "stale" : "live", ageMs };
}

/**
 * The subject of the charts: the chosen one while the newest sample has it, else the first host.
 *
 * @param {DashboardState} state
 * @returns {Subject | null}
 */
export function subject(state) {
  const sample = newest(state);
  if (sample === null) return null;
  return readingOf(sample, state.chosen) ? state.chosen : (subjects(sample)[0] ?? null);
}

/**
 * @param {Sample} sample
 * @param {Subject | null} key
 * @returns {Reading | undefined}
 */
export function readingOf(sample, key) {
  return key?.startsWith("host:") ? hostOf(sample, key) : processOf(sample, key);
}

/**
 * @param {Sample} sample
 * @param {Subject | null} key
 */
export function hostOf(sample, key) {
  return key?.startsWith("host:") ? sample.hosts.get(key.slice("host:".length)) : undefined;
}

/**
 * @param {Sample} sample
 * @param {Subject | null} key
 */
export function processOf(sample, key) {
  return key?.startsWith("process:") ? sample.processes.get(key.slice("process:".length)) : undefined;
}

/**
 * Columns for a chart: times in seconds, then the values of each pick.
 * A value is null where the subject was stale or missing, and once in each gap of the samples.
 *
 * @template {Reading} R
 * @param {DashboardState} state
 * @param {Subject | null} key
 * @param {((reading: R) => number)[]} picks
 * @param {number} last  only so many newest samples
 * @returns {[number[], ...(number | null)[][]]}
 */
export function columns(state, key, picks, last = MAX_SAMPLES) {
  /** @type {number[]} */
  const times = [];
  /** @type {(number | null)[][]} */
  const values = picks.map(() => []);
  /**
   * @param {number} ms
   * @param {R | null} reading
   */
  const push = (ms, reading) => {
    times.push(ms / 1000);
    for (const [index, pick] of picks.entries()) values[index]?.push(reading === null ? null : pick(reading));
  };
  /** @type {Sample | null} */
  let before = null;
  for (const sample of state.samples.slice(-last)) {
    if (before !== null && sample.at - before.at > GAP * sample.stepMs) push(before.at + 1, null);
    // The prefix of the key gives the kind of reading, and so the picks that fit.
    const reading = /** @type {R | undefined} */ (readingOf(sample, key));
    push(sample.at, reading && !reading.stale_since ? reading : null);
    before = sample;
  }
  return [times, ...values];
}

/**
 * The time axis of all charts, in seconds: to the newest sample, from the oldest that is kept.
 *
 * @param {DashboardState} state
 * @returns {[from: number, to: number]}
 */
export function timeRange(state) {
  const sample = newest(state);
  if (sample === null) return [0, MIN_WINDOW_S];
  const to = sample.at / 1000;
  const maxS = (MAX_SAMPLES * state.intervalMs) / 1000;
  const knownS = to - (state.samples[0] ?? sample).at / 1000;
  return [to - Math.max(MIN_WINDOW_S, Math.min(maxS, knownS)), to];
}

/**
 * A host's numbers, as its card and its table row show them.
 *
 * @param {Host} host
 * @returns {HostFacts}
 */
export function hostFacts(host) {
  const memory = percent(host.memory_bytes);
  const perCore = host.load[0] / Math.max(1, host.cores_percent.length);
  return {
    cpu: host.cpu_percent,
    busiest: Math.max(0, ...host.cores_percent),
    memory,
    swap: percent(host.swap_bytes),
    disk: percent(host.disk_bytes),
    load: host.load[0],
    received: host.network_bytes_per_second.received,
    sent: host.network_bytes_per_second.sent,
    levels: { cpu: level("cpu", host.cpu_percent), memory: level("memory", memory), load: level("load", perCore) },
  };
}

/**
 * @param {keyof typeof LIMITS} kind
 * @param {number} value
 * @returns {Level}
 */
export function level(kind, value) {
  const [high, veryHigh] = LIMITS[kind];
  if (value >= veryHigh) return "very high";
  return value >= high ? "high" : "";
}

/**
 * @param {DashboardState} state
 * @param {MetricsHistory} frame
 * @param {number} now
 * @returns {DashboardState}
 */
function withHistory(state, frame, now) {
  const stepMs = frame.interval_ms * frame.every;
  // An epoch below the known one: the server lost its samples and began again.
  const isReset = frame.samples.length > 0 && frame.epoch < (newest(state)?.epoch ?? 0);
  const known = isReset ? [] : state.samples;
  const merged = new Map(known.map((sample) => [keyOf(sample), sample]));
  for (const sampled of frame.samples) {
    if (!merged.has(keyOf(sampled))) merged.set(keyOf(sampled), parsed(sampled, stepMs));
  }
  const samples = rising([...merged.values()].sort((a, b) => a.epoch - b.epoch || a.seq - b.seq)).slice(-MAX_SAMPLES);
  // A process without Redis may know fewer samples than the page: the age belongs to its own newest sample.
  const [sent, last] = [frame.samples.at(-1), samples.at(-1)];
  const isNewest = sent !== undefined && last !== undefined && keyOf(sent) === keyOf(last);
  const madeAt = isNewest ? now - (frame.age_ms ?? 0) : state.madeAt;
  return { ...state, samples, madeAt, intervalMs: frame.interval_ms };
}

/**
 * @param {DashboardState} state
 * @param {MetricsSampled} frame
 * @param {number} now
 * @returns {DashboardState}
 */
function withSample(state, frame, now) {
  const last = newest(state);
  if (last && (frame.epoch - last.epoch || frame.seq - last.seq) <= 0) return state;
  const samples = rising([...state.samples, parsed(frame, state.intervalMs)]).slice(-MAX_SAMPLES);
  return { ...state, samples, madeAt: now };
}

/**
 * @param {MetricsSampled} frame
 * @param {number} stepMs
 * @returns {Sample}
 */
function parsed({ epoch, seq, at, hosts, processes }, stepMs) {
  return {
    epoch,
    seq,
    at: Date.parse(at),
    stepMs,
    hosts: new Map(hosts.map((host) => [host.id ?? host.name, host])),
    processes: new Map(processes.map((process) => [process.id, process])),
  };
}

/**
 * The samples without those that claim a later time than a newer one: the times of a chart must rise.
 *
 * @param {Sample[]} samples
 */
function rising(samples) {
  /** @type {Sample[]} */
  const newestFirst = [];
  for (const sample of [...samples].reverse()) {
    const later = newestFirst.at(-1);
    if (later === undefined || sample.at < later.at) newestFirst.push(sample);
  }
  return newestFirst.reverse();
}

/** @param {{ epoch: number, seq: number }} sample */
function keyOf({ epoch, seq }) {
  return `${epoch}/${seq}`;
}

/** @param {Sample} sample */
function subjects(sample) {
  return [
    ...[...sample.hosts.keys()].map((id) => `host:${id}`),
    ...[...sample.processes.keys()].map((id) => `process:${id}`),
  ];
}
