"""Gathers the posts of this process into batches: one transaction for what has come while the last one ran.

A lone post waits for nobody. Each has its own answer, and its own time limit.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from chat.protocol import Posted
from chat.services import Post, post_messages
from realtime import conf, threads
from realtime.protocol import ErrorCode, Refused

BATCH_POSTS = 100  # Longer batches save little more, and the first of a batch waits for the last.
POST_SECONDS = 4.0  # From receipt to answer; then the client is told to try again.


@dataclass(slots=True, eq=False)
class Waiting:
    post: Post
    result: "asyncio.Future[Posted | Refused]"
    deadline: float


class Writer:
    """The batches of one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def post(self, post: Post) -> Posted:
        """Save the post with others. Raises Refused; `unavailable` when nothing is known to have happened in time."""
        if len(self._waiting) >= conf.settings().queued_jobs:
            raise Refused(ErrorCode.UNAVAILABLE, "too much in work", retry_after_ms=1000)
        result: asyncio.Future[Posted | Refused] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(post, result, time.monotonic() + POST_SECONDS))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        try:
            async with asyncio.timeout(POST_SECONDS):
                saved = await result
        except TimeoutError:
            raise _too_late() from None
        if isinstance(saved, Refused):
            raise saved
        return saved

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_POSTS))]
                # Whoever has been answered already would learn nothing of what is begun now.
                now = time.monotonic()
                await self._write_batch([one for one in batch if one.deadline > now and not one.result.done()])
        finally:
            self._writing = None

    async def _write_batch(self, batch: list[Waiting]) -> None:
        if not batch:
            return
        try:
            results = await threads.write(_save_in_time, batch)
        except Exception as error:  # noqa: BLE001 - each post's own socket answers for it and logs it
            for one in batch:
                if not one.result.done():
                    one.result.set_exception(error)
            return
        for one, result in zip(batch, results, strict=True):
            if not one.result.done():
                one.result.set_result(result)


def _save_in_time(batch: list[Waiting]) -> list[Posted | Refused]:
    """In the writer's thread. What waited for it too long has been answered `unavailable`, and must not be begun."""
    now = time.monotonic()
    results = iter(post_messages([one.post for one in batch if one.deadline > now]))
    return [next(results) if one.deadline > now else _too_late() for one in batch]


def _too_late() -> Refused:
    return Refused(ErrorCode.UNAVAILABLE, "the message was not saved in time; try again", retry_after_ms=1000)


_writers: WeakKeyDictionary[asyncio.AbstractEventLoop, Writer] = WeakKeyDictionary()


def writer() -> Writer:
    """The running event loop's writer."""
    loop = asyncio.get_running_loop()
    if (one := _writers.get(loop)) is None:
        one = _writers[loop] = Writer()
    return one
