"""The cases beside fan-out: connections, memory, posts, and the event loop's lag. Each returns a table."""

import contextlib
import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from bench import machine
from bench.environment import Ground
from bench.fast_servers import Nchan, Picows, Socketify
from bench.handshakes import Dialog, connect
from bench.load_client import Broken, Members, Sender
from bench.posting import Posting, post_for
from bench.scenarios.fanout import SETTLE_SECONDS, Say, installed
from bench.server import Side
from bench.servers import FastApi, Hubbub, SocketIo, Tutorial, TutorialPubsub, check_ok, kind_of
from bench.stats import Row, Table, latest, percentile

CONNECTING_SIDES: tuple[type[Side], ...] = (Hubbub, TutorialPubsub, FastApi, SocketIo, Picows, Socketify, Nchan)
CONNECTIONS = 600
MEMORY_SOCKETS = 2000
MEMORY_ROUNDS = 3  # At most: each starts every server anew, and they differ by little.
POSTERS = 100
POST_SECONDS = 2.0
LAG_SOCKETS = 2000
LAG_DELIVERIES_PER_SECOND = 5000
LAG_SECONDS = 8.0


def connections(ground: Ground, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    """Connections, many at once: ours until `hello`, and until they have joined a room; others until they are members.

    The tutorial signs in, but is not a member: its groups cost it more than its connections.
    """
    table = Table("connections", "Connections per second", "rate")
    with contextlib.ExitStack() as stack:
        ways: list[tuple[Row, Side, Callable[[int], Dialog]]] = []
        for kind in installed(CONNECTING_SIDES, say, only):
            side: Side = kind(ground)
            stack.enter_context(started([side]))
            side.halt()
            if isinstance(side, Hubbub):
                ways.append((replace(side.row(), label="Hubbub, until `hello`"), side, side.enter))
                ways.append((replace(side.row(), name="hubbub-join", label="Hubbub, until joined"), side, side.join))
                continue
            if isinstance(side, Tutorial):
                side.kind = "sender"
            ways.append((side.row(), side, side.join))
        table.rows += [row for row, _, _ in ways]
        for number in range(-1, rounds):
            for row, side, dialog in ways:
                with side.turn():
                    connect_once(row, side, dialog, CONNECTIONS if number >= 0 else 100)
                if number < 0:
                    row.samples.clear()  # To warm up.
            if number >= 0:
                say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'rate')}")
    for row in table.rows:
        row.saves = ""  # Nothing is sent.
    return table


def connect_once(row: Row, side: Side, dialog: Callable[[int], Dialog], count: int) -> None:
    """Connect `count` sockets through their dialogs, measure it, and close them."""
    server, client = machine.cpu_seconds(side.pid), time.process_time()
    began = time.perf_counter()
    sockets = connect(("127.0.0.1", side.port), count, dialog)
    seconds = time.perf_counter() - began
    client = time.process_time() - client
    server = machine.cpu_seconds(side.pid) - server
    for member_socket in sockets:
        member_socket.close()
    time.sleep(1.0)  # Closing is work, too, which must not count for the next side.
    row.add(rate=count / seconds, cpu_us=server / count * 1e6, load_us=client / count * 1e6)


def memory(ground: Ground, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    """The growth of the server's resident memory for each idle, joined connection."""
    table = Table("memory", f"Memory of an idle connection, {MEMORY_SOCKETS:,} sockets", "kib")
    kinds = installed(CONNECTING_SIDES, say, only)
    rounds = min(rounds, MEMORY_ROUNDS)
    for number in range(rounds):
        for kind in kinds:
            side: Side = kind(ground, room="bench-32")
            if number == 0:
                table.rows.append(replace(side.row(), saves=""))
            row = table.row(kind.name)
            assert row is not None
            row.add(kib=grown_kib(side, MEMORY_SOCKETS))
        say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'kib')}")
    return table


def grown_kib(side: Side, sockets: int) -> float:
    """Start the server and let so many members join; return the growth of its memory for each."""
    with started([side]):
        side.members(50).close()  # Modules loaded by the first connections do not count.
        time.sleep(1.0)
        before = machine.resident_bytes(side.pid)
        members = side.members(sockets)
        time.sleep(1.0)
        grown = machine.resident_bytes(side.pid) - before
        members.close()
    return grown / sockets / 1024


