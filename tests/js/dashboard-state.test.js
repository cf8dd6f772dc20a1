import assert from "node:assert/strict";
import { test } from "node:test";

import {
  columns,
  freshness,
  hostFacts,
  initial,
  level,
  processOf,
  reduce,
  subject,
  timeRange,
} from "../../monitor/static/monitor/js/dashboard-state.js";
import { cpu, frame, history, host, newestOf, opened, process, START } from "./samples.js";

/** @import { ConnectionState } from "../../hubbub/static/hubbub/js/types.js" */
/** @import { DashboardState } from "../../monitor/static/monitor/js/types.js" */

/** @param {DashboardState} state */
const seqs = (state) => state.samples.map((sample) => sample.seq);

test("a live sample is appended, an old or repeated one is not", () => {
  let state = opened({ type: "history", frame: history([frame(1), frame(2)]), now: START });
  for (const seq of [2, 3, 1, 3, 4]) state = reduce(state, { type: "sample", frame: frame(seq), now: START });
  assert.deepEqual(seqs(state), [1, 2, 3, 4]);
});

test("a greater epoch begins again at 1, a smaller one is ignored: its leader is gone", () => {
  let state = opened({ type: "sample", frame: frame(9), now: START });
  state = reduce(state, { type: "sample", frame: { ...frame(1, { epoch: 8 }), at: frame(10).at }, now: START });
  state = reduce(state, { type: "sample", frame: frame(10, { epoch: 7 }), now: START });
  assert.deepEqual(
    state.samples.map(({ epoch, seq }) => [epoch, seq]),
    [
      [7, 9],
      [8, 1],
    ],
  );
});

test("the history after a reconnect adds missed samples and removes none", () => {
  let state = opened({ type: "history", frame: history([frame(1), frame(2)]), now: START });
  state = reduce(state, { type: "history", frame: history([frame(2), frame(3), frame(4)]), now: START });
  assert.deepEqual(seqs(state), [1, 2, 3, 4]);
  state = reduce(state, { type: "history", frame: history([]), now: START });
  assert.deepEqual(seqs(state), [1, 2, 3, 4]);
});

test("at most 300 samples are kept", () => {
  let state = opened();
  for (let seq = 1; seq <= 320; seq += 1) state = reduce(state, { type: "sample", frame: frame(seq), now: START });
  assert.equal(state.samples.length, 300);
  assert.equal(newestOf(state).seq, 320);
});

test("live, then stale at the limit, by the browser's clock", () => {
  const state = opened({ type: "sample", frame: frame(1), now: 5000 });
  assert.deepEqual(freshness(state, 5000), { word: "live", ageMs: 0 });
  assert.equal(freshness(state, 11_999).word, "live");
  assert.deepEqual(freshness(state, 12_000), { word: "stale", ageMs: 7000 });
});

test("stale allows for a slower publisher", () => {
  const slow = { ...history([frame(1)]), interval_ms: 10_000 };
  const state = opened({ type: "history", frame: slow, now: START });
  assert.equal(freshness(state, START + 20_000).word, "live");
  assert.equal(freshness(state, START + 40_000).word, "stale");
});

test("an old history is stale at once, independent of the clocks of browser and servers", () => {
  for (const serverTime of [START - 3_600_000, START + 32_000, START + 3_600_000]) {
    const ours = 1_000_000;
    let state = reduce(initial({ staleMs: 7000 }), { type: "connection", state: "open" });
    const hello = { connection: "web-1:x", server_time: new Date(serverTime).toISOString() };
    state = reduce(state, { type: "hello", frame: hello });
    state = reduce(state, { type: "history", frame: history([frame(1)], { age_ms: 30_000 }), now: ours });
    assert.deepEqual(freshness(state, ours), { word: "stale", ageMs: 30_000 });
  }
});

test("a fresh history is live at once, also where a server's clock is an hour ahead of the samples", () => {
  let state = reduce(initial({ staleMs: 7000 }), { type: "connection", state: "open" });
  const hello = { connection: "web-1:x", server_time: new Date(START + 3_600_000).toISOString() };
  state = reduce(state, { type: "hello", frame: hello });
  state = reduce(state, { type: "history", frame: history([frame(1)], { age_ms: 700 }), now: START });
  assert.deepEqual(freshness(state, START), { word: "live", ageMs: 700 });
});

test("a history with fewer samples than the page does not change the age of the newest sample", () => {
  let state = opened({ type: "sample", frame: frame(3), now: 5000 });
  state = reduce(state, { type: "history", frame: history([frame(1)], { age_ms: 60_000 }), now: 6000 });
  assert.deepEqual(freshness(state, 6000), { word: "live", ageMs: 1000 });
  state = reduce(state, { type: "history", frame: history([], { age_ms: null }), now: 7000 });
  assert.deepEqual(freshness(state, 7000), { word: "live", ageMs: 2000 });
});

// A clock set back by ten minutes, in samples of a server whose times may fall.
/** @param {number} seq */
const setBack = (seq) => ({ ...frame(seq, { epoch: 8 }), at: new Date(START - 600_000 + seq * 2000).toISOString() });

/** @type {[how: string, open: () => DashboardState][]} */
const TABS = [
  [
    "in an open tab",
    () =>
      [1, 2, 3].reduce(
        (state, seq) => reduce(state, { type: "sample", frame: setBack(seq), now: START }),
        opened({ type: "history", frame: history([frame(1), frame(2)]), now: START }),
      ),
  ],
  [
    "in a tab that opens",
    () =>
      opened({ type: "history", frame: history([frame(1), frame(2), setBack(1), setBack(2), setBack(3)]), now: START }),
  ],
];

