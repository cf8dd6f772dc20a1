"""The case of servers: one application, the chat, on each ASGI server; joins, lone messages, bursts, memory."""

import functools
from collections.abc import Sequence

from bench import ratios, report
from bench.asgi_servers import KINDS, OnServer, with_ours
from bench.environment import Ground
from bench.load_client import Broken
from bench.scenarios.capacity import connect_once, grown_kib
from bench.scenarios.fanout import Lane, Say, alone, burst, installed, lanes, latency_once, warm_up
from bench.stats import Row, Table, latest

SOCKETS = 200
JOINS = 300
JOIN_ROOM = "bench-40"  # Its members come and go: the other sockets get no frames of it.
MEMORY_SOCKETS = 1000

# The columns of the document, by quantity.
HEADS = {
    "joined": "joins a second",
    "p50_ms": "lone message: p50, ms",
    "p99_ms": "lone message: p99, ms",
    "alone_us": "lone message: CPU µs a delivery",
    "rate": "burst: deliveries a second",
    "cpu_us": "burst: CPU µs a delivery",
    "kib": "KiB an idle socket",
}


def servers(ground: Ground, rounds: int, say: Say, only: Sequence[str] = (), sockets: int = SOCKETS) -> Table:
    """All servers at once, in turns; memory first, once: each starts for it anew, and rounds differ by little."""
    table = Table("servers", f"The chat on each server, one process, {sockets:,} sockets", "rate")
    kinds = installed(KINDS, say, with_ours(only))
    # A burst fills the memory of a process, so new processes are measured.
    grown = {kind.name: _grown(kind(ground), sockets * MEMORY_SOCKETS // SOCKETS) for kind in kinds}
    say(f"  {table.title}: memory is measured")
    with lanes(ground, kinds, sockets, say, room="") as running:
        table.rows += [lane.row for lane in running]
        for lane in running:
            _join(lane, sockets // 2)
            warm_up(lane, sockets)
        for number in range(rounds):
            for lane in running:
                _join(lane, sockets * JOINS // SOCKETS)
                latency_once(lane)
                alone(lane, sockets)
                burst(lane, sockets)
            say(f"  {table.title}, round {number + 1} of {rounds}: {latest(table, 'rate')}")
    for row in table.rows:
        found = grown[row.name]
        row.samples |= found.samples
        row.problems += found.problems
    return table


def _grown(side: OnServer, sockets: int) -> Row:
    row = side.row()
    try:
        row.add(kib=grown_kib(side, sockets))
    except (Broken, ConnectionError) as problem:
        row.problems.append(f"memory: {problem}")
    return row


def _join(lane: Lane, count: int) -> None:
    """Sockets that sign in and join a room, many at once."""
    assert isinstance(lane.side, OnServer)
    found = Row(lane.row.name, lane.row.label)
    try:
        connect_once(found, lane.side, functools.partial(lane.side.join, room=JOIN_ROOM), count)
    except (Broken, ConnectionError) as problem:
        lane.row.problems.append(str(problem))
    else:
        lane.row.add(joined=found.median("rate"), join_us=found.median("cpu_us"))


def as_markdown(table: Table) -> str:
    """The figures, and their ratios to our server."""
    parts = [table.title, report.markdown(*ratios.figures(table, HEADS))]
    parts += ["Ratios to `hubbub.server`, of each round:", report.markdown(*ratios.beside_ours(table, HEADS))]
    return "\n\n".join(parts) + report.problems(table)
