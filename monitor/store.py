"""Everything of the monitor that is in Redis: readings with a time to live, the epoch, recent samples.

All of it may be lost at any time. Only simple commands: the development Redis allows no scripts and no lists.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError, WatchError

from monitor.lease import Lease
from monitor.protocol import Host, Process, Reading, decode_reading, encode
from realtime import site
from realtime.site_lease import on_connect

# In names of keys, after the site's own prefix.
PREFIX = "monitor"

# How long a reading is kept: longer than it is shown. What is left of it tells the age by Redis' clock alone.
READING_MS = 300_000
# The caller repeats in seconds anyway, so it must not hang longer.
TIMEOUT_SECONDS = 2.0

StreamId = tuple[int, int]


class Store:
    def __init__(self, redis: Redis) -> None:
        # Any: redis-py's types are those of its synchronous and its asynchronous client at once.
        self._redis: Any = redis

    def lease(self, name: str, seconds: float) -> Lease:
        return Lease(self._redis, _key(name), seconds)

    async def report(self, reading: Reading) -> None:
        """Make this the host's or the process's newest reading."""
        name = _name_of(reading)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.sadd(_key("reporters"), name)
            pipe.set(_key(name), encode(reading), px=READING_MS)
            await pipe.execute()

    async def readings(self) -> list[tuple[Reading, float]]:
        """All readings with their age in seconds."""
        names = sorted(one.decode() for one in await self._redis.smembers(_key("reporters")))
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.get(_key(name)).pttl(_key(name))
            answers = await pipe.execute() if names else []
        found = []
        for name, text, left_ms in zip(names, answers[::2], answers[1::2], strict=True):
            if text is None:
                await self._redis.srem(_key("reporters"), name)
            elif (reading := decode_reading(name.partition(":")[0], text)) is not None:
                found.append((reading, (READING_MS - left_ms) / 1000))
        return found

    async def take_epoch(self, above: int) -> int:
        """An epoch greater than `above` and than all before. It is the time or more: Redis may have forgotten them."""
        async with self._redis.pipeline() as pipe:
            while True:
                try:
                    await pipe.watch(_key("epoch"))
                    last = int(await pipe.get(_key("epoch")) or 0)
                    epoch = max(int(time.time()), last + 1, above + 1)
                    pipe.multi()
                    pipe.set(_key("epoch"), epoch)
                    await pipe.execute()
                    return epoch
                except WatchError:
                    continue

    async def keep_sample(self, epoch: int, seq: int, text: bytes, *, interval_ms: int, kept: int) -> bool:
        """Append the sample. False: a newer one is there already, so another publisher leads."""
        fields = {"text": text, "interval_ms": interval_ms}
        try:
            # The sample's own (epoch, seq) as the entry's id: Redis then refuses whatever does not rise.
            await self._redis.xadd(_key("samples"), fields, id=f"{epoch}-{seq}", maxlen=kept, approximate=False)
        except ResponseError:
            return False
        return True

    async def newest_sample(self) -> tuple[StreamId, bytes] | None:
        entries = await self._redis.xrevrange(_key("samples"), count=1)
        return (_stream_id(entries[0][0]), entries[0][1][b"text"]) if entries else None

    async def samples_after(self, after: StreamId | None, count: int) -> list[tuple[StreamId, bytes, int]]:
        """At most the `count` newest samples above `after` as (id, text, interval in ms), oldest first."""
        low = "-" if after is None else f"({after[0]}-{after[1]}"
        entries: Sequence[tuple[bytes, dict[bytes, bytes]]] = await self._redis.xrevrange(
            _key("samples"), min=low, count=count
        )
        return [(_stream_id(at), one[b"text"], int(one[b"interval_ms"])) for at, one in reversed(entries)]


def connect() -> Redis:
    """A client of its own, with time limits. One retry, at once: a pooled connection dies with each Redis restart."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
        redis_connect_func=on_connect,
    )


_stores: WeakKeyDictionary[asyncio.AbstractEventLoop, Store] = WeakKeyDictionary()


def store() -> Store:
    """The running event loop's store; a server process has one loop."""
    loop = asyncio.get_running_loop()
    if (one := _stores.get(loop)) is None:
        one = _stores[loop] = Store(connect())
    return one


def _key(name: str) -> str:
    return site.key(f"{PREFIX}:{name}")


def _name_of(reading: Reading) -> str:
    match reading:
        case Host(name=name):
            return f"host:{name}"
        case Process(id=name):
            return f"process:{name}"


def _stream_id(text: bytes) -> StreamId:
    epoch, _, seq = text.partition(b"-")
    return int(epoch), int(seq)
