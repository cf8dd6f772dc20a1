"""Our place among the peers: each row in which one is ahead of us, and the summary of the README. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.stats import Row, Table, short

OURS = ("hubbub", "hubbub-publish", "hubbub-join")
BOUNDS = ("bare", "bare-c")  # Loops that show the capacity of the kernel: no servers.
NO_PEER = "no peer"


@dataclass(frozen=True, slots=True)
class Measure:
    """A quantity that sides are compared by. `more`: whether more is better."""

    quantity: str
    label: str
    unit: str
    more: bool

    def lead(self, ours: float, theirs: float) -> float:
        """How many times as good theirs is; NaN when either was not measured."""
        if not ours or not theirs:
            return math.nan
        return theirs / ours if self.more else ours / theirs


BURST_RATE = Measure("rate", "in bursts, deliveries a second", "deliveries a second", True)
BURST_CPU = Measure("cpu_us", "in bursts, CPU time of a delivery", "µs of CPU time a delivery", False)
LONE_RATE = Measure("alone_rate", "one message at a time, deliveries a second", "deliveries a second", True)
LONE_CPU = Measure("alone_us", "one message at a time, CPU time of a delivery", "µs of CPU time a delivery", False)
RECEIPT = Measure("p50_ms", "until a member has it, p50", "ms", False)
LAST = Measure("last_ms", "until the last member has it", "ms", False)
RATE = Measure("rate", "a second", "a second", True)
CPU = Measure("cpu_us", "CPU time of each", "µs of CPU time each", False)
MEMORY = Measure("kib", "memory of each", "KiB", False)
LAG = Measure("p99_ms", "p99", "ms", False)
IDLE_CPU = Measure("idle_percent", "idle, CPU time", "% of a core", False)
BACK = Measure("back_s", "all back after a restart", "s", False)
JOIN_CPU = Measure("join_us", "CPU time of a join", "µs of CPU time", False)
WATCH_CPU = Measure("core", "CPU time", "% of a core", False)
FRAMES = Measure("frames", "frames to each socket", "frames", False)
COMPARED = Measure("p50_ms", "p50", "ms", False)
COMPARED_CPU = Measure("cpu_ms", "CPU time", "ms of CPU time", False)
PAGE = Measure("value", "in the row's unit", "", False)

MEASURES: dict[str, Sequence[Measure]] = {
    "fanout": (BURST_RATE, BURST_CPU, LONE_RATE, LONE_CPU),
    "latency": (RECEIPT, LAST),
    "connections": (RATE, CPU),
    "memory": (MEMORY,),
    "posts": (RATE, CPU),
    "lag": (LAG,),
    "idle": (MEMORY, IDLE_CPU, BACK),
    "state": (CPU, LAST, FRAMES),
    "comparison": (COMPARED, COMPARED_CPU),
    "streams": (LONE_CPU, CPU, JOIN_CPU, MEMORY),
    "watch": (WATCH_CPU, LAG, MEMORY),
    "page": (PAGE,),
}
ONLY_OURS = ("idle", "state", "comparison", "streams", "watch", "page")  # Cases without peers: each row is of ours.


def ahead_lines(tables: Sequence[Table]) -> list[Sequence[str]]:
    """(case, measure, the peers ahead of our posts, those ahead of our script)."""
    lines: list[Sequence[str]] = []
    for table in (table for table in tables if table.name not in ONLY_OURS):
        for measure in MEASURES.get(table.name.partition("-")[0], ()):
            posted = _ahead(table, measure, _ours(table))
            published = _ahead(table, measure, "hubbub-publish")
            if posted or published:
                script = "" if table.row("hubbub-publish") is None else _named(published)
                lines.append((table.title, measure.label, _named(posted), script))
    return lines


def summary(tables: Sequence[Table]) -> list[Sequence[str]]:
    """(measure, our figure, the figure of a peer that most people know, the peers ahead of us)."""
    by_name = {table.name: table for table in tables}
    return [row for line in SUMMARY if (row := line.row(by_name)) is not None]


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One line of the summary.

    Args:
        beside: the name of the peer to compare with in the table, and its name for readers.
    """

    label: str
    table: str
    measure: Measure
    beside: tuple[str, str]

    def row(self, tables: Mapping[str, Table]) -> Sequence[str] | None:
        """None where it was not measured."""
        if (table := tables.get(self.table)) is None or table.row(_ours(table)) is None:
            return None
        name, label = self.beside
        ours, theirs = (table.median(side, self.measure.quantity) for side in (_ours(table), name))
        compared = "" if math.isnan(theirs) else f"{short(theirs)} ({label})"
        ahead = _named(_ahead(table, self.measure, _ours(table)))
        return (self.label, f"{short(ours)} {self.measure.unit}", compared, ahead)


FASTAPI = ("fastapi", "FastAPI with Redis")
SUMMARY = (
    SummaryLine("Messages in bursts to 2,000 sockets", "fanout-2000", BURST_RATE, FASTAPI),
    SummaryLine("One message at a time to 2,000 sockets", "fanout-2000", LONE_CPU, FASTAPI),
    SummaryLine("Messages in bursts to 200 sockets", "fanout-200", BURST_RATE, FASTAPI),
    SummaryLine("One message at a time to 200 sockets", "fanout-200", LONE_CPU, FASTAPI),
    SummaryLine(
        "A post until a member of 200 has it", "latency", RECEIPT, ("fastapi-saved", "FastAPI that saves to SQLite")
    ),
    SummaryLine("Connections that sign in and join", "connections", RATE, FASTAPI),
    SummaryLine("An idle connection", "memory", MEMORY, FASTAPI),
    SummaryLine("Posts saved", "posts", RATE, ("transactions", "a transaction for each")),
)


def _ours(table: Table) -> str:
    """Our row to compare: peers' connections are members at once, ours after a join."""
    return "hubbub-join" if table.row("hubbub-join") else "hubbub"


def _ahead(table: Table, measure: Measure, name: str) -> list[tuple[float, Row]]:
    """The peers that are better than our row `name`, with how many times, the best first."""
    ours = table.median(name, measure.quantity)
    leads = ((measure.lead(ours, row.median(measure.quantity)), row) for row in _peers(table))
    return sorted((lead for lead in leads if lead[0] > 1), key=lambda lead: -lead[0])


def _peers(table: Table) -> Iterator[Row]:
    return (row for row in table.rows if row.name not in OURS + BOUNDS)


def _named(ahead: Sequence[tuple[float, Row]]) -> str:
    return ", ".join(f"{row.label} ({short(lead)} ×)" for lead, row in ahead) or NO_PEER
