"""The publisher: reports its host's reading, and while it leads makes and sends the sample of each interval."""

import asyncio
import logging
import math

from redis.exceptions import RedisError

from hubbub.publish import publish
from monitor import conf
from monitor.clock import Clock, SampleTimes, steady
from monitor.lease import Hold
from monitor.protocol import GROUP, decode_sample, encode, version_of
from monitor.readings import HostReader
from monitor.schedule import number_at, repeat
from monitor.snapshot import make_sample
from monitor.store import Store

logger = logging.getLogger(__name__)

# The lease is renewed, or tried for, this many times in its length: who takes over is late by one such beat at most.
BEATS_PER_LEASE = 10
RELEASE_SECONDS = 0.5


class Publisher:
    """Call `beat` on the schedule of `beat_seconds`. Several may run: one leads. `clock` never goes backwards."""

    def __init__(self, store: Store, host: HostReader, *, interval: float, clock: Clock = steady) -> None:
        tunables = conf.settings()
        self._store = store
        self._host = host
        self._interval = interval
        self._clock = clock
        self._times = SampleTimes(clock)
        self._stale_seconds = max(tunables.stale_seconds, 2.5 * interval)
        self._kept_samples = tunables.history_samples
        self._lease = store.lease("leader", tunables.lease_seconds)
        self.beat_seconds = interval / math.ceil(interval / (tunables.lease_seconds / BEATS_PER_LEASE))
        self._leads = False
        self._epoch = 0
        self._seq = 0
        # Numbers of the intervals last reported and last sampled.
        self._reported = self._sampled = -1

    async def run(self) -> None:
        """For ever; whoever cancels it calls `end`."""
        await repeat(self.beat, period=self.beat_seconds, name="publisher")

    async def end(self) -> None:
        """Let the next publisher lead at once."""
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._lease.release()
        except (RedisError, OSError):
            pass  # Redis is away: the lease ends by itself.

    async def beat(self) -> None:
        """Report once an interval; hold or try for the lease; send the interval's sample if it has none."""
        if not self._host.is_ready():
            return
        now = self._clock()
        number = number_at(now, self._interval)
        if number != self._reported:
            await self._store.report(self._host.read())
            self._reported = number
        hold = await self._lease.hold()
        if hold is Hold.REFUSED:
            self._stand_down()
            return
        if not self._leads or hold is Hold.TAKEN:
            await self._begin_to_lead(now)
        if number > self._sampled:
            await self._sample()
            self._sampled = number

    async def _begin_to_lead(self, now: float) -> None:
        if newest := await self._store.newest_sample():
            (epoch, _), text, age = newest
            self._epoch = max(self._epoch, epoch)
            self._times.follow(decode_sample(text).at.timestamp())
            # The one who led before may have sent this interval's sample. Its clock need not be ours: the sample
            # belongs to the interval of ours that began closest to it.
            self._sampled = number_at(now - age + self._interval / 2, self._interval)
        self._epoch = await self._store.take_epoch(above=self._epoch)
        self._seq = 0
        self._leads = True
        logger.info("publisher: leading, epoch %d", self._epoch)

    def _stand_down(self) -> None:
        if self._leads:
            logger.warning("publisher: another publisher took the lease")
        self._leads = False

    async def _sample(self) -> None:
        self._seq += 1
        now = await self._store.time()
        at = self._times.next(max(now, number_at(now, self._interval) * self._interval))
        readings = await self._store.readings()
        sample = make_sample(readings, epoch=self._epoch, seq=self._seq, at=at, stale_seconds=self._stale_seconds)
        text = encode(sample)
        interval_ms = round(self._interval * 1000)
        # Kept before it is sent: a refusal means that another leads, and a tab that opens now misses nothing.
        if await self._store.keep_sample(
            self._epoch, self._seq, text, made_at=now, interval_ms=interval_ms, kept=self._kept_samples
        ):
            publish(GROUP, text.decode(), version=version_of(self._epoch, self._seq), now=True)
        else:
            self._stand_down()
