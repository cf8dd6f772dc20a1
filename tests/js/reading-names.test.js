import assert from "node:assert/strict";
import { test } from "node:test";

import { columns } from "../../monitor/static/monitor/js/dashboard-state.js";
import { hostLabel, hostLabelOf, nameParts } from "../../monitor/static/monitor/js/reading-names.js";
import { cpu, frame, host, newestOf, opened, process, START } from "./samples.js";

test("two hosts with the same name are shown with parts of their ids", () => {
  const [first, second] = [
    host("app", { id: "3f9a01", cpu_percent: 1 }),
    host("app", { id: "3f9b02", cpu_percent: 2 }),
  ];
  const app = process("3f9b02:web-1:100", { host_name: "app" });
  const state = opened({
    type: "sample",
    frame: frame(1, { hosts: [first, second, host("other")], processes: [app] }),
    now: START,
  });
  const sample = newestOf(state);
  assert.equal(sample.hosts.size, 3);
  assert.deepEqual(columns(state, "host:3f9b02", [cpu])[1], [2]);
  assert.deepEqual(
    [first, second].map((twin) => hostLabel(sample, twin)),
    ["app (3f9a)", "app (3f9b)"],
  );
  assert.equal(hostLabel(sample, host("other")), "other");
  assert.equal(hostLabelOf(sample, app), "app (3f9b)");
  const similar = host("app", { id: "3f9aff" });
  const more = newestOf(opened({ type: "sample", frame: frame(1, { hosts: [first, similar] }), now: START }));
  assert.deepEqual(
    [first, similar].map((twin) => hostLabel(more, twin)),
    ["app (3f9a0)", "app (3f9af)"],
  );
});

test("a process's id is split even where names have colons", () => {
  assert.deepEqual(nameParts("alpha:web-1:100"), { host: "alpha", name: "web-1", pid: "100" });
  assert.deepEqual(nameParts("alpha:a:b:100"), { host: "alpha", name: "a:b", pid: "100" });
});