for (const [how, open] of TABS) {
  test(`charts continue after a clock was set back, ${how}`, () => {
    const state = open();
    const [times, values] = columns(state, "host:alpha", [cpu]);
    assert.deepEqual(values, [12, 12, 12]);
    assert.ok(times.every((time, index) => index === 0 || time > times[index - 1]));
    const [from, to] = timeRange(state);
    assert.ok(from < times[0] && times.at(-1) === to);
  });
}

test("charts continue after a clock was set forward", () => {
  /** @param {number} seq */
  const later = (seq) => ({ ...frame(seq), at: new Date(START + 3_600_000 + seq * 2000).toISOString() });
  const state = opened({ type: "history", frame: history([frame(1), frame(2), later(3), later(4)]), now: START });
  const [times, values] = columns(state, "host:alpha", [cpu]);
  assert.deepEqual(values, [12, 12, null, 12, 12]);
  assert.ok(timeRange(state)[0] <= (times.at(-2) ?? 0));
});

test("a server that lost its samples, and counts epochs from an earlier time, replaces them", () => {
  let state = opened({ type: "sample", frame: frame(9), now: START });
  state = reduce(state, { type: "history", frame: history([frame(1, { epoch: 3 })], { epoch: 3 }), now: START });
  state = reduce(state, { type: "sample", frame: frame(2, { epoch: 3 }), now: START });
  assert.deepEqual(
    state.samples.map(({ epoch, seq }) => [epoch, seq]),
    [
      [3, 1],
      [3, 2],
    ],
  );
});

test("connecting, waiting, offline", () => {
  let state = initial({ staleMs: 7000 });
  assert.equal(freshness(state, 0).word, "connecting");
  state = reduce(state, { type: "connection", state: "open" });
  assert.equal(freshness(state, 0).word, "waiting");
  // Between two tries it is still offline: the word does not flicker.
  /** @type {ConnectionState[]} */
  const lost = ["offline", "connecting"];
  for (const connection of lost) {
    assert.equal(freshness(reduce(state, { type: "connection", state: connection }), 0).word, "offline");
  }
});

test("a page that was refused is offline, not connecting for ever", () => {
  const state = reduce(initial({ staleMs: 7000 }), {
    type: "connection",
    state: "offline",
    why: { code: 4005, final: true },
  });
  assert.equal(freshness(state, 0).word, "offline");
});

test("the name of the serving process is the first part of the connection's id", () => {
  assert.equal(opened().servedBy, "web-2");
});

test("a gap in the data is a gap in the line", () => {
  const state = opened({ type: "history", frame: history([frame(1), frame(2), frame(6), frame(7)]), now: START });
  const [times, values] = columns(state, "host:alpha", [cpu]);
  assert.deepEqual(values, [12, 12, null, 12, 12]);
  assert.ok(times.every((time, index) => index === 0 || time > times[index - 1]));
});

test("thinned samples are no gap, missing ones between them are", () => {
  const thinned = history([frame(2), frame(4), frame(6), frame(12), frame(14)], { every: 2 });
  let state = opened({ type: "history", frame: thinned, now: START });
  state = reduce(state, { type: "sample", frame: frame(15), now: START });
  assert.deepEqual(columns(state, "host:alpha", [cpu])[1], [12, 12, 12, null, 12, 12, 12]);
});

test("the line has a gap while the host is stale or missing", () => {
  const stale = host("alpha", { stale_since: "2026-03-01T12:00:00Z" });
  const samples = [frame(1), frame(2, { hosts: [stale] }), frame(3, { hosts: [] }), frame(4)];
  const state = opened({ type: "history", frame: history(samples), now: START });
  assert.deepEqual(columns(state, "host:alpha", [cpu])[1], [12, null, null, 12]);
});

test("the charts show the choice while it is there, else the first host", () => {
  let state = opened({
    type: "sample",
    frame: frame(1, { hosts: [host("alpha"), host("beta")], processes: [process("alpha:web-1:100")] }),
    now: START,
  });
  assert.equal(subject(state), "host:alpha");
  state = reduce(state, { type: "chosen", subject: "process:alpha:web-1:100" });
  assert.equal(subject(state), "process:alpha:web-1:100");
  assert.equal(processOf(newestOf(state), subject(state))?.sockets, 3);
  state = reduce(state, { type: "sample", frame: frame(2), now: START });
  assert.equal(subject(state), "host:alpha");
  assert.equal(subject(opened()), null);
});

test("the time axis grows from a minute to the span of all samples", () => {
  assert.deepEqual(timeRange(opened()), [0, 60]);
  const to = (START + 2000) / 1000;
  assert.deepEqual(timeRange(opened({ type: "sample", frame: frame(1), now: START })), [to - 60, to]);
  const long = opened({ type: "history", frame: history([frame(1), frame(5000)]), now: START });
  const [from, end] = timeRange(long);
  assert.equal(end - from, 600);
});

test("a host's facts, also without swap", () => {
  const facts = hostFacts(host("alpha", { cpu_percent: 91, load: [5, 1, 1] }));
  assert.equal(facts.memory, 50);
  assert.equal(facts.swap, 0);
  assert.equal(facts.disk, 25);
  assert.equal(facts.busiest, 14);
  assert.deepEqual(facts.levels, { cpu: "very high", memory: "", load: "very high" });
});

test("levels begin at their limit", () => {
  assert.deepEqual(
    [74.9, 75, 89.9, 90].map((value) => level("cpu", value)),
    ["", "high", "high", "very high"],
  );
});
