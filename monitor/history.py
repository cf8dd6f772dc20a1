"""The recent samples for a new tab, cached in the process and topped up from Redis at each request."""

import asyncio
import itertools
import time
from collections import deque
from dataclasses import dataclass

import msgspec
from redis.exceptions import RedisError

from hubbub.topics import max_bytes
from monitor import conf
from monitor.protocol import MetricsHistory, encode, version_of
from monitor.store import Store, StreamId

# An upper bound of the state's size without its samples.
ENVELOPE_BYTES = 200
NO_VERSION = -1  # Below any sample.
PAGE_SECONDS = 0.5  # A page has the age of its newest sample, so other tabs share it only this long.


@dataclass(frozen=True, slots=True)
class Page:
    """The history as JSON, and the version of its newest sample."""

    json: msgspec.Raw
    version: int


class History:
    """The history; while Redis is unavailable, as this process last read it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = asyncio.Lock()
        self._read_began = -1.0
        self._newest: StreamId | None = None
        self._newest_made_at = 0.0  # On the monotonic clock of this process.
        self._interval_ms = round(conf.settings().sample_seconds * 1000)
        self._samples: deque[bytes] = deque(maxlen=conf.settings().history_samples)
        self._page: Page | None = None
        self._page_made_at = 0.0

    async def page(self) -> Page:
        """The history with every sample published before the call."""
        asked = time.monotonic()
        async with self._lock:
            # A read that began after the call serves it too: a thousand tabs cost a few reads.
            if self._read_began < asked:
                self._read_began = time.monotonic()
                await self._top_up()
            if self._page is None or time.monotonic() - self._page_made_at > PAGE_SECONDS:
                self._page = self._encode()
            return self._page

    async def _top_up(self) -> None:
        try:
            found, age = await self._store.samples_after(self._newest, conf.settings().history_samples)
        except (RedisError, OSError):
            return
        if found:
            self._newest_made_at = time.monotonic() - age
        for self._newest, text, self._interval_ms in found:
            self._samples.append(text)
            self._page = None

    def _encode(self) -> Page:
        epoch, seq = self._newest or (0, 0)
        every, samples = thin([*self._samples], max_bytes() - ENVELOPE_BYTES)
        self._page_made_at = time.monotonic()
        frame = MetricsHistory(
            epoch=epoch,
            interval_ms=self._interval_ms,
            every=every,
            age_ms=round(1000 * (self._page_made_at - self._newest_made_at)) if self._newest else None,
            samples=[msgspec.Raw(text) for text in samples],
        )
        return Page(msgspec.Raw(encode(frame)), version_of(epoch, seq) if self._newest else NO_VERSION)


def thin(samples: list[bytes], bound: int) -> tuple[int, list[bytes]]:
    """Thin out the samples to fit into `bound` bytes, commas included.

    Returns:
        `(every, samples)`: the newest sample and each `every`-th before it, oldest first.
    """
    for every in itertools.count(1):
        chosen = samples[::-1][::every]
        if len(chosen) <= 1 or sum(len(text) + 1 for text in chosen) <= bound:
            return every, chosen[::-1]
    raise AssertionError("unreachable")
