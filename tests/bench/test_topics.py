"""The cases of topics: their readers notice each lost, old and foreign frame, and each case measures the real thing."""

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest

from bench import against, machine
from bench.environment import Ground, prepared
from bench.frames import server_frame
from bench.load_client import Broken
from bench.scenarios import state, topics
from bench.scenarios.state import LastState
from bench.standing import ahead_lines
from bench.stats import Row, Table


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with contextlib.closing(near), contextlib.closing(far):
        yield near, far


def changed(position: int) -> bytes:
    return server_frame(json.dumps({"type": "changed", "topic": "counter", "position": position}).encode())


def test_the_reader_counts_frames_until_each_socket_has_the_last_state(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, far = pair
    far.sendall(changed(3) + changed(7) + changed(9))
    reader = LastState([near], 9)
    reader.read()
    assert reader.frames == 3


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        (changed(7) + changed(6), "position 6 came after 7"),
        (changed(7) + changed(7), "position 7 came after 7"),
        (changed(10), "position 10 came after 0"),
        (server_frame(b'{"type":"presence.changed"}'), "a stray came"),
        (changed(8), "1 of 1 sockets have not got the last state"),
    ],
    ids=["an older state", "a state twice", "a state that nobody made", "a foreign frame", "the last state is lost"],
)
def test_the_reader_reports_wrong_and_missing_frames(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, sent: bytes, problem: str
) -> None:
    monkeypatch.setattr(state, "STALL_SECONDS", 0.2)
    near, far = pair
    far.sendall(sent)
    with pytest.raises(Broken, match=problem):
        LastState([near], 9).read()


def test_the_reader_reports_a_socket_that_was_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    far.sendall(changed(3))
    far.close()
    with pytest.raises(Broken, match="closed a socket"):
        LastState([near], 9).read()


def test_each_row_of_a_case_without_peers_is_compared_with_another_checkout() -> None:
    found: dict[tuple[str, str, str], against.Compared] = {}
    rows = [{"name": name, "label": name, "samples": {"kib": [8.0]}} for name in topics.IDLE_SOCKETS]
    table = {"name": "idle", "title": "Idle", "quantity": "kib", "rows": rows}
    for which in ("old", "new"):
        against.add(found, which, {"method": 2, "tables": [table]})
    assert {row for _, row, _ in found} == {"none", "shared", "own", "twenty"}
    assert all((compared.old, compared.new) == ([8.0], [8.0]) for compared in found.values())


def test_rows_of_a_case_without_peers_are_not_taken_for_peers() -> None:
    rows = [Row("hubbub", "Hubbub", {"kib": [9.0]}), Row("none", "no topic", {"kib": [8.0]})]
    assert ahead_lines([Table("idle", "Idle", "kib", rows)]) == []
    assert ahead_lines([Table("memory", "Memory", "kib", rows)])


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    machine.raise_descriptor_limit()
    with prepared() as made:
        yield made


def nothing(text: str) -> None:
    """Nobody is there to be told."""


@pytest.mark.soak
@pytest.mark.cluster
def test_idle_sockets_with_and_without_topics_are_measured(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: (name, 30, topics.IDLE_SOCKETS[name][2]) for name in ("none", "twenty")}
    monkeypatch.setattr(topics, "IDLE_SOCKETS", few)
    monkeypatch.setattr(topics, "IDLE_SECONDS", 0.5)
    table = topics.idle(ground, 1, nothing)
    assert [row.name for row in table.rows] == list(few)
    for row in table.rows:
        assert set(row.samples) == {"kib", "idle_percent", "back_s"}
        assert all(samples[0] > 0 for quantity, samples in row.samples.items() if quantity != "kib")


@pytest.mark.cluster
def test_changes_of_a_state_reach_all_sockets_alone_and_in_a_burst(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "STATE_SOCKETS", 20)
    monkeypatch.setattr(state, "BURST_CHANGES", 50)
    monkeypatch.setattr(state, "LONE_CHANGES", 3)
    table = state.state(ground, 1, nothing)
    assert all(row.problems == [] and row.median("cpu_us") > 0 for row in table.rows)
    assert table.median("lone", "frames") == 1
    assert 1 <= table.median("burst", "frames") < 50
    assert 0 < table.median("lone", "p50_ms") <= table.median("lone", "p99_ms")
    assert table.median("burst", "last_ms") > 0


@pytest.mark.cluster
def test_a_comparison_finds_each_change_among_many_rows(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: (label, rows // 100, opened // 100, changed // 10) for name, (label, rows, opened, changed) in LARGE}
    monkeypatch.setattr(topics, "COMPARED", few)
    monkeypatch.setattr(topics, "COMPARISONS", 3)
    table = topics.comparison(ground, 1, nothing)
    assert [row.name for row in table.rows] == list(few)
    for row in table.rows:
        assert all(samples[0] > 0 for samples in row.samples.values())


LARGE = tuple(topics.COMPARED.items())
