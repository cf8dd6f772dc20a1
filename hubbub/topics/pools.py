"""The threads of topics, shared out: one class of topics gets at most half of them, however slow it is."""

import asyncio
import functools
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from hubbub import conf, threads

P = ParamSpec("P")
R = TypeVar("R")

# The result of a job, and the function that runs it.
Job = tuple["asyncio.Future[Any]", Callable[[], None]]


@dataclass(slots=True, eq=False)
class Share:
    """The threads that one class uses, and the jobs that wait for one of them."""

    running: int = 0
    waiting: deque[Job] = field(default_factory=deque)


class SharedPool:
    """A pool of which each class has a share.

    A thread takes the next job of the class itself: under load, a turn of the event loop between two jobs would take
    longer than the jobs.

    Args:
        pool: runs the jobs.
    """

    def __init__(self, pool: threads.Pool) -> None:
        self._pool = pool
        self._max = max(1, pool.threads // 2)
        self._lock = threading.Lock()
        self._shares: dict[str, Share] = {}

    def start(self, name: str, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[R]":
        """Run `fn` in a thread, when the class `name` uses less than its share. Returns and raises as `Pool.submit`."""
        with self._lock:
            if (share := self._shares.get(name)) is not None and len(share.waiting) >= conf.settings().max_queued_jobs:
                # Jobs that no longer wait take no place.
                share.waiting = deque(job for job in share.waiting if not job[0].done())
                if len(share.waiting) >= conf.settings().max_queued_jobs:
                    raise threads.refused_unavailable()
        job = self._pool.job(fn, *args, **kwargs)
        with self._lock:
            share = self._shares.setdefault(name, Share())
            must_wait = share.running >= self._max
            if must_wait:
                share.waiting.append(job)
            else:
                share.running += 1
        if not must_wait:
            self._execute(name, share, job)
        return job[0]

    async def run(self, name: str, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """As `start`, and wait for the result. Cancelling this cancels a job that has not begun."""
        return await self.start(name, fn, *args, **kwargs)

    def _execute(self, name: str, share: Share, job: Job) -> None:
        # Behind the jobs of other classes: one with a long queue does not keep its threads.
        self._pool.execute(functools.partial(self._run, name, share, job))

    def _run(self, name: str, share: Share, job: Job) -> None:
        """Run a job in a thread, also one past its deadline, which still has its thread. Then start the next."""
        try:
            job[1]()
        finally:
            with self._lock:
                while share.waiting and share.waiting[0][0].done():
                    share.waiting.popleft()
                following = share.waiting.popleft() if share.waiting else None
                if following is None:
                    share.running -= 1
                    if not share.running:
                        self._shares.pop(name, None)
            if following is not None:
                self._execute(name, share, following)


_shared = functools.cache(SharedPool)


def readers() -> SharedPool:
    """For states, and commands that only read."""
    return _shared(threads.topic_readers())


def writers() -> SharedPool:
    """For commands that write."""
    return _shared(threads.topic_writers())
