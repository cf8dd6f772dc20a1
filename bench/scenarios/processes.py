"""The cost of a message to members on several processes: there, on the poster's process, and in Redis."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import redis

from bench import machine
from bench.environment import Ground
from bench.handshakes import connect
from bench.load_client import Broken, Members
from bench.scenarios.fanout import SETTLE_SECONDS, Say, installed
from bench.servers import Hubbub
from bench.stats import Row, Table
from hubbub.publish.group_names import TOPIC_PREFIX, layer_group
from hubbub.supervisor import private_redis

# (processes, sockets on each).
SHAPES = ((1, 1), (1, 200), (2, 1), (2, 200), (3, 1), (3, 200))
BURST = 300
SINGLES = 20


@dataclass
class Shape:
    """Some server processes with a room's members on all of them, and a poster at the first."""

    row: Row
    sides: list[Hubbub]
    members: Members
    first: int = 0


def processes(ground: Ground, rounds: int, say: Say, only: Sequence[str] = ()) -> Table:
    """CPU time per message of the poster's process, each other one, and Redis; commands and bytes of Redis."""
    table = Table("processes", "A room on several processes", "other_us")
    if not installed([Hubbub], say, only):
        return table
    for number, (count, sockets) in enumerate(SHAPES):
        room = f"bench-{35 + number}"
        with contextlib.ExitStack() as stack:
            socket = ground.redis_socket(f"processes-{number}")
            stack.enter_context(private_redis.running(socket))
            client = redis.from_url(f"unix://{socket}")
            stack.callback(client.close)
            cores = [machine.SERVER_CORES[index % len(machine.SERVER_CORES)] for index in range(count)]
            sides = [Hubbub(ground, room, core, socket) for core in cores]
            for side in sides:
                stack.callback(side.stop)
                side.start()
            joined = [client for side in sides for client in connect(("127.0.0.1", side.port), sockets, side.join)]
            row = Row(f"{count}x{sockets}", f"{count} × {sockets} sockets")
            table.rows.append(row)
            shape = Shape(row, sides, Members(joined))
            stack.callback(shape.members.close)
            shape.members.drain(Hubbub.settle_seconds)
            for _ in range(rounds + 1):
                _measure(shape, client)
            for samples in row.samples.values():
                del samples[0]  # It warmed up.
        say(f"  {table.title}: {row.label}, {row.median('publishes'):.2f} publishes a message")
    return table


def _measure(shape: Shape, client: "redis.Redis") -> None:
    poster = shape.sides[0].poster()
    members, sides = shape.members, shape.sides
    time.sleep(SETTLE_SECONDS)
    redis_pid = client.info("server")["process_id"]
    pids = [side.pid for side in sides]
    before = [machine.cpu_seconds(pid) for pid in (*pids, redis_pid)]
    burst = members.burst(poster, range(shape.first, shape.first + BURST))
    after = [machine.cpu_seconds(pid) for pid in (*pids, redis_pid)]
    if burst.problem:
        raise Broken(burst.problem)
    sides[0].check(burst.payloads, range(shape.first, shape.first + BURST))
    shape.first += BURST
    used_us = [(late - early) / BURST * 1e6 for early, late in zip(before, after, strict=True)]
    shape.row.add(poster_us=used_us[0], redis_us=used_us[-1], rate=BURST * len(members) / burst.seconds)
    if len(sides) > 1:
        shape.row.add(other_us=sum(used_us[1:-1]) / (len(sides) - 1))
    published = _publishes(client)
    for number in range(shape.first, shape.first + SINGLES):
        members.single(poster, number)
    shape.first += SINGLES
    shape.row.add(
        publishes=(_publishes(client) - published) / SINGLES,
        subscribers=_subscribers(client, sides[0].room),
    )
    poster.close()


def _publishes(client: "redis.Redis") -> int:
    calls: int = client.info("commandstats").get("cmdstat_publish", {}).get("calls", 0)
    return calls


def _subscribers(client: "redis.Redis", room: str) -> int:
    channels = client.pubsub_channels("*" + layer_group(f"{TOPIC_PREFIX}room/{room}"))
    return sum(count for _, count in client.pubsub_numsub(*channels))
