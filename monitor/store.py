"""The monitor's data in Redis: readings with a time to live, the epoch, recent samples.

All of it may be lost at any time. Only simple commands: the private Redis allows no scripts and no lists.
"""

import logging
import math
from typing import Any

from redis.exceptions import ResponseError, WatchError

from hubbub import conf as hubbub_conf
from hubbub import site
from hubbub.process import redis_client
from hubbub.process.per_loop import PerLoop
from hubbub.process.redis_keys import delete_on_wrong_kind, is_wrong_kind
from hubbub.site.lease import on_connect
from monitor.lease import Lease
from monitor.protocol import Host, Process, Reading, decode_reading, encode, is_sample

logger = logging.getLogger(__name__)

# In key names, after the site's prefix.
PREFIX = "monitor"

# Time to live of a reading, longer than it is shown. The rest of it gives the age by Redis' clock. A longer rest means
# that the clock was set back: the rest is then shortened to this.
READING_MS = 300_000
# Above any real site; further reporters are not shown.
MAX_REPORTERS = 2_000
# Seconds since 1970. The version made of it then fits 63 bits until 2038.
MAX_EPOCH = 2**31 - 1
# The caller repeats within seconds, so a longer wait is of no use.
TIMEOUT_SECONDS = 2.0

StreamId = tuple[int, int]


class Store:
    def __init__(self, redis: Any) -> None:
        self._redis = redis

    def lease(self, name: str, seconds: float) -> Lease:
        return Lease(self._redis, _key(name), seconds)

    async def report(self, reading: Reading) -> None:
        """Store the newest reading of a host or a process."""
        name = _name_of(reading)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.sadd(_key("reporters"), name)
            pipe.set(_key(name), encode(reading), px=READING_MS)
            async with delete_on_wrong_kind(self._redis, _key("reporters")):
                await pipe.execute()

    async def readings(self) -> list[tuple[Reading, float]]:
        """All readings with their age in seconds. Invalid entries are skipped and removed from the set."""
        async with delete_on_wrong_kind(self._redis, _key("reporters")):
            members = sorted(await self._redis.smembers(_key("reporters")))[:MAX_REPORTERS]
        names = [member.decode(errors="replace") for member in members]
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.get(_key(name)).pttl(_key(name))
            answers = await pipe.execute(raise_on_error=False) if names else []
        readings = []
        for member, name, text, left_ms in zip(members, names, answers[::2], answers[1::2], strict=True):
            if not isinstance(text, bytes) or not isinstance(left_ms, int) or left_ms < 0:
                await self._redis.srem(_key("reporters"), member)
                continue
            if left_ms > READING_MS:
                await self._redis.pexpire(_key(name), READING_MS)
                left_ms = READING_MS
            if (reading := decode_reading(name.partition(":")[0], text)) is not None:
                readings.append((reading, (READING_MS - left_ms) / 1000))
        return readings

    async def take_epoch(self, above: int) -> int:
        """An epoch greater than `above` and all earlier epochs, at least Redis' time in seconds.

        Time, since Redis may have lost the last epoch; of Redis, since the clocks of publishers may differ.
        """
        now = await self.time()
        async with self._redis.pipeline() as pipe:
            while True:
                try:
                    await pipe.watch(_key("epoch"))
                    async with delete_on_wrong_kind(self._redis, _key("epoch")):
                        last = _whole_number(await pipe.get(_key("epoch")))
                    epoch = max(int(now), last + 1, above + 1)
                    pipe.multi()
                    pipe.set(_key("epoch"), epoch)
                    await pipe.execute()
                    return epoch
                except WatchError:
                    continue

    async def time(self) -> float:
        """Redis' clock, shared by all publishers, as a UNIX time. It may be set forward or back."""
        return _seconds(await self._redis.time())

    async def keep_sample(
        self, epoch: int, seq: int, text: bytes, *, made_at: float, interval_ms: int, kept: int
    ) -> bool:
        """Append the sample, made at `made_at` on Redis' clock.

        Returns:
            False if a newer sample exists: another publisher leads.
        """
        fields = {"text": text, "interval_ms": interval_ms, "made_at": repr(made_at)}
        try:
            # The entry's id is the sample's (epoch, seq): Redis refuses an id that does not rise.
            async with delete_on_wrong_kind(self._redis, _key("samples")):
                await self._redis.xadd(_key("samples"), fields, id=f"{epoch}-{seq}", maxlen=kept, approximate=False)
        except ResponseError as error:
            if is_wrong_kind(error):
                raise
            return False
        return True

    async def newest_sample(self) -> tuple[StreamId, bytes, float] | None:
        """The newest sample as (id, text, age in seconds)."""
        async with delete_on_wrong_kind(self._redis, _key("samples")):
            entries = await self._redis.xrevrange(_key("samples"), count=1)
        if not entries:
            return None
        at, entry = entries[0]
        if not _is_valid(at, entry):
            # Its id may be too large for any publisher to exceed.
            logger.warning("monitor store: newest sample in Redis is not valid, recent samples deleted")
            await self._redis.delete(_key("samples"))
            return None
        return _stream_id(at), entry[b"text"], max(0.0, await self.time() - _made_at(entry))

    async def samples_after(
        self, after: StreamId | None, count: int
    ) -> tuple[list[tuple[StreamId, bytes, int]], float]:
        """The newest samples above the id `after`, at most `count`, oldest first.

        Returns:
            The samples as (id, text, interval in ms), and the age of the newest in seconds by Redis' clock; 0 if that
            clock was set back meanwhile.
        """
        low = "-" if after is None else f"({after[0]}-{after[1]}"
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xrevrange(_key("samples"), min=low, count=count)
            pipe.time()
            async with delete_on_wrong_kind(self._redis, _key("samples")):
                entries, now = await pipe.execute()
        entries = [(at, entry) for at, entry in entries if _is_valid(at, entry)]
        samples = [
            (_stream_id(at), entry[b"text"], _whole_number(entry[b"interval_ms"])) for at, entry in reversed(entries)
        ]
        return samples, max(0.0, _seconds(now) - _made_at(entries[0][1])) if entries else 0.0


def connect() -> Any:
    """A Redis client with time limits. It retries once: pooled connections break at each restart of Redis."""
    return redis_client.connect(
        hubbub_conf.settings().redis_url, seconds=TIMEOUT_SECONDS, retries=1, on_connect=on_connect
    )


# The store of the running event loop.
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
        at = float(entry.get(b"made_at", "inf"))  # Missing in entries of another release.
    except ValueError:
        return math.inf
    return at if math.isfinite(at) else math.inf


def _seconds(time: tuple[int, int]) -> float:
    """Convert the answer of TIME, (seconds, microseconds)."""
    return time[0] + time[1] / 1_000_000


def _whole_number(text: bytes | None) -> int:
    """The number; 0 for other text and for numbers above MAX_EPOCH."""
    number = int(text) if text is not None and text.isdigit() and len(text) <= len(str(MAX_EPOCH)) else 0
    return number if number <= MAX_EPOCH else 0


def _is_valid(at: bytes, entry: dict[bytes, bytes]) -> bool:
    return (
        _stream_id(at)[0] <= MAX_EPOCH
        and _whole_number(entry.get(b"interval_ms")) > 0
        and is_sample(entry.get(b"text", b""))
    )


def _stream_id(text: bytes) -> StreamId:
    epoch, _, seq = text.partition(b"-")
    return int(epoch), int(seq)
