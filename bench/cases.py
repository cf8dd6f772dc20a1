"""The cases. Each starts its sides, lets them run in turn, round after round, and returns a table."""

import contextlib
import json
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench import machine
from bench.figures import Row, Table, percentile, short
from bench.ground import Ground
from bench.load import Broken, Members, Sender, connect
from bench.posting import post_for
from bench.senders import Poster
from bench.sides import (
    FRAME_BYTES,
    Bare,
    BareC,
    FastApi,
    FastApiSaved,
    Hubbub,
    Side,
    SocketIo,
    Tutorial,
    TutorialCore,
    TutorialPubsub,
    body_of,
    check_ok,
    script,
)

Say = Callable[[str], None]

# Which sides run at which number of sockets. The others would tell nothing new for the minutes that they take.
FANOUT_SIDES: dict[int, tuple[type[Side], ...]] = {
    200: (Hubbub, TutorialCore, TutorialPubsub, FastApi, SocketIo, Bare, BareC),
    1000: (Hubbub, FastApi, SocketIo, Bare),
    2000: (Hubbub, TutorialPubsub, FastApi, SocketIo, Bare, BareC),
    5000: (Hubbub, FastApi, Bare),
}
BURST_SECONDS = 1.0
MOST_MESSAGES = 2000
ALONE_MESSAGES = 10
SETTLE_SECONDS = 0.3
LATENCY_MESSAGES = 30
LATENCY_SOCKETS = 200
CONNECTIONS = 600
MEMORY_SOCKETS = 2000
POSTERS = 100
POST_SECONDS = 2.0
LAG_SOCKETS = 2000
LAG_DELIVERIES_PER_SECOND = 5000
LAG_SECONDS = 8.0


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
        elif [one.decode() for one in payloads] != [body_of(number, FRAME_BYTES) for number in numbers]:
            raise Broken("what came is not what was published")


@contextlib.contextmanager
def lanes(
    ground: Ground, kinds: Iterable[type[Side]], sockets: int, say: Say, *, room: str, publish: bool
) -> Iterator[list[Lane]]:
    """Everything started and joined. `publish`: a lane also for a script that publishes, to ours and FastAPI's."""
    with contextlib.ExitStack() as stack:
        made = []
        for kind in kinds:
            if (command := kind.missing()) is not None:
                say(f"  {kind.label}: left out, it is not installed. Install it: {command}")
                continue
            side = kind(ground, room)
            stack.callback(side.stop)
            side.start()
            members = side.members(sockets)
            stack.callback(members.close)
            made.append(Lane(Row(side.name, side.label), side, members, side.poster(), isinstance(side, Bare)))
            if publish and isinstance(side, Hubbub | FastApi):
                row = Row(f"{side.name}-publish", f"{side.label}, published by a script")
                made.append(Lane(row, side, members, script(side, size=FRAME_BYTES), True))
        for lane in made:
            stack.callback(lane.sender.close)
        yield made


