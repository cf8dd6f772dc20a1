"""The case of the page: its link delays and counts, its verdicts are right, and it measures the real thing."""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bench import machine, report
from bench.environment import prepared
from bench.page import amounts, goals, parts
from bench.page.goals import GOALS, Goal
from bench.page.slow_link import SlowLink
from bench.scenarios import page
from bench.standing import MEASURES
from bench.stats import Row, Table


@pytest.mark.parametrize(
    ("most", "slack", "value", "verdict"),
    [
        (100, 0, 100.0, "met"),
        (100, 0, 100.1, "MISSED"),
        (0, 0.99, 0.7, "met"),
        (0, 0.99, 1.0, "MISSED"),
        (0, 0, 1.0, "MISSED"),
        (None, 0, 5.0, ""),
        (100, 0, math.nan, "not measured"),
    ],
)
def test_a_goal_is_the_most_that_is_allowed(most: float | None, slack: float, value: float, verdict: str) -> None:
    assert Goal("x", "x", "ms", most, slack).verdict(value) == verdict


def test_each_row_stands_with_its_unit_its_goal_and_its_verdict() -> None:
    table = Table("page", "The page", "value", goals.empty_rows())
    switch, heap = table.rows[0], table.row("heap-before")
    assert heap is not None
    switch.add(value=90.0)
    switch.add(value=130.0)
    switch.add(value=120.0)
    heap.add(value=5.0)
    head, body = report.lines(table)
    assert len(head) == len(body[0]) == 4
    assert list(body[0][1:]) == ["120 (90.0 … 130) ms", "100 ms or less", "MISSED"]
    assert list(body[table.rows.index(heap)][1:]) == ["5.00 MiB", "", ""]
    assert body[1][1:] == ("–", "100 ms or less", "not measured")


def test_each_row_is_measured_by_one_part_and_compared_between_checkouts() -> None:
    measured = [row for _, names in parts.PARTS.values() for row in names]
    assert {goal.name for goal in GOALS} == {*measured, goals.BESIDE}
    assert len(measured) == len(set(measured))
    [measure] = MEASURES["page"]
    assert measure.quantity == "value"
    assert not measure.more


class Echo:
    """A server that answers each chunk with twice as many bytes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    while chunk := connection.recv(1024):
                        connection.sendall(chunk * 2)

    def close(self) -> None:
        # `close` alone does not wake a thread in `accept`.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def ask(connection: socket.socket, sent: bytes) -> float:
    """Seconds until the whole answer is there."""
    began = time.perf_counter()
    connection.sendall(sent)
    rest = 2 * len(sent)
    while rest:
        rest -= len(connection.recv(rest))
    return time.perf_counter() - began


@pytest.mark.slow
@pytest.mark.parametrize(("has_handshake", "first"), [(False, 0.2), (True, 0.4)])
def test_a_link_takes_a_round_trip_and_one_more_for_a_new_connection(
    echo: Echo, has_handshake: bool, first: float
) -> None:
    with (
        SlowLink(echo.port, 0.2, has_handshake=has_handshake) as link,
        socket.create_connection(("127.0.0.1", link.port)) as connection,
    ):
        assert first <= ask(connection, b"one") < first + 0.15
        assert 0.2 <= ask(connection, b"two") < 0.35


@pytest.mark.slow
def test_a_link_counts_the_bytes_of_sockets_and_of_nothing_else(echo: Echo) -> None:
    upgrade = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
    with SlowLink(echo.port) as link:
        for sent in (b"GET / HTTP/1.1\r\n\r\n", upgrade):
            with socket.create_connection(("127.0.0.1", link.port)) as connection:
                ask(connection, sent)
                ask(connection, b"1234")
        assert (link.socket_up, link.socket_down) == (len(upgrade) + 4, 2 * len(upgrade) + 8)


@pytest.mark.soak
@pytest.mark.cluster
@pytest.mark.browser
@pytest.mark.timeout(240)
def test_the_page_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {
        "ROOMS_NEW": 1,
        "LOADS": 1,
        "ROWS": 120,
        "EVENTS": 2,
        "MINUTE_SECONDS": 2.0,
        "IDLE_SECONDS": 1.0,
        "HOUR_MESSAGES": 150,
    }
    small |= {"ENTERS": 2, "LONE_MESSAGES": 3, "MAX_ROUNDS": 1}
    for name, value in small.items():
        monkeypatch.setattr(amounts, name, value)
    machine.raise_descriptor_limit()
    with prepared() as ground:
        table = page.page(ground, 1, lambda _: None)
    assert [row.problems for row in table.rows if row.problems] == []
    found = {row.name: row.median("value") for row in table.rows}
    assert [name for name, value in found.items() if math.isnan(value)] == []
    # A round trip cannot be left out, and what the page keeps is kept.
    assert found["load-cold"] > 150
    assert found["load-cold-tcp"] > 300
    assert found["bytes-html"] > 1
    assert found["bytes-message"] > 100
    assert 0 < found["event"] <= found["event-task"]
    assert found["waiting"] == found["draft"] == 0
    assert found["strip"] <= found["strip-painted"] < 5_000


def test_a_part_that_fails_is_reported_and_the_others_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: parts.Place) -> parts.Figures:
        raise page.Broken("no message came")

    monkeypatch.setitem(parts.PARTS, "minute", (broken, parts.PARTS["minute"][1]))
    table = Table("page", "The page", "value", goals.empty_rows())
    said = page._measure(table, None, "minute")  # type: ignore[arg-type]
    assert said == "does not count: no message came"
    row = table.row("minute-longest")
    assert isinstance(row, Row)
    assert row.problems == ["no message came"]
