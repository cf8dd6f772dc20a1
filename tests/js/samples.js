// Samples as tests see them, and a dashboard that shows them.

import assert from "node:assert/strict";

import { initial, newest, reduce } from "../../monitor/static/monitor/js/dashboard-state.js";

/** @import { DashboardAction, DashboardState, Host, MetricsHistory, MetricsSampled, Process } from "../../monitor/static/monitor/js/types.js" */

export const START = Date.parse("2026-03-01T12:00:00Z");
/** @param {Host} host */
export const cpu = (host) => host.cpu_percent;

/**
 * @param {string} name
 * @param {Partial<Host>} changes
 * @returns {Host}
 */
export function host(name, changes = {}) {
  return {
    id: name,
    name,
    cpu_percent: 12,
    cores_percent: [10, 14],
    memory_bytes: { used: 4, total: 8 },
    swap_bytes: { used: 0, total: 0 },
    disk_bytes: { used: 1, total: 4 },
    network_bytes_per_second: { received: 100, sent: 50 },
    load: [0.5, 0.4, 0.3],
    uptime_seconds: 60,
    ...changes,
  };
}

/**
 * @param {string} id
 * @param {Partial<Process>} changes
 * @returns {Process}
 */
export function process(id, changes = {}) {
  return {
    id,
    sockets: 3,
    frames_in_per_second: 1,
    deliveries_per_second: 2,
    lag_p99_ms: 1,
    lag_max_ms: 2,
    memory_bytes: 1024,
    ...changes,
  };
}

/**
 * @param {number} seq
 * @param {{ epoch?: number, hosts?: Host[], processes?: Process[] }} more
 * @returns {MetricsSampled}
 */
export function frame(seq, { epoch = 7, hosts = [host("alpha")], processes = [] } = {}) {
  return { type: "metrics.sampled", epoch, seq, at: new Date(START + seq * 2000).toISOString(), hosts, processes };
}

/**
 * @param {MetricsSampled[]} samples
 * @param {{ every?: number, epoch?: number, age_ms?: number | null }} more
 * @returns {MetricsHistory}
 */
export function history(samples, { every = 1, epoch = 7, age_ms = 0 } = {}) {
  return { epoch, interval_ms: 2000, every, age_ms, samples };
}

/** @param {DashboardAction[]} actions */
export function opened(...actions) {
  /** @type {DashboardAction[]} */
  const start = [
    { type: "connection", state: "open" },
    { type: "hello", frame: { connection: "web-2:ab12", server_time: new Date(START).toISOString() } },
  ];
  return [...start, ...actions].reduce(reduce, initial({ staleMs: 7000 }));
}

/**
 * The newest sample, which must exist.
 *
 * @param {DashboardState} state
 */
export function newestOf(state) {
  const sample = newest(state);
  assert.ok(sample);
  return sample;
}
