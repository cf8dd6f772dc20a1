// The shapes that the monitor's scripts share: wire frames as `monitor/protocol.py` declares them, and the dashboard's
// state. On the wire, `at` and `stale_since` are times as ISO 8601 in UTC.

import type { ConnectionState, Hello, StateDetails } from "../../hubbub/js/types.js";

// Wire

/** Bytes. */
export interface Usage {
  used: number;
  total: number;
}

/** Bytes per second. */
export interface Network {
  received: number;
  sent: number;
}

/** One host's reading. Two hosts may share a name, never an id. */
export interface Host {
  /** Missing in samples of an earlier release; then the name identifies the host. */
  id?: string;
  name: string;
  cpu_percent: number;
  cores_percent: number[];
  memory_bytes: Usage;
  swap_bytes: Usage;
  disk_bytes: Usage;
  network_bytes_per_second: Network;
  /** Averages over 1, 5 and 15 minutes. */
  load: [number, number, number];
  uptime_seconds: number;
  /** Only where the host has not reported lately. */
  stale_since?: string;
}

/** One server process's reading of itself. Lags are the event loop's. */
export interface Process {
  /** The host's id, the process's name and its pid, separated by colons. */
  id: string;
  /** Missing in samples of an earlier release. */
  host_name?: string;
  sockets: number;
  frames_in_per_second: number;
  deliveries_per_second: number;
  lag_p99_ms: number;
  lag_max_ms: number;
  memory_bytes: number;
  stale_since?: string;
}

export type Reading = Host | Process;

/** One sample. `seq` rises by one within an epoch; epochs rise. */
export interface MetricsSampled {
  type: "metrics.sampled";
  epoch: number;
  seq: number;
  at: string;
  hosts: Host[];
  processes: Process[];
}

/** The state of the topic: recent samples, oldest first. */
export interface MetricsHistory {
  epoch: number;
  interval_ms: number;
  /** One of so many consecutive samples is here. */
  every: number;
  /** The age of the newest sample; null where there is none. */
  age_ms: number | null;
  samples: MetricsSampled[];
}

// The dashboard's state

/** "host:" and the host's id, or "process:" and the process's id. */
export type Subject = string;

/** A sample as the dashboard keeps it: readings by id. */
export interface Sample {
  epoch: number;
  seq: number;
  /** Milliseconds since 1970, by the server's clock. */
  at: number;
  /** Milliseconds from the sample before it, where none is missing. */
  stepMs: number;
  hosts: Map<string, Host>;
  processes: Map<string, Process>;
}

export interface DashboardState {
  /** The least age at which the newest sample is stale. */
  staleMs: number;
  intervalMs: number;
  connection: ConnectionState;
  wasOpen: boolean;
  why: StateDetails;
  /** The name of the process that serves this page. */
  servedBy: string | null;
  /** Oldest first. */
  samples: Sample[];
  /** When the newest sample was made, in milliseconds of the browser's monotonic clock. */
  madeAt: number | null;
  chosen: Subject | null;
}

/** The actions of `reduce`; `now` in milliseconds of the browser's monotonic clock. */
export type DashboardAction =
  | { type: "connection"; state: ConnectionState; why?: StateDetails }
  | { type: "hello"; frame: Pick<Hello, "connection"> & Partial<Hello> }
  | { type: "history"; frame: MetricsHistory; now: number }
  | { type: "sample"; frame: MetricsSampled; now: number }
  | { type: "chosen"; subject: Subject };

/** `waiting`: no sample has arrived yet. */
export type Freshness = "connecting" | "waiting" | "live" | "stale" | "offline";

export type Level = "" | "high" | "very high";

/** A host's numbers: percent, bytes per second, and the load of one minute. */
export interface HostFacts {
  cpu: number;
  busiest: number;
  memory: number;
  swap: number;
  disk: number;
  load: number;
  received: number;
  sent: number;
  levels: { cpu: Level; memory: Level; load: Level };
}