def fanout(ground: Ground, sockets: int, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    kinds = [one for one in FANOUT_SIDES.get(sockets, FANOUT_SIDES[2000]) if not only or one.name in only]
    with lanes(ground, kinds, sockets, say, room=f"bench-{sockets // 200}", publish=True) as running:
        table = Table(f"fanout-{sockets}", f"Fan-out to {sockets:,} sockets", "rate", [one.row for one in running])
        for lane in running:
            for _ in range(2):
                # The first warms it up, and tells how many messages make a burst long enough.
                rate = _burst(lane, sockets)
                lane.messages = max(2, min(MOST_MESSAGES, int(rate * BURST_SECONDS / sockets)))
            lane.row.samples.clear()
        for number in range(rounds):
            for lane in running:
                _burst(lane, sockets)
                _alone(lane, sockets)
            say(f"  {table.title}, round {number + 1} of {rounds}: {_latest(table, 'rate')}")
    return table


def _burst(lane: Lane, sockets: int) -> float:
    lane.members.drain()
    time.sleep(SETTLE_SECONDS)
    numbers = lane.numbers(lane.messages)
    deliveries = len(numbers) * sockets
    server, client = machine.cpu_seconds(lane.side.pid), time.process_time()
    burst = lane.members.burst(lane.sender, numbers)
    client = time.process_time() - client
    server = machine.cpu_seconds(lane.side.pid) - server
    if burst.problem is not None:
        lane.row.problems.append(burst.problem)
        return 1.0
    lane.check(burst.payloads, numbers)
    rate = deliveries / burst.seconds
    lane.row.add(rate=rate, cpu_us=server / deliveries * 1e6, client_us=client / deliveries * 1e6)
    return rate


def _alone(lane: Lane, sockets: int) -> None:
    """Messages one at a time, each sent when the last one has arrived everywhere: nothing can be sent together."""
    messages = min(ALONE_MESSAGES, lane.messages)
    seconds = 0.0
    server = machine.cpu_seconds(lane.side.pid)
    for _ in range(messages):
        numbers = lane.numbers(1)
        burst = lane.members.burst(lane.sender, numbers)
        if burst.problem is not None:
            lane.row.problems.append(burst.problem)
            return
        lane.check(burst.payloads, numbers)
        seconds += burst.last_at - lane.sender.sent_at()
    server = machine.cpu_seconds(lane.side.pid) - server
    deliveries = messages * sockets
    lane.row.add(alone_rate=deliveries / seconds, alone_us=server / deliveries * 1e6)


def latency(ground: Ground, rounds: int, say: Say) -> Table:
    """One message in flight: from handing it in to each member's having it."""
    with (
        lanes(ground, (Hubbub, FastApi), LATENCY_SOCKETS, say, room="bench-31", publish=True) as ours,
        lanes(ground, (FastApiSaved,), LATENCY_SOCKETS, say, room="bench-31", publish=False) as saved,
    ):
        running = [*ours, *saved]
        table = Table("latency", "Latency, 200 sockets, one message in flight", "p50_ms", [one.row for one in running])
        for number in range(-1, rounds):
            for lane in running:
                waits: list[float] = []
                lasts: list[float] = []
                lane.members.drain()
                for one in lane.numbers(LATENCY_MESSAGES):
                    time.sleep(0.005)
                    took, payload = lane.members.single(lane.sender, one)
                    lane.check([payload], range(one, one + 1))
                    waits += took
                    lasts.append(max(took))
                lane.row.add(
                    p50_ms=percentile(waits, 50) * 1000,
                    p99_ms=percentile(waits, 99) * 1000,
                    last_ms=percentile(lasts, 50) * 1000,
                )
                if number < 0:
                    lane.row.samples.clear()  # To warm up.
            if number >= 0:
                say(f"  {table.title}, round {number + 1} of {rounds}: {_latest(table, 'p50_ms')}")
    return table


def connections(ground: Ground, rounds: int, say: Say) -> Table:
    """Session-authenticated connections, many at once; ours until `hello`, the other until the upgrade is through."""
    ours, other = Hubbub(ground), TutorialPubsub(ground)
    other.kind = "sender"
    sides = {ours: ours.enter, other: other.join}
    table = Table("connections", "Authenticated connections per second", "rate")
    with _started(sides):
        rows = {side: Row(side.name, side.label) for side in sides}
        table.rows += rows.values()
        for number in range(-1, rounds):
            for side, dialog in sides.items():
                count = CONNECTIONS if number >= 0 else 100
                server = machine.cpu_seconds(side.pid)
                began = time.perf_counter()
                sockets = connect(("127.0.0.1", side.port), count, dialog)
                seconds = time.perf_counter() - began
                server = machine.cpu_seconds(side.pid) - server
                for one in sockets:
                    one.close()
                time.sleep(1.0)  # Their ends are work too, which must not fall into the next side's time.
                if number >= 0:
                    rows[side].add(rate=count / seconds, cpu_us=server / count * 1e6)
            if number >= 0:
                say(f"  {table.title}, round {number + 1} of {rounds}: {_latest(table, 'rate')}")
    return table


def memory(ground: Ground, rounds: int, say: Say) -> Table:
    """What the server's resident memory grows by for each idle, authenticated, joined connection."""
    table = Table("memory", f"Memory of an idle connection, {MEMORY_SOCKETS:,} sockets", "kib")
    table.rows += [Row(kind.name, kind.label) for kind in (Hubbub, TutorialPubsub)]
    for number in range(rounds):
        for kind, row in zip((Hubbub, TutorialPubsub), table.rows, strict=True):
            side: Side = kind(ground, room="bench-32")
            with _started([side]):
                side.members(50).close()  # What is loaded with the first connections is nobody's share.
                time.sleep(1.0)
                before = machine.resident_bytes(side.pid)
                members = side.members(MEMORY_SOCKETS)
                time.sleep(1.0)
                row.add(kib=(machine.resident_bytes(side.pid) - before) / MEMORY_SOCKETS / 1024)
                members.close()
        say(f"  {table.title}, round {number + 1} of {rounds}: {_latest(table, 'kib')}")
    return table


def posts(ground: Ground, rounds: int, say: Say) -> Table:
    """Posts committed and acknowledged: 100 senders that have not joined, one reader."""
    ours, other = Hubbub(ground, "bench-33"), TutorialPubsub(ground, "bench-33")
    table = Table("posts", "Posts committed and acknowledged per second", "rate")
    with _started([ours, other]):
        rows = [Row(ours.name, ours.label), Row("transactions", "A transaction per post, stock Channels")]
        table.rows += rows
        other.kind = "sender"
        senders = {
            ours: connect(("127.0.0.1", ours.port), POSTERS, ours.enter),
            other: connect(("127.0.0.1", other.port), POSTERS, other.join),
        }
        other.kind = "chat"
        checks = {ours: check_ok, other: _check_saved}
        first = 0
        for number in range(-1, rounds):
            for side, row in zip(senders, rows, strict=True):
                [reader] = connect(("127.0.0.1", side.port), 1, side.join)
                time.sleep(SETTLE_SECONDS)
                server = machine.cpu_seconds(side.pid)
                make = _numbered(side, first)
                done = post_for(POST_SECONDS, senders[side], reader, make, checks[side])
                server = machine.cpu_seconds(side.pid) - server
                reader.close()
                _check_read(side, done.read, done.answered, first)
                first += done.answered
                if number >= 0:
                    row.add(
                        rate=done.answered / done.seconds,
                        p50_ms=percentile(done.waits, 50) * 1000,
                        cpu_us=server / done.answered * 1e6,
                    )
            if number >= 0:
                say(f"  {table.title}, round {number + 1} of {rounds}: {_latest(table, 'rate')}")
        for sockets in senders.values():
            for one in sockets:
                one.close()
    return table


def _numbered(side: Side, first: int) -> Callable[[int], bytes]:
    return lambda number: side.message(first + number)


def _check_saved(payload: bytes) -> None:
    if not payload.startswith(b'{"saved"'):
        raise Broken(f"a post was not saved: {payload!r}")


def _check_read(side: Side, payloads: list[bytes], answered: int, first: int) -> None:
    """The reader had each post once; ours also in the order of positions."""
    if isinstance(side, Tutorial):
        texts = [side.shown(one) for one in payloads]
    else:
        events = [json.loads(one) for one in payloads]
        events = [one for one in events if one["type"] != "presence.changed"]
        texts = [one["message"]["body"] for one in events]
        positions = [one["position"] for one in events]
        if positions != list(range(positions[0], positions[0] + answered)):
            raise Broken("positions are not consecutive")
    if sorted(texts) != sorted(side.text(first + number) for number in range(answered)):
        raise Broken("the reader has not had each post once")


def lag(ground: Ground, rounds: int, say: Say) -> Table:
    """The event loop's delay while 5,000 deliveries a second flow to 2,000 sockets."""
    title = f"Event-loop lag, {LAG_DELIVERIES_PER_SECOND:,} deliveries/s to {LAG_SOCKETS:,} sockets"
    table = Table("lag", title, "p99_ms")
    interval = LAG_SOCKETS / LAG_DELIVERIES_PER_SECOND
    with contextlib.ExitStack() as stack:
        running: list[tuple[Side, Members, Poster | Sender, Row]] = []
        for kind in (Hubbub, FastApi):
            if kind.missing() is not None:
                continue
            side: Side = kind(ground, room="bench-34")
            side.wrapped = "yes"
            stack.enter_context(_started([side]))
            members = side.members(LAG_SOCKETS)
            stack.callback(members.close)
            row = Row(side.name, side.label)
            table.rows.append(row)
            running.append((side, members, side.poster(), row))
        first = 0
        for number in range(rounds):
            for side, members, sender, row in running:
                members.drain()
                _delays_ms(side)
                count = int(LAG_SECONDS / interval)
                due = time.perf_counter()
                for one in range(first, first + count):
                    time.sleep(max(0.0, due - time.perf_counter()))
                    members.single(sender, one)
                    due += interval
                first += count
                delays = _delays_ms(side)
                row.add(p99_ms=percentile(delays, 99), max_ms=max(delays), p50_ms=percentile(delays, 50))
            say(f"  {table.title}, round {number + 1} of {rounds}: {_latest(table, 'p99_ms')}")
    return table


def _delays_ms(side: Side) -> list[float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{side.port}/bench/lag", timeout=10) as answer:
        delays: list[float] = json.loads(answer.read())
    return delays


@contextlib.contextmanager
def _started(sides: Iterable[Side]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for side in sides:
            stack.callback(side.stop)
            side.start()
        yield


def _latest(table: Table, quantity: str) -> str:
    return ", ".join(
        f"{row.name} {short(row.samples[quantity][-1]) if row.samples.get(quantity) else 'lost frames'}"
        for row in table.rows
    )
