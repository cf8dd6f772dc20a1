"""The cases that send to members of one room: fan-out and latency. Their sides run at once and take turns."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench import machine
from bench.environment import Ground
from bench.fast_servers import Nchan, Picows, Socketify
from bench.load_client import Broken, Members, Sender
from bench.server import FRAME_BYTES, Side, body_of
from bench.servers import (
    Bare,
    BareC,
    FastApi,
    FastApiSaved,
    Hubbub,
    SocketIo,
    TutorialCore,
    TutorialPubsub,
    script,
    script_row,
)
from bench.stats import Row, Table, latest, percentile

Say = Callable[[str], None]
Kind = TypeVar("Kind", bound=Side)

# The sides at each number of sockets. The others would add minutes and nothing new.
FANOUT_SIDES: dict[int, tuple[type[Side], ...]] = {
    200: (Hubbub, TutorialCore, TutorialPubsub, FastApi, SocketIo, Picows, Socketify, Nchan, Bare, BareC),
    1000: (Hubbub, FastApi, SocketIo, Picows, Socketify, Nchan, Bare),
    2000: (Hubbub, TutorialPubsub, FastApi, SocketIo, Picows, Socketify, Nchan, Bare, BareC),
    5000: (Hubbub, FastApi, Bare),
}
LATENCY_SIDES: tuple[type[Side], ...] = (Hubbub, FastApi, FastApiSaved, SocketIo, Picows, Socketify, Nchan)
BURST_SECONDS = 1.0
MAX_MESSAGES = 2000
ALONE_MESSAGES = 10  # At least, and more in a small room: the kernel counts CPU time in steps of milliseconds.
ALONE_DELIVERIES = 6000
REST_SECONDS = 0.005  # After it the kernel has counted the CPU time of a process.
SETTLE_SECONDS = 0.3
LATENCY_MESSAGES = 30
LATENCY_SOCKETS = 200


@dataclass
class Lane:
    """A side with its members, and one way to have it send."""

    row: Row
    side: Side
    members: Members
    sender: Sender
    is_published: bool
    next_number: int = 0
    messages: int = 2

    def numbers(self, count: int) -> range:
        numbers = range(self.next_number, self.next_number + count)
        self.next_number += count
        return numbers

    def check(self, payloads: Sequence[bytes], numbers: range) -> None:
        if not self.is_published:
            self.side.check(payloads, numbers)
            return
        mark = self.side.script_mark
        if [payload.decode() for payload in payloads] != [body_of(mark, number, FRAME_BYTES) for number in numbers]:
            raise Broken("the received messages differ from the published ones")

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Record failures inside as problems of this side: they do not count as measured."""
        with self.side.turn():
            try:
                yield
            except Broken as problem:
                self.row.problems.append(str(problem))
            except ConnectionError as error:
                self.row.problems.append(f"the connection ended: {error}")

    def settle(self) -> None:
        """Before each measurement. Raises Broken when members have had strays since the last one."""
        if (strays := self.members.strays()) is not None:
            raise Broken(strays)
        self.sender.settle()


@contextlib.contextmanager
def lanes(
    ground: Ground, kinds: Iterable[type[Side]], sockets: int, say: Say, *, room: str, only: Sequence[str] = ()
) -> Iterator[list[Lane]]:
    """Everything started and joined. Ours and FastAPI have a second lane: a script that publishes."""
    with contextlib.ExitStack() as stack:
        made = []
        for kind in installed(kinds, say, only):
            side = kind(ground, room)
            stack.callback(side.stop)
            side.start()
            members = side.members(sockets)
            stack.callback(members.close)
            made.append(Lane(side.row(), side, members, side.poster(), isinstance(side, Bare)))
            if kind in (Hubbub, FastApi):
                made.append(Lane(script_row(side), side, members, script(side), True))
            side.halt()
        for lane in made:
            stack.callback(lane.sender.close)
        yield made
        for lane in made:
            # Strays after the last turn are errors as well.
            with lane.counted():
                lane.settle()


