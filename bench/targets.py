"""The goals, as ratios within one run: each row reads its figure from the tables. Pure."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.stats import Table, short

Tables = Mapping[str, Table]


@dataclass(frozen=True, slots=True)
class Target:
    """`measure` gives NaN when a part of it was not measured. `more`: whether more is better."""

    label: str
    against: str
    measure: Callable[[Tables], float]
    least: float
    goal: float
    unit: str = "×"
    more: bool = True

    def is_met(self, value: float) -> bool:
        return value >= self.least if self.more else value <= self.least

    def reaches_goal(self, value: float) -> bool:
        return value >= self.goal if self.more else value <= self.goal

    def verdict(self, value: float) -> str:
        if math.isnan(value):
            return "not measured"
        return "goal" if self.reaches_goal(value) else "met" if self.is_met(value) else "MISSED"

    def bound(self, value: float) -> str:
        text = f"{value:g} {self.unit}"
        return text if self.more else f"{text} or less"

    def line(self, tables: Tables) -> tuple[str, str, str, str, str, str]:
        value = self.measure(tables)
        shown = "–" if math.isnan(value) else f"{short(value)} {self.unit}"
        return self.label, self.against, shown, self.bound(self.least), self.bound(self.goal), self.verdict(value)


def _ratio(table: str, ours: str, theirs: str, quantity: str) -> Callable[[Tables], float]:
    def measure(tables: Tables) -> float:
        if (measured := tables.get(table)) is None:
            return math.nan
        return measured.median(ours, quantity) / measured.median(theirs, quantity)

    return measure


def _value(table: str, row: str, quantity: str) -> Callable[[Tables], float]:
    return lambda tables: tables[table].median(row, quantity) if table in tables else math.nan


def _cost_of_many(tables: Tables) -> float:
    if "fanout-5000" not in tables or "fanout-200" not in tables:
        return math.nan
    return tables["fanout-5000"].median("hubbub", "cpu_us") / tables["fanout-200"].median("hubbub", "cpu_us")


def _worst_redis_traffic(tables: Tables) -> float:
    """Publishes and deliveries of a message, relative to the minimum: one, and one per process with members."""
    if "processes" not in tables or not tables["processes"].rows:
        return math.nan
    shapes = [(row, int(row.name.partition("x")[0])) for row in tables["processes"].rows]
    return max(max(row.median("publishes"), row.median("subscribers") / count) for row, count in shapes)


TARGETS = (
    Target(
        "fan-out, 2,000 sockets, one process",
        "Channels tutorial on daphne, pub/sub layer",
        _ratio("fanout-2000", "hubbub", "channels-pubsub", "rate"),
        40,
        60,
    ),
    Target(
        "fan-out, 2,000 sockets, one process",
        "FastAPI + Redis pub/sub on uvicorn",
        _ratio("fanout-2000", "hubbub", "fastapi", "rate"),
        2.5,
        4,
    ),
    Target(
        "fan-out, 1,000 sockets",
        "Socket.IO + Redis adapter",
        _ratio("fanout-1000", "hubbub", "socketio", "rate"),
        1.5,
        2,
    ),
    Target(
        "fan-out, 2,000 sockets",
        "a bare `socket.send` loop in Python",
        _ratio("fanout-2000", "hubbub", "bare", "rate"),
        0.6,
        0.8,
    ),
    Target(
        "`publish()` to receipt, 200 sockets, p50",
        "the same through FastAPI + Redis pub/sub",
        _ratio("latency", "hubbub-publish", "fastapi-publish", "p50_ms"),
        0.8,
        0.6,
        more=False,
    ),
    Target(
        "post to receipt (committed), 200 sockets, p50",
        "FastAPI + Redis that saves to the same SQLite",
        _ratio("latency", "hubbub", "fastapi-saved", "p50_ms"),
        1.0,
        0.7,
        more=False,
    ),
    Target(
        "session-authenticated connections per second",
        "Channels' AuthMiddlewareStack on stock daphne",
        _ratio("connections", "hubbub", "channels-pubsub", "rate"),
        2,
        3,
    ),
    Target(
        "memory of an idle, authenticated, joined connection",
        "Channels tutorial on stock daphne",
        _ratio("memory", "hubbub", "channels-pubsub", "kib"),
        0.75,
        0.6,
        more=False,
    ),
    Target(
        "posts committed and acknowledged per second, 100 senders",
        "one ORM transaction per post through `database_sync_to_async`",
        _ratio("posts", "hubbub", "transactions", "rate"),
        5,
        10,
    ),
    Target(
        "event-loop lag p99, 5,000 deliveries/s to 2,000 sockets",
        "",
        _value("lag", "hubbub", "p99_ms"),
        20,
        10,
        unit="ms",
        more=False,
    ),
    Target(
        "Redis traffic for a message",
        "one publish, one delivery per process that has members",
        _worst_redis_traffic,
        1,
        1,
        more=False,
    ),
    Target("CPU time of a delivery at 5,000 sockets", "at 200 sockets", _cost_of_many, 1.2, 1.0, more=False),
)
