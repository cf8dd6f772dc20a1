"""The case of a state: single changes and bursts of changes, to many sockets."""

import contextlib
import json
import select
import socket
import sys
import time
from collections.abc import Sequence

from bench import machine
from bench.environment import ROOT, Ground
from bench.frames import TEXT, FrameReader
from bench.load_client import EVENTS, STALL_SECONDS, Broken, Members
from bench.machine import Program
from bench.scenarios.fanout import Say
from bench.scenarios.topics import TopicsSite, close
from bench.servers import kind_of
from bench.stats import Row, Table, latest, percentile

STATE_SOCKETS = 2_000
BURST_CHANGES = 1_000
LONE_CHANGES = 8
# After a state, the next one to so many sockets waits for a fifth of a second.
PACE_SECONDS = 0.3


class Changer:
    """A script that changes the counter. The changes of one `begin` are a burst, and members may get fewer frames."""

    fd = None
    mark = b'"topic":"counter"'

    def __init__(self, side: TopicsSite) -> None:
        log = side.ground.folder / f"changer-{side.port}.log"
        command = (sys.executable, "-m", "bench.topics_site.changer")
        core = machine.client_core()
        self._program = Program(command, core=core, folder=ROOT, environ=side.environ(), log=log, with_pipes=True)
        self._answers = 0

    def settle(self) -> None:
        while self._answers:
            self.sent_at()

    def begin(self, numbers: range) -> None:
        self.settle()
        assert self._program.process.stdin is not None
        self._program.process.stdin.write(f"{len(numbers)}\n".encode())
        self._program.process.stdin.flush()
        self._answers += 1

    def on_readable(self) -> None:
        raise AssertionError("it has nothing to read")

    def delivered(self, size: int) -> None:
        """Unused: all changes are begun at once."""

    def sent_at(self) -> float:
        assert self._program.process.stdout is not None
        line = self._program.process.stdout.readline()
        if not line:
            raise Broken(f"the script ended: {self._program.tail()}")
        self._answers -= 1
        return float(line)

    def close(self) -> None:
        self._program.stop()


class LastState:
    """Reads sockets until each has the state of one position. Each socket's positions must rise."""

    def __init__(self, sockets: Sequence[socket.socket], last: int) -> None:
        self._sockets = {each.fileno(): (each, FrameReader()) for each in sockets}
        self._positions = dict.fromkeys(self._sockets, 0)
        self._last = last
        self.frames = 0

    def read(self) -> float:
        """Return when the last socket had it."""
        missing = set(self._sockets)
        with select.epoll() as poll:
            for fd in missing:
                poll.register(fd, select.EPOLLIN)
            while missing:
                events = poll.poll(STALL_SECONDS, EVENTS)
                if not events:
                    raise Broken(f"{len(missing)} of {len(self._sockets)} sockets have not got the last state")
                for fd, _ in events:
                    self._read(fd)
                    if self._positions[fd] == self._last:
                        missing.discard(fd)
        return time.perf_counter()

    def _read(self, fd: int) -> None:
        each, reader = self._sockets[fd]
        chunk = each.recv(1 << 18)
        if not chunk:
            raise Broken("the server closed a socket")
        for opcode, payload in reader.feed(chunk):
            if opcode != TEXT or kind_of(payload) != "changed":
                raise Broken(f"a stray came: {payload[:100]!r}")
            position = position_of(payload)
            if not self._positions[fd] < position <= self._last:
                raise Broken(f"position {position} came after {self._positions[fd]}")
            self._positions[fd] = position
            self.frames += 1


def position_of(payload: bytes) -> int:
    """The position of a frame with a state."""
    position: int = json.loads(payload)["position"]
    return position


def state(ground: Ground, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    """A state of 2 KB: one change, and many in a burst, until all sockets have the last state."""
    lone = Row("lone", "one change")
    burst = Row("burst", f"{BURST_CHANGES:,} changes in a burst")
    table = Table("state", f"A state of 2 KB, {STATE_SOCKETS:,} sockets", "cpu_us", [lone, burst])
    side = TopicsSite(ground)
    with side.started(), contextlib.ExitStack() as stack:
        sockets = side.sockets(STATE_SOCKETS)
        stack.callback(close, sockets)
        members = Members(sockets)
        stack.callback(members.close)
        members.drain(side.settle_seconds)
        changer = Changer(side)
        stack.callback(changer.close)
        for number in range(-1, rounds):
            last = _lone(lone, side, members, changer)
            _burst(burst, side, sockets, changer, last + BURST_CHANGES)
            if number < 0:
                lone.samples.clear()  # To warm up.
                burst.samples.clear()
            else:
                say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'cpu_us')}")
    return table


def _lone(row: Row, side: TopicsSite, members: Members, changer: Changer) -> int:
    """Return the position of the last change."""
    waits: list[float] = []
    lasts: list[float] = []
    positions: list[int] = []
    cpu = 0.0
    for _ in range(LONE_CHANGES):
        time.sleep(PACE_SECONDS)
        if (strays := members.strays()) is not None:
            raise Broken(strays)
        before = machine.cpu_seconds(side.pid)
        took, payload = members.single(changer, 0)
        cpu += machine.cpu_seconds(side.pid) - before
        waits += took
        lasts.append(max(took))
        positions.append(position_of(payload))
    if positions != list(range(positions[0], positions[0] + LONE_CHANGES)):
        raise Broken(f"positions are not consecutive: {positions}")
    row.add(
        frames=1.0,
        cpu_us=cpu / LONE_CHANGES / len(members) * 1e6,
        p50_ms=percentile(waits, 50) * 1000,
        p99_ms=percentile(waits, 99) * 1000,
        last_ms=percentile(lasts, 50) * 1000,
    )
    return positions[-1]


def _burst(row: Row, side: TopicsSite, sockets: Sequence[socket.socket], changer: Changer, last: int) -> None:
    time.sleep(PACE_SECONDS)
    reader = LastState(sockets, last)
    cpu = machine.cpu_seconds(side.pid)
    changer.begin(range(BURST_CHANGES))
    ended = reader.read()
    cpu = machine.cpu_seconds(side.pid) - cpu
    row.add(
        frames=reader.frames / len(sockets),
        cpu_us=cpu / reader.frames * 1e6,
        last_ms=(ended - changer.sent_at()) * 1000,
    )