def posts(ground: Ground, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    """Posts committed and acknowledged: 100 senders that have not joined, one reader."""
    table = Table("posts", "Posts committed and acknowledged per second", "rate")
    with contextlib.ExitStack() as stack:
        ways: list[tuple[Row, Side, list[socket.socket], Callable[[bytes], None]]] = []
        for kind in installed((Hubbub, TutorialPubsub), say, only):
            side: Side = kind(ground, "bench-33")
            stack.enter_context(started([side]))
            if isinstance(side, Tutorial):
                label = "A transaction per post, stock Channels"
                row = replace(side.row(), name="transactions", label=label, saves="SQLite")
                side.kind = "sender"
                senders = connect(("127.0.0.1", side.port), POSTERS, side.join)
                side.kind = "chat"
                ways.append((row, side, senders, _check_saved))
            else:
                assert isinstance(side, Hubbub)
                senders = connect(("127.0.0.1", side.port), POSTERS, side.enter)
                ways.append((side.row(), side, senders, check_ok))
        table.rows += [row for row, *_ in ways]
        first = 0
        for number in range(-1, rounds):
            for row, side, senders, check in ways:
                first += _posts(row, side, senders, check, first)
                if number < 0:
                    row.samples.clear()  # To warm up.
            if number >= 0:
                say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'rate')}")
        for _, _, senders, _ in ways:
            for sender in senders:
                sender.close()
    return table


def _posts(row: Row, side: Side, senders: list[socket.socket], check: Callable[[bytes], None], first: int) -> int:
    """Measure them once; how many were answered."""
    [reader] = connect(("127.0.0.1", side.port), 1, side.join)
    time.sleep(SETTLE_SECONDS)
    server = machine.cpu_seconds(side.pid)
    done = post_for(POST_SECONDS, senders, reader, _numbered(side, first), check, side.mark.encode())
    server = machine.cpu_seconds(side.pid) - server
    reader.close()
    _check_read(side, done, first)
    row.add(
        rate=done.answered / done.seconds,
        p50_ms=percentile(done.waits, 50) * 1000,
        cpu_us=server / done.answered * 1e6,
    )
    return done.answered


def _numbered(side: Side, first: int) -> Callable[[int], bytes]:
    return lambda number: side.message(first + number)


def _check_saved(payload: bytes) -> None:
    if not payload.startswith(b'{"saved"'):
        raise Broken(f"a post was not saved: {payload!r}")


def _check_read(side: Side, done: Posting, first: int) -> None:
    """The reader had each post once, and nothing else; ours also in the order of positions."""
    for payload in done.aside:
        # The reader receives its own presence.
        if not isinstance(side, Hubbub) or kind_of(payload) != "presence.changed":
            raise Broken(f"a stray came to the reader: {payload[:100]!r}")
    if isinstance(side, Tutorial):
        texts = [side.shown(frame) for frame in done.read]
    else:
        events = [json.loads(frame) for frame in done.read]
        texts = [event["message"]["body"] for event in events]
        positions = [event["position"] for event in events]
        if positions != list(range(positions[0], positions[0] + done.answered)):
            raise Broken("positions are not consecutive")
    if sorted(texts) != sorted(side.text(first + number) for number in range(done.answered)):
        raise Broken("the reader has not had each post once")


def lag(ground: Ground, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    """The event loop's delay while 5,000 deliveries a second flow to 2,000 sockets."""
    title = f"Event-loop lag, {LAG_DELIVERIES_PER_SECOND:,} deliveries/s to {LAG_SOCKETS:,} sockets"
    table = Table("lag", title, "p99_ms")
    interval = LAG_SOCKETS / LAG_DELIVERIES_PER_SECOND
    with contextlib.ExitStack() as stack:
        running: list[tuple[Side, Members, Sender, Row]] = []
        for kind in installed((Hubbub, FastApi), say, only):
            side: Side = kind(ground, room="bench-34")
            side.wrapped = "yes"
            stack.enter_context(started([side]))
            members = side.members(LAG_SOCKETS)
            stack.callback(members.close)
            table.rows.append(side.row())
            running.append((side, members, side.poster(), table.rows[-1]))
        first = 0
        for number in range(rounds):
            for side, members, sender, row in running:
                if (strays := members.strays()) is not None:
                    raise Broken(strays)
                _delays_ms(side)
                count = int(LAG_SECONDS / interval)
                due = time.perf_counter()
                for message in range(first, first + count):
                    time.sleep(max(0.0, due - time.perf_counter()))
                    members.single(sender, message)
                    due += interval
                first += count
                delays = _delays_ms(side)
                row.add(p99_ms=percentile(delays, 99), max_ms=max(delays), p50_ms=percentile(delays, 50))
            say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'p99_ms')}")
    return table


def _delays_ms(side: Side) -> list[float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{side.port}/bench/lag", timeout=10) as answer:
        delays: list[float] = json.loads(answer.read())
    return delays


@contextlib.contextmanager
def started(sides: Iterable[Side]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for side in sides:
            stack.callback(side.stop)
            side.start()
        yield
