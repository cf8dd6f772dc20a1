"""Everything of the monitor that is in Redis: readings with a time to live, the epoch, recent samples.

All of it may be lost at any time. Only simple commands: the development Redis allows no scripts and no lists.
"""

import logging
import math
from typing import Any

from django.conf import settings
from redis.exceptions import ResponseError, WatchError

from hubbub import site
from hubbub.process import redis_client
from hubbub.process.per_loop import PerLoop
from hubbub.process.redis_keys import cleared_of, is_wrong_kind
from hubbub.site.lease import on_connect
from monitor.lease import Lease
from monitor.protocol import Host, Process, Reading, decode_reading, encode, is_sample

logger = logging.getLogger(__name__)

# In names of keys, after the site's own prefix.
PREFIX = "monitor"

# How long a reading is kept: longer than it is shown. What is left of it tells the age by Redis' clock alone. More than
# this is left only after that clock was set back: the reading is then as old as it can be told, and ends in time.
READING_MS = 300_000
# More reporters than any site has; what is past that is not shown.
MAX_REPORTERS = 2_000
# In seconds since 1970. A version, made of it, then fits 63 bits until 2038.
MAX_EPOCH = 2**31 - 1
# The caller repeats in seconds anyway, so it must not hang longer.
TIMEOUT_SECONDS = 2.0

StreamId = tuple[int, int]


class Store:
    def __init__(self, redis: Any) -> None:
        self._redis = redis

    def lease(self, name: str, seconds: float) -> Lease:
        return Lease(self._redis, _key(name), seconds)

    async def report(self, reading: Reading) -> None:
        """Make this the host's or the process's newest reading."""
        name = _name_of(reading)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.sadd(_key("reporters"), name)
            pipe.set(_key(name), encode(reading), px=READING_MS)
            async with cleared_of(self._redis, _key("reporters")):
                await pipe.execute()

    async def readings(self) -> list[tuple[Reading, float]]:
        """All readings with their age in seconds. What is no reading of ours is passed over, and leaves the set."""
        async with cleared_of(self._redis, _key("reporters")):
            members = sorted(await self._redis.smembers(_key("reporters")))[:MAX_REPORTERS]
        names = [one.decode(errors="replace") for one in members]
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.get(_key(name)).pttl(_key(name))
            answers = await pipe.execute(raise_on_error=False) if names else []
        found = []
        for member, name, text, left_ms in zip(members, names, answers[::2], answers[1::2], strict=True):
            if not isinstance(text, bytes) or not isinstance(left_ms, int) or left_ms < 0:
                await self._redis.srem(_key("reporters"), member)
                continue
            if left_ms > READING_MS:
                await self._redis.pexpire(_key(name), READING_MS)
                left_ms = READING_MS
            if (reading := decode_reading(name.partition(":")[0], text)) is not None:
                found.append((reading, (READING_MS - left_ms) / 1000))
        return found

    async def take_epoch(self, above: int) -> int:
        """An epoch greater than `above` and than all before. It is the time or more: Redis may have forgotten them.

        The time is Redis' own: the clocks of two publishers may differ.
        """
        now = await self.time()
        async with self._redis.pipeline() as pipe:
            while True:
                try:
                    await pipe.watch(_key("epoch"))
                    async with cleared_of(self._redis, _key("epoch")):
                        last = _whole_number(await pipe.get(_key("epoch")))
                    epoch = max(int(now), last + 1, above + 1)
                    pipe.multi()
                    pipe.set(_key("epoch"), epoch)
                    await pipe.execute()
                    return epoch
                except WatchError:
                    continue

    async def time(self) -> float:
        """Redis' clock, which all publishers share, as a UNIX time. It may be set at any time, back too."""
        return _seconds(await self._redis.time())

    async def keep_sample(
        self, epoch: int, seq: int, text: bytes, *, made_at: float, interval_ms: int, kept: int
    ) -> bool:
        """Append the sample, made at `made_at` of Redis' clock. False: a newer one is there, so another leads."""
        fields = {"text": text, "interval_ms": interval_ms, "made_at": repr(made_at)}
        try:
            # The sample's own (epoch, seq) as the entry's id: Redis then refuses whatever does not rise.
            async with cleared_of(self._redis, _key("samples")):
                await self._redis.xadd(_key("samples"), fields, id=f"{epoch}-{seq}", maxlen=kept, approximate=False)
        except ResponseError as error:
            if is_wrong_kind(error):
                raise
            return False
        return True

    async def newest_sample(self) -> tuple[StreamId, bytes, float] | None:
        """The newest sample as (id, text, age in seconds)."""
        async with cleared_of(self._redis, _key("samples")):
            entries = await self._redis.xrevrange(_key("samples"), count=1)
        if not entries:
            return None
        at, one = entries[0]
        if not _is_ours(at, one):
            # No publisher would be above it, ever.
            logger.warning("monitor store: newest sample in Redis is not valid, recent samples deleted")
            await self._redis.delete(_key("samples"))
            return None
        return _stream_id(at), one[b"text"], max(0.0, await self.time() - _made_at(one))

    async def samples_after(
        self, after: StreamId | None, count: int
    ) -> tuple[list[tuple[StreamId, bytes, int]], float]:
        """At most the `count` newest samples above `after` as (id, text, interval in ms), oldest first; the last's age.

        The age, in seconds, is by Redis' clock alone; nothing when that was set back meanwhile.
        """
        low = "-" if after is None else f"({after[0]}-{after[1]}"
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xrevrange(_key("samples"), min=low, count=count)
            pipe.time()
            async with cleared_of(self._redis, _key("samples")):
                entries, now = await pipe.execute()
        entries = [(at, one) for at, one in entries if _is_ours(at, one)]
        found = [(_stream_id(at), one[b"text"], _whole_number(one[b"interval_ms"])) for at, one in reversed(entries)]
        return found, max(0.0, _seconds(now) - _made_at(entries[0][1])) if entries else 0.0


def connect() -> Any:
    """A client of its own, with time limits. One retry, at once: a pooled connection dies with each Redis restart."""
    return redis_client.connect(settings.REDIS_URL, seconds=TIMEOUT_SECONDS, retries=1, on_connect=on_connect)


# The running event loop's store.
store = PerLoop(lambda: Store(connect()))


def _key(name: str) -> str:
    return site.key(f"{PREFIX}:{name}")


def _name_of(reading: Reading) -> str:
    match reading:
        case Host():
            return f"host:{reading.id}"
        case Process():
            return f"process:{reading.id}"


def _made_at(entry: dict[bytes, bytes]) -> float:
    try:
        at = float(entry.get(b"made_at", "inf"))  # Not there: another release's.
    except ValueError:
        return math.inf
    return at if math.isfinite(at) else math.inf


def _seconds(time: tuple[int, int]) -> float:
    """Of the answer to TIME: seconds and microseconds."""
    return time[0] + time[1] / 1_000_000


def _whole_number(text: bytes | None) -> int:
    """0 for what is none, or more than any that we write."""
    number = int(text) if text is not None and text.isdigit() and len(text) <= len(str(MAX_EPOCH)) else 0
    return number if number <= MAX_EPOCH else 0


def _is_ours(at: bytes, entry: dict[bytes, bytes]) -> bool:
    return (
        _stream_id(at)[0] <= MAX_EPOCH
        and _whole_number(entry.get(b"interval_ms")) > 0
        and is_sample(entry.get(b"text", b""))
    )


def _stream_id(text: bytes) -> StreamId:
    epoch, _, seq = text.partition(b"-")
    return int(epoch), int(seq)
