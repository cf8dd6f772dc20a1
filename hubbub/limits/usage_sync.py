"""Exchange of usage between processes: once a second, one round trip to Redis.

One hash has a field per process. All of it may be lost at any time: the next round writes it again.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from hubbub import conf, site
from hubbub.limits.quotas import Quotas, quotas
from hubbub.process.log_once import LogOnce
from hubbub.process.pacing import Pace
from hubbub.process.periodic import Periodic
from hubbub.process.redis_client import connect
from hubbub.process.redis_keys import delete_on_wrong_kind
from hubbub.site.lease import on_connect

KEY = "limits"
KEY_SECONDS = 60
INTERVAL_SECONDS = 1.0
TIMEOUT_SECONDS = 2.0
# A process silent for this long has ended. Its users reconnect elsewhere and must not count twice.
SILENT_SECONDS = 2.5
USERS_PER_TURN = 1_000

# A count of one second, or of sockets. Not negative: that would give tokens back.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class Report(msgspec.Struct, array_like=True):
    """The report of one process: its round, usage by user since the last round, and users with many sockets."""

    number: int
    posts: dict[str, Count]
    commands: dict[str, Count]
    sockets: dict[str, Count]


@dataclass(slots=True)
class RemoteProcess:
    """Another process, by its last report."""

    number: int
    reported_at: float
    sockets: dict[str, int] = field(default_factory=dict)


class Exchange:
    """The exchange of one process. `clock`: seconds that never go backwards; never compared between processes."""

    def __init__(self, redis: Any, own: Quotas, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._quotas = own
        self._clock = clock
        # Random: a reused id would own the report of a dead process.
        self._process = secrets.token_hex(8)
        self._number = 0
        self._others: dict[str, RemoteProcess] = {}

    async def run(self) -> None:
        """Exchange once a second until cancelled."""
        log = LogOnce("limits: usage of other processes is not counted")
        await Periodic(self._round_or_forget, seconds=INTERVAL_SECONDS, log=log).run()

    async def _round_or_forget(self) -> None:
        try:
            await self.round()
        except Exception:
            self._others.clear()
            self._quotas.remote_sockets = {}
            raise

    async def round(self) -> None:
        """Exchange reports once. Raises the errors of redis-py, or TimeoutError; this report is lost then."""
        self._number += 1
        own = self._quotas
        report = Report(self._number, own.posts.take_usage(), own.commands.take_usage(), own.many_sockets())
        key = site.key(KEY)
        async with asyncio.timeout(TIMEOUT_SECONDS), self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(key, self._process, msgspec.msgpack.encode(report))
            pipe.hgetall(key)
            pipe.expire(key, KEY_SECONDS)
            if silent := self._silent_processes():
                pipe.hdel(key, *silent)
            async with delete_on_wrong_kind(self._redis, key):
                _, reports, *_ = await pipe.execute()
        for process in silent:
            del self._others[process]
        pace = Pace(USERS_PER_TURN)
        for name, value in reports.items():
            if (process := name.decode(errors="replace")) != self._process and process not in silent:
                await pace.did(self._apply(process, value))
        sockets: dict[str, int] = {}
        for other in self._others.values():
            for user_id, count in other.sockets.items():
                sockets[user_id] = sockets.get(user_id, 0) + count
        own.remote_sockets = sockets

    def _silent_processes(self) -> list[str]:
        now = self._clock()
        return [process for process, other in self._others.items() if now - other.reported_at > SILENT_SECONDS]

    def _apply(self, process: str, value: bytes) -> int:
        """Apply a report. Returns how many entries it has."""
        try:
            report = msgspec.msgpack.decode(value, type=Report)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return 0  # From another release.
        other = self._others.get(process)
        if other is None:
            # The report may be old: it counts once its number changes.
            self._others[process] = RemoteProcess(report.number, self._clock())
        elif report.number != other.number:
            other.number, other.reported_at, other.sockets = report.number, self._clock(), report.sockets
            self._quotas.posts.apply_remote(report.posts)
            self._quotas.commands.apply_remote(report.commands)
        return len(report.posts) + len(report.commands) + len(report.sockets)


async def exchange_limits() -> None:
    """Run the exchange of a server process until cancelled."""
    redis = connect(conf.settings().redis_url, seconds=TIMEOUT_SECONDS, on_connect=on_connect)
    try:
        await Exchange(redis, quotas()).run()
    finally:
        await redis.aclose()
