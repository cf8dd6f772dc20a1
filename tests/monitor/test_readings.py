import itertools
import random

import pytest

from hubbub.process.metrics import COUNTERS
from hubbub.process.this_process import PROCESS
from monitor.protocol import decode_reading, encode
from monitor.readings import DemoCpuReader, HostReader, ProcessReader, percentile


@pytest.mark.parametrize("source", ["psutil", "demo"])
def test_this_host_is_read_whole(source):
    host = HostReader(source, "alpha").read()
    assert host.name == "alpha"
    assert host.id not in ("alpha", PROCESS.host.id)
    own = HostReader(source).read()
    assert (own.id, own.name) == (PROCESS.host.id, PROCESS.host.name)
    assert host.cores_percent
    assert all(0 <= core <= 100 for core in host.cores_percent)
    assert 0 <= host.cpu_percent <= 100
    assert 0 < host.memory_bytes.used < host.memory_bytes.total
    assert 0 < host.disk_bytes.used < host.disk_bytes.total
    assert host.swap_bytes.used <= host.swap_bytes.total
    assert min(host.network_bytes_per_second.received, host.network_bytes_per_second.sent) >= 0
    assert host.uptime_seconds > 0
    assert decode_reading("host", encode(host)) == host


def test_the_first_reading_waits_until_there_is_a_difference_to_read(monkeypatch):
    now = 100.0
    monkeypatch.setattr("monitor.readings.time.monotonic", lambda: now)
    host = HostReader("psutil")
    assert not host.is_ready()
    now += 0.5
    assert host.is_ready()
    host.read()
    assert host.is_ready()


def test_demo_readings_wander_and_stay_in_bounds():
    reader = DemoCpuReader(cores=4, rng=random.Random(1))
    seen = [reader() for _ in range(500)]
    totals = [total for total, _ in seen]
    assert len(set(totals)) > 100
    assert all(0 <= core <= 100 for _, cores in seen for core in cores)
    steps = [abs(after - before) for before, after in itertools.pairwise(totals)]
    assert sum(steps) / len(steps) < 10


def test_a_process_reports_its_counts_since_the_last_reading(monkeypatch):
    monkeypatch.setattr("monitor.readings.time.monotonic", iter([100.0, 102.0, 104.0]).__next__)
    monkeypatch.setattr(COUNTERS, "sockets", 4)
    monkeypatch.setattr(COUNTERS, "frames_in", 1000)
    monkeypatch.setattr(COUNTERS, "deliveries", 5000)
    monkeypatch.setattr(COUNTERS, "lags_ms", [1.0] * 99 + [30.0])
    reader = ProcessReader()
    COUNTERS.frames_in += 11
    COUNTERS.deliveries += 400
    reading = reader.read()
    assert (reading.id, reading.sockets) == (PROCESS.id, 4)
    assert (reading.frames_in_per_second, reading.deliveries_per_second) == (5.5, 200.0)
    assert (reading.lag_p99_ms, reading.lag_max_ms) == (1.0, 30.0)
    assert reading.memory_bytes > 1_000_000
    assert reader.read().frames_in_per_second == 0


def test_percentile_is_the_nearest_rank():
    assert percentile([5.0], 99) == 5.0
    assert percentile([float(n) for n in range(1, 101)], 99) == 99.0
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0


@pytest.mark.parametrize("text", [b"", b"{}", b'{"name": "alpha"}', b"[1]", b"\xff"])
def test_a_reading_of_another_version_is_not_one(text):
    assert decode_reading("host", text) is None
