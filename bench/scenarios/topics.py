"""The site with topics, and two cases of it: topics of idle sockets, and comparisons with positions."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from bench import machine
from bench.environment import ROOT, Ground
from bench.frames import client_frame
from bench.handshakes import Dialog, connect
from bench.load_client import Broken
from bench.scenarios.fanout import Say
from bench.servers import Hubbub, kind_of
from bench.stats import Row, Table, latest, percentile

SETTINGS = "bench.topics_site.settings"

# How many sockets, and how many topics of its own each has; 0: all have the same one, None: no topic.
IDLE_SOCKETS: dict[str, tuple[str, int, int | None]] = {
    "none": ("no topic", 5_000, None),
    "shared": ("one topic, the same for all", 5_000, 0),
    "own": ("a topic of its own", 5_000, 1),
    "twenty": ("20 topics of its own", 1_000, 20),
}
IDLE_SECONDS = 10.0
IDLE_ROUNDS = 1  # At most: each starts every server twice, and takes minutes.

# Rows of the table, open topics, and how many of these changed.
COMPARED: dict[str, tuple[str, int, int, int]] = {
    "small": ("5,000 rows, all open, 50 changed", 5_000, 5_000, 50),
    "few": ("100,000 rows, 5,000 open, 50 changed", 100_000, 5_000, 50),
    "none": ("100,000 rows, 5,000 open, none changed", 100_000, 5_000, 0),
    "full": ("100,000 rows, 5,000 open, all of these read", 100_000, 5_000, 50),
}
COMPARISONS = 10


class TopicsSite(Hubbub):
    """`topics`: how many of its own a socket joins; 0: the counter, None: none."""

    application = "bench.topics_site.asgi:application"
    topics: int | None = 0

    def environ(self) -> dict[str, str]:
        return super().environ() | {"DJANGO_SETTINGS_MODULE": SETTINGS}

    def join(self, index: int) -> Dialog:
        yield self.request("/ws/topics/", index)
        hello = yield b""
        if kind_of(hello) != "hello":
            raise Broken(f"not admitted: {hello[:200]!r}")
        user_id = json.loads(hello)["user"]["id"]
        own = [f"mine/{user_id}-{index}-{number}" for number in range(self.topics or 0)]
        for ref, address in enumerate(["counter"] if self.topics == 0 else own):
            answer = yield client_frame(f'{{"type":"join","ref":{ref},"topic":"{address}"}}')
            if kind_of(answer) != "ok":
                raise Broken(f"not joined: {answer[:200]!r}")

    def sockets(self, count: int) -> list[socket.socket]:
        return connect(("127.0.0.1", self.port), count, self.join)

    @contextlib.contextmanager
    def started(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.stop()


def close(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()


# Idle sockets


def idle(ground: Ground, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    """Idle sockets with and without topics: memory, CPU time of the process, and until all are back."""
    table = Table("idle", "Topics of idle sockets", "idle_percent")
    for name, (label, count, _) in IDLE_SOCKETS.items():
        table.rows.append(Row(name, f"{count:,} sockets, {label}"))
    rounds = min(rounds, IDLE_ROUNDS)
    for number in range(rounds):
        for row in table.rows:
            _, count, topics = IDLE_SOCKETS[row.name]
            _idle(row, TopicsSite(ground), count, topics)
        say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'idle_percent')}")
    return table


def _idle(row: Row, side: TopicsSite, count: int, topics: int | None) -> None:
    side.topics = topics
    with side.started():
        close(side.sockets(50))  # Modules loaded by the first connections do not count.
        time.sleep(1.0)
        before = machine.resident_bytes(side.pid)
        sockets = side.sockets(count)
        time.sleep(side.settle_seconds)
        kib = (machine.resident_bytes(side.pid) - before) / count / 1024
        cpu = machine.cpu_seconds(side.pid)
        time.sleep(IDLE_SECONDS)
        cpu = machine.cpu_seconds(side.pid) - cpu
        close(sockets)  # A process that ends with open sockets says goodbye for seconds.
    with side.started():
        began = time.perf_counter()
        sockets = side.sockets(count)
        back = time.perf_counter() - began
        close(sockets)
    row.add(kib=kib, idle_percent=100 * cpu / IDLE_SECONDS, back_s=back)


# Comparisons


def comparison(ground: Ground, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    """The comparison of one process with the table of positions: milliseconds by the clock, and of CPU time."""
    table = Table("comparison", "A comparison of a process with the table of positions", "cpu_ms")
    table.rows += [Row(name, label) for name, (label, *_) in COMPARED.items()]
    with machine.unrestricted_redis(ground.redis_socket("comparison"), ground.folder):
        for number in range(rounds):
            for row in table.rows:
                found = _compare(ground, row.name)
                wall, cpu = found["wall_ms"], found["cpu_ms"]
                row.add(p50_ms=percentile(wall, 50), max_ms=max(wall), cpu_ms=percentile(cpu, 50))
            say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'cpu_ms')}")
    return table


def _compare(ground: Ground, name: str) -> dict[str, list[float]]:
    """On the server's core: this process and Redis have the other."""
    numbers = [str(number) for number in (*COMPARED[name][1:], COMPARISONS)]
    command = [sys.executable, "-m", "bench.topics_site.compare", *numbers, *(["full"] if name == "full" else [])]
    environ = ground.environ(ground.redis_socket("comparison"), DJANGO_SETTINGS_MODULE=SETTINGS)
    with machine.on_core(machine.SERVER_CORES[0]):
        ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120)
    if ran.returncode:
        raise Broken(f"{name}: {ran.stderr[-2000:]}")
    found: dict[str, list[float]] = json.loads(ran.stdout)
    return found
