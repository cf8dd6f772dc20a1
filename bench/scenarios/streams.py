"""The case of streams: the same members of one room, once as WebSockets and once as streams of server-sent events."""

import contextlib
import math
import time
from collections.abc import Sequence
from pathlib import Path

from bench import machine
from bench.crowd import Crowd, events_of_socket, events_of_stream
from bench.environment import Ground
from bench.frames import stream_request
from bench.handshakes import Dialog, connect
from bench.load_client import Broken, Sender
from bench.scenarios.fanout import REST_SECONDS, Say
from bench.servers import Hubbub, kind_of
from bench.stats import Row, Table, latest, percentile

STREAMS = 1_000
LONE_MESSAGES = 20
BURST_MESSAGES = 64
WARM_UP = 50
# Between two lone messages, so that the server has ended the work of the first.
PACE_SECONDS = 0.05
RATIO = "ratio"


class Streams(Hubbub):
    """Its members have streams instead of sockets."""

    name = "streams"
    label = "a stream"

    def join(self, index: int, room: str = "") -> Dialog:
        yield stream_request(
            f"/live/events?topic=room/{room or self.room}", f"127.0.0.1:{self.port}", self.headers(index)
        )
        while (kind := kind_of((yield b""))) != "ok":
            if kind in ("error", "closed"):
                raise Broken("not joined")


class Sockets(Hubbub):
    """The same server, with sockets."""

    name = "sockets"
    label = "a socket"


def streams(ground: Ground, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    """Members of a room as sockets and as streams, in turns, each time on a process that has just started."""
    kinds = (Sockets, Streams)
    rows = {kind.name: Row(kind.name, kind.label) for kind in kinds}
    ratio = Row(RATIO, "a stream / a socket")
    table = Table("streams", f"{STREAMS:,} streams beside as many sockets", "alone_us", [*rows.values(), ratio])
    for number in range(rounds):
        for kind in kinds if number % 2 == 0 else kinds[::-1]:
            try:
                _measure(rows[kind.name], kind(ground, room="bench-35"), STREAMS)
            except (Broken, ConnectionError) as problem:
                rows[kind.name].problems.append(str(problem))
        say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'alone_us')}")
    if not any(row.problems for row in rows.values()):  # Samples of one round stand beside each other.
        _add_ratios(ratio, rows["sockets"], rows["streams"])
    return table


def _add_ratios(ratio: Row, sockets: Row, streams: Row) -> None:
    for quantity, samples in streams.samples.items():
        if quantity not in ("threads", "database"):
            for stream, beside in zip(samples, sockets.samples[quantity], strict=True):
                ratio.add(**{quantity: stream / beside if beside else math.nan})


def _measure(row: Row, side: Hubbub, count: int) -> None:
    """Start the server, let the members join, send, and add all figures."""
    found: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        stack.callback(side.stop)
        side.start()
        sender = side.poster()
        stack.callback(sender.close)
        with contextlib.closing(_joined(side, WARM_UP)) as few:  # Modules loaded by the first do not count.
            few.drain(side.settle_seconds)
            few.receive(sender, range(WARM_UP))
        time.sleep(1.0)
        before = machine.resident_bytes(side.pid), _threads(side.pid), _database_files(side)
        cpu, began = machine.cpu_seconds(side.pid), time.perf_counter()
        crowd = _joined(side, count)
        stack.callback(crowd.close)
        found["joined_s"] = time.perf_counter() - began
        found["join_us"] = (machine.cpu_seconds(side.pid) - cpu) / count * 1e6
        crowd.drain(side.settle_seconds)
        found["kib"] = (machine.resident_bytes(side.pid) - before[0]) / count / 1024
        found["threads"] = _threads(side.pid) - before[1]
        found["database"] = _database_files(side) - before[2]
        found |= _lone(side, crowd, sender, WARM_UP)
        found |= _burst(side, crowd, sender, WARM_UP + LONE_MESSAGES)
    row.add(**found)


def _joined(side: Hubbub, count: int) -> Crowd:
    """Let so many members join."""
    are_streams = isinstance(side, Streams)
    sockets = connect(("127.0.0.1", side.port), count, side.join, are_streams=are_streams)
    return Crowd(sockets, events_of_stream if are_streams else events_of_socket)


def _lone(side: Hubbub, crowd: Crowd, sender: Sender, first: int) -> dict[str, float]:
    waits: list[float] = []
    cpu = 0.0
    for number in range(first, first + LONE_MESSAGES):
        time.sleep(PACE_SECONDS)
        numbers = range(number, number + 1)
        before = machine.cpu_seconds(side.pid)
        received = crowd.receive(sender, numbers)
        time.sleep(REST_SECONDS)
        cpu += machine.cpu_seconds(side.pid) - before
        side.check(received.payloads, numbers)
        waits += [at - sender.sent_at() for at in received.arrived_at]
    return {
        "alone_us": cpu / LONE_MESSAGES / len(crowd) * 1e6,
        "p50_ms": percentile(waits, 50) * 1000,
        "p99_ms": percentile(waits, 99) * 1000,
    }


def _burst(side: Hubbub, crowd: Crowd, sender: Sender, first: int) -> dict[str, float]:
    numbers = range(first, first + BURST_MESSAGES)
    before = machine.cpu_seconds(side.pid)
    received = crowd.receive(sender, numbers)
    cpu = machine.cpu_seconds(side.pid) - before
    side.check(received.payloads, numbers)
    return {"cpu_us": cpu / BURST_MESSAGES / len(crowd) * 1e6}


def _threads(pid: int) -> int:
    return len([*Path(f"/proc/{pid}/task").iterdir()])


def _database_files(side: Hubbub) -> int:
    """The files of the database that the process has open: each connection to SQLite has its own."""
    names = []
    for descriptor in Path(f"/proc/{side.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            names.append(descriptor.readlink())
    return sum(name.suffix == ".sqlite3" for name in names)
