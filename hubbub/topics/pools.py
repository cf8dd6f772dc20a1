"""The threads of topics, shared out: one class of topics gets at most half of them, however slow it is."""

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from hubbub import conf, threads
from hubbub.process.per_loop import PerLoop

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class Share:
    """The threads that one class uses, and the jobs that wait for one of them."""

    running: int = 0
    waiting: "deque[asyncio.Future[None]]" = field(default_factory=deque)


class SharedPool:
    """A pool as seen from one event loop.

    Args:
        pool: runs the jobs.
    """

    def __init__(self, pool: threads.Pool) -> None:
        self._pool = pool
        self._max = max(1, pool.threads // 2)
        self._shares: dict[str, Share] = {}

    async def run(self, name: str, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `fn` in a thread, when the class `name` uses less than its share. Raises as `Pool.submit`."""
        share = self._shares.setdefault(name, Share())
        if share.running >= self._max:
            if len(share.waiting) >= conf.settings().max_queued_jobs:
                raise threads.refused_unavailable()
            await self._wait(name, share)
        else:
            share.running += 1
        return await self._submit(name, fn, *args, **kwargs)

    def start(self, name: str, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[R]":
        """As `run`, without a task of the event loop while the class uses less than its share."""
        share = self._shares.setdefault(name, Share())
        if share.running >= self._max:
            return asyncio.ensure_future(self.run(name, fn, *args, **kwargs))
        share.running += 1
        return self._submit(name, fn, *args, **kwargs)

    def _submit(self, name: str, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[R]":
        try:
            result = self._pool.submit(fn, *args, **kwargs)
        except BaseException:
            self._release(name)
            raise
        # A job past its deadline still has its thread.
        self._pool.when_free(result, functools.partial(self._release, name))
        return result

    async def _wait(self, name: str, share: Share) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        share.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release(name)  # It was given the thread at the same moment.
            elif turn in share.waiting:
                share.waiting.remove(turn)  # A job that no longer waits takes no place in the queue.
            raise

    def _release(self, name: str) -> None:
        share = self._shares[name]
        while share.waiting:
            turn = share.waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # The thread goes to the next job.
                return
        share.running -= 1
        if not share.running:
            del self._shares[name]


readers = PerLoop(lambda: SharedPool(threads.topic_readers()))
writers = PerLoop(lambda: SharedPool(threads.topic_writers()))