def installed(kinds: Iterable[type[Kind]], say: Say, only: Sequence[str] = ()) -> list[type[Kind]]:
    """Those of `only`, or all, that this machine can run; the others are named, with the command that installs them."""
    found = []
    for kind in kinds:
        if only and kind.name not in only:
            continue
        if (command := kind.missing()) is None:
            found.append(kind)
        else:
            say(f"  {kind.label}: left out, it is not installed. Install it: {command}")
    return found


def fanout(ground: Ground, sockets: int, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    kinds = FANOUT_SIDES.get(sockets, FANOUT_SIDES[2000])
    with lanes(ground, kinds, sockets, say, room=f"bench-{sockets // 200}", only=only) as running:
        table = Table(f"fanout-{sockets}", f"Fan-out to {sockets:,} sockets", "rate", [lane.row for lane in running])
        for lane in running:
            warm_up(lane, sockets)
        for number in range(rounds):
            for lane in running:
                burst(lane, sockets)
                alone(lane, sockets)
            say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'rate')}")
    return table


def warm_up(lane: Lane, sockets: int) -> None:
    """Warm up the side, and find the number of messages for a burst of enough length."""
    for _ in range(2):
        rate = burst(lane, sockets)
        lane.messages = max(2, min(MAX_MESSAGES, int(rate * BURST_SECONDS / sockets)))
    lane.row.samples.clear()


def burst(lane: Lane, sockets: int) -> float:
    """Deliveries per second; 1 when the burst does not count."""
    rate = 1.0
    with lane.counted():
        lane.settle()
        time.sleep(SETTLE_SECONDS)
        numbers = lane.numbers(lane.messages)
        deliveries = len(numbers) * sockets
        server, client = machine.cpu_seconds(lane.side.pid), time.process_time()
        sent = lane.members.burst(lane.sender, numbers)
        client = time.process_time() - client
        server = machine.cpu_seconds(lane.side.pid) - server
        if sent.problem is not None:
            raise Broken(sent.problem)
        lane.check(sent.payloads, numbers)
        rate = deliveries / sent.seconds
        lane.row.add(rate=rate, cpu_us=server / deliveries * 1e6, client_us=client / deliveries * 1e6)
    return rate


def alone(lane: Lane, sockets: int) -> None:
    """Messages one at a time, each sent when the last one has arrived everywhere: nothing can be sent together."""
    messages = max(ALONE_MESSAGES, ALONE_DELIVERIES // sockets)
    seconds = 0.0
    with lane.counted():
        lane.settle()
        server = machine.cpu_seconds(lane.side.pid)
        for _ in range(messages):
            numbers = lane.numbers(1)
            sent = lane.members.burst(lane.sender, numbers)
            if sent.problem is not None:
                raise Broken(sent.problem)
            lane.check(sent.payloads, numbers)
            seconds += sent.last_at - lane.sender.sent_at()
        time.sleep(REST_SECONDS)
        server = machine.cpu_seconds(lane.side.pid) - server
        deliveries = messages * sockets
        lane.row.add(alone_rate=deliveries / seconds, alone_us=server / deliveries * 1e6)


def latency(ground: Ground, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    """One message in flight: from handing it in to each member's having it."""
    with lanes(ground, LATENCY_SIDES, LATENCY_SOCKETS, say, room="bench-31", only=only) as running:
        table = Table(
            "latency", "Latency, 200 sockets, one message in flight", "p50_ms", [lane.row for lane in running]
        )
        for number in range(-1, rounds):
            for lane in running:
                latency_once(lane)
                if number < 0:
                    lane.row.samples.clear()  # To warm up.
            if number >= 0:
                say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'p50_ms')}")
    return table


def latency_once(lane: Lane) -> None:
    """Messages one at a time, and when each member had each."""
    waits: list[float] = []
    lasts: list[float] = []
    with lane.counted():
        lane.settle()
        for number in lane.numbers(LATENCY_MESSAGES):
            time.sleep(0.005)
            took, payload = lane.members.single(lane.sender, number)
            lane.check([payload], range(number, number + 1))
            waits += took
            lasts.append(max(took))
        lane.row.add(
            p50_ms=percentile(waits, 50) * 1000,
            p99_ms=percentile(waits, 99) * 1000,
            last_ms=percentile(lasts, 50) * 1000,
        )
