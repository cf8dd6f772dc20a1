"""The cost model: constants from the tables, and the capacity of a process, a host, a Redis, and many. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.stats import Table, short

BUSY = 0.6  # Of a core: above it, waiting times grow fast.
POSTS_PER_MINUTE = 1.0  # Of each connected member.
ROOM_MEMBERS = 100  # Online in a room.
RETURN_SECONDS = 60.0  # In which all are back after a restart of everything.


@dataclass(frozen=True, slots=True)
class Constants:
    """CPU time in microseconds; NaN where it was not measured."""

    delivery_us: float
    message_us: float
    post_us: float
    connection_us: float
    connection_kib: float
    redis_message_us: float
    redis_delivery_us: float


def constants(tables: Mapping[str, Table]) -> Constants:
    def of(table: str, row: str, quantity: str) -> float:
        return tables[table].median(row, quantity) if table in tables else math.nan

    single, triple = of("processes", "1x1", "redis_us"), of("processes", "3x1", "redis_us")
    redis_delivery_us = max(0.0, (triple - single) / 2)
    return Constants(
        delivery_us=of("fanout-2000", "hubbub-publish", "alone_us"),  # Without the cost of posts.
        message_us=of("processes", "2x1", "other_us"),
        post_us=of("posts", "hubbub", "cpu_us"),
        connection_us=of("connections", "hubbub", "cpu_us"),
        connection_kib=of("memory", "hubbub", "kib"),
        redis_message_us=single - redis_delivery_us,
        redis_delivery_us=redis_delivery_us,
    )


def constants_lines(known: Constants) -> list[Sequence[str]]:
    return [
        ("a delivery to a socket", f"{short(known.delivery_us)} µs", "server, one message at a time, 2,000 sockets"),
        ("a message, in each process that has members", f"{short(known.message_us)} µs", "server"),
        ("a post: parsed, committed with others, answered, published", f"{short(known.post_us)} µs", "server"),
        ("a connection, by session", f"{short(known.connection_us)} µs", "server"),
        ("an idle connection", f"{short(known.connection_kib)} KiB", "server's memory"),
        ("a message in Redis", f"{short(known.redis_message_us)} µs", "Redis"),
        ("and for each process that has members", f"{short(known.redis_delivery_us)} µs", "Redis"),
    ]


def capacity_lines(known: Constants) -> list[Sequence[str]]:
    """The capacity of each when it does nothing else and a core is kept at BUSY."""
    budget_us = BUSY * 1e6
    each = known.redis_message_us + 10 * known.redis_delivery_us
    return [
        ("deliveries per second", short(budget_us / known.delivery_us), "one process"),
        ("posts per second", short(budget_us / known.post_us), "one process"),
        ("connections per second", short(budget_us / known.connection_us), "one process"),
        ("idle connections in 4 GiB", short(4 * 2**20 / known.connection_kib), "one host"),
        ("messages per second, each to 10 processes", short(budget_us / each), "one Redis"),
    ]


def processes_for(known: Constants, connections: int) -> tuple[int, dict[str, float]]:
    """How many processes the connections take, and the load. Members of a room are spread over all processes."""
    posts = connections * POSTS_PER_MINUTE / 60
    deliveries = posts * ROOM_MEMBERS
    work_us = posts * known.post_us + deliveries * known.delivery_us
    returning_us = connections / RETURN_SECONDS * known.connection_us
    processes = 1
    while True:
        # The more processes, the more of them a message goes to: a room of 100 is on 63 of 100.
        reached = processes * (1 - (1 - 1 / processes) ** ROOM_MEMBERS)
        needed = math.ceil((work_us + posts * reached * known.message_us) / (BUSY * 1e6))
        needed = max(needed, math.ceil(returning_us / 1e6))
        if needed <= processes:
            break
        processes = needed
    redis_share = posts * (known.redis_message_us + reached * known.redis_delivery_us) / 1e6
    return processes, {
        "posts": posts,
        "deliveries": deliveries,
        "memory_gib": connections * known.connection_kib / 2**20,
        "reached": reached,
        "redis_cores": redis_share,
    }


def scenario_lines(known: Constants, sizes: Sequence[int] = (10_000, 100_000, 1_000_000)) -> list[Sequence[str]]:
    lines: list[Sequence[str]] = []
    for size in sizes:
        processes, load = processes_for(known, size)
        lines.append(
            (
                f"{size:,}",
                short(load["posts"]),
                short(load["deliveries"]),
                f"{processes:,}",
                short(load["memory_gib"]),
                short(load["reached"]),
                f"{load['redis_cores']:.2f}",
            )
        )
    return lines
