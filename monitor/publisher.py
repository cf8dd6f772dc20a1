"""The publisher: reports its host's reading and, while it holds the lease, publishes one sample per interval."""

import asyncio
import logging
import math

from redis.exceptions import RedisError

from monitor import conf
from monitor.clock import Clock, SampleTimes, steady
from monitor.lease import Hold
from monitor.protocol import decode_sample, encode, version_of
from monitor.readings import HostReader
from monitor.schedule import number_at, repeat
from monitor.snapshot import make_sample
from monitor.store import Store
from monitor.topics import MetricsTopic

logger = logging.getLogger(__name__)

# Renewals or attempts per lease length: a takeover is late by one such beat at most.
BEATS_PER_LEASE = 10
RELEASE_SECONDS = 0.5


class Publisher:
    """One publisher of several; the holder of the lease leads. Call `beat` every `beat_seconds`.

    `clock` must never go backwards.
    """

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
        # The numbers of the last reported and the last sampled interval.
        self._reported = self._sampled = -1

    async def run(self) -> None:
        """Run until cancelled; then call `end`."""
        await repeat(self.beat, period=self.beat_seconds, name="publisher")

    async def end(self) -> None:
        """Release the lease for the next publisher."""
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._lease.release()
        except (RedisError, OSError):
            pass  # Redis is unavailable: the lease expires by itself.

    async def beat(self) -> None:
        """Report once per interval, take or renew the lease, and publish the interval's sample if it is missing."""
        if not self._host.is_ready():
            return
        now = self._clock()
        number = number_at(now, self._interval)
        if number != self._reported:
            await self._store.report(self._host.read())
            self._reported = number
        hold = await self._lease.hold()
        if hold is Hold.REFUSED:
            self._give_up_lead()
            return
        if not self._leads or hold is Hold.TAKEN:
            await self._take_lead(now)
        if number > self._sampled:
            await self._sample()
            self._sampled = number

    async def _take_lead(self, now: float) -> None:
        if newest := await self._store.newest_sample():
            (epoch, _), text, age = newest
            self._epoch = max(self._epoch, epoch)
            self._times.follow(decode_sample(text).at.timestamp())
            # The former leader may have sent the sample of this interval. Its clock may differ: the sample belongs
            # to the interval of ours that began closest to it.
            self._sampled = number_at(now - age + self._interval / 2, self._interval)
        self._epoch = await self._store.take_epoch(above=self._epoch)
        self._seq = 0
        self._leads = True
        logger.info("publisher: leading, epoch %d", self._epoch)

    def _give_up_lead(self) -> None:
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
        # Stored before it is sent: a refusal means that another publisher leads, and a new tab misses nothing.
        if await self._store.keep_sample(
            self._epoch, self._seq, text, made_at=now, interval_ms=interval_ms, kept=self._kept_samples
        ):
            MetricsTopic().publish(version_of(self._epoch, self._seq), sample)
        else:
            self._give_up_lead()
