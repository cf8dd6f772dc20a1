// What the dashboard knows, and what follows from it. Pure: no DOM, no clock. Times of samples are the server's, in
// milliseconds since 1970; `now` and `heardAt` are ours, of a clock that nobody sets. The two are never compared.

import { percent } from "./units.js";

const KEPT_SAMPLES = 300;
const GAP = 1.75; // More than this many steps between two samples is a hole.
const MIN_WINDOW_S = 60;
const SHORT_ID = 4;

/** Values from which a number is tinted and called "high" or "very high". Load is per core. */
const LIMITS = { cpu: [75, 90], memory: [80, 92], load: [1, 2], lag: [50, 250] };
const LEVELS = ["", "high", "very high"];

export function initial({ staleMs }) {
  return {
    staleMs,
    intervalMs: 2000,
    connection: "connecting", // "connecting" | "open" | "offline"
    wasOpen: false,
    why: {},
    servedBy: null,
    samples: [], // Oldest first: {epoch, seq, at, stepMs, hosts: Map, processes: Map}
    heardAt: null, // When the newest sample was made, by our own clock.
    chosen: null, // "host:" and its id, or "process:" and its id
  };
}

export function reduce(state, action) {
  switch (action.type) {
    case "connection":
      return {
        ...state,
        connection: action.state,
        why: action.why ?? {},
        wasOpen: state.wasOpen || action.state === "open",
      };
    case "hello": {
      const { connection } = action.frame;
      const at = connection.lastIndexOf(":");
      return { ...state, servedBy: at < 0 ? connection : connection.slice(0, at) };
    }
    case "history":
      return takeHistory(state, action.frame, action.now);
    case "sample":
      return takeSample(state, action.frame, action.now);
    case "chosen":
      return { ...state, chosen: action.subject };
    default:
      return state;
  }
}

export function newest(state) {
  return state.samples.at(-1) ?? null;
}

/** {word, ageMs}: "connecting", "waiting" (no sample ever), "live", "stale" or "offline". */
export function freshness(state, now) {
  const ageMs = state.heardAt === null ? null : Math.max(0, now - state.heardAt);
  if (state.connection !== "open") return { word: state.wasOpen || state.why.final ? "offline" : "connecting", ageMs };
  if (ageMs === null) return { word: "waiting", ageMs };
  return { word: ageMs >= Math.max(state.staleMs, 2.5 * state.intervalMs) ? "stale" : "live", ageMs };
}

/** What the charts show: the choice while it is there, else the first host. */
export function subject(state) {
  const sample = newest(state);
  if (sample === null) return null;
  return find(sample, state.chosen) ? state.chosen : (keys(sample)[0] ?? null);
}

export function find(sample, key) {
  if (key === null) return undefined;
  return key.startsWith("host:") ? sample.hosts.get(key.slice(5)) : sample.processes.get(key.slice(8));
}

/** What a host is called: by a part of its id as well where another one has the same name. */
export function hostLabel(sample, { id = "", name }) {
  const twins = [...sample.hosts.values()].filter((host) => host.name === name && (host.id ?? "") !== id);
  return twins.length === 0 ? name : `${name} (${id.slice(0, distinct(id, twins))})`;
}

/** What the host of a process is called. */
export function hostLabelOf(sample, process) {
  const id = nameParts(process.id).host;
  return hostLabel(sample, { id, name: process.host_name ?? id });
}

/** A process's name, host's id and pid out of its id. */
export function nameParts(id) {
  const [, host, name, pid] = /^(.*?):(.*):(.*?)$/.exec(id) ?? [null, "", id, ""];
  return { host, name, pid };
}

/**
 * Columns for a chart: [times in seconds, values of pick 1, values of pick 2, …].
 * null where the subject was stale or missing, and once in each hole of the data.
 */
export function columns(state, key, picks, last = KEPT_SAMPLES) {
  const table = [[], ...picks.map(() => [])];
  const samples = state.samples.slice(-last);
  samples.forEach((sample, index) => {
    const before = samples[index - 1];
    if (before && sample.at - before.at > GAP * sample.stepMs) push(table, (before.at + 1) / 1000, null, picks);
    const reading = find(sample, key);
    push(table, sample.at / 1000, reading && !reading.stale_since ? reading : null, picks);
  });
  return table;
}

/** The time axis that all charts share, in seconds: up to the newest sample, as far back as samples are kept. */
export function timeRange(state) {
  const sample = newest(state);
  if (sample === null) return [0, MIN_WINDOW_S];
  const to = sample.at / 1000;
  const most = (KEPT_SAMPLES * state.intervalMs) / 1000;
  const known = to - state.samples[0].at / 1000;
  return [to - Math.max(MIN_WINDOW_S, Math.min(most, known)), to];
}

/** A host's numbers, as the card and the table show them. */
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

/** "", "high" or "very high". */
export function level(kind, value) {
  return LEVELS[LIMITS[kind].filter((limit) => value >= limit).length];
}

function takeHistory(state, frame, now) {
  const stepMs = frame.interval_ms * frame.every;
  // An epoch below ours: the server has forgotten what it had, and begun anew.
  const known = frame.samples.length > 0 && frame.epoch < (newest(state)?.epoch ?? 0) ? [] : state.samples;
  const merged = new Map(known.map((sample) => [keyOf(sample), sample]));
  for (const one of frame.samples) {
    const sample = parsed(one, stepMs);
    if (!merged.has(keyOf(sample))) merged.set(keyOf(sample), sample);
  }
  const samples = rising([...merged.values()].sort((a, b) => a.epoch - b.epoch || a.seq - b.seq)).slice(-KEPT_SAMPLES);
  // A process without Redis may know less than we do: its age is that of its own newest.
  const last = frame.samples.at(-1);
  const heardAt = last && keyOf(last) === keyOf(samples.at(-1)) ? now - (frame.age_ms ?? 0) : state.heardAt;
  return { ...state, samples, heardAt, intervalMs: frame.interval_ms };
}

function takeSample(state, frame, now) {
  const last = newest(state);
  if (last && (frame.epoch - last.epoch || frame.seq - last.seq) <= 0) return state;
  const samples = rising([...state.samples, parsed(frame, state.intervalMs)]).slice(-KEPT_SAMPLES);
  return { ...state, samples, heardAt: now };
}

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

/** Without those before the newest that claim to be later than what follows them: a chart's times have to rise. */
function rising(samples) {
  const kept = [];
  for (let index = samples.length - 1; index >= 0; index -= 1) {
    if (kept.length === 0 || samples[index].at < kept.at(-1).at) kept.push(samples[index]);
  }
  return kept.reverse();
}

function distinct(id, others) {
  let length = Math.min(SHORT_ID, id.length);
  while (length < id.length && others.some((other) => (other.id ?? "").startsWith(id.slice(0, length)))) length += 1;
  return length;
}

function keyOf({ epoch, seq }) {
  return `${epoch}/${seq}`;
}

function keys(sample) {
  return [
    ...[...sample.hosts.keys()].map((id) => `host:${id}`),
    ...[...sample.processes.keys()].map((id) => `process:${id}`),
  ];
}

function push(table, time, reading, picks) {
  table[0].push(time);
  picks.forEach((pick, index) => table[index + 1].push(reading === null ? null : pick(reading)));
}
