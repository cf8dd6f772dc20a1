"""Gathers the posts of this process into batches: one transaction for what has come while the last one ran.

A lone post waits for nobody. Each has its own answer. One whose asker has given up is never begun.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from chat.posting import Post, post_messages
from chat.protocol import Posted
from hubbub import conf, threads
from hubbub.process.per_loop import PerLoop
from hubbub.protocol import Refused

BATCH_POSTS = 100  # Longer batches save little more, and the first of a batch waits for the last.


@dataclass(slots=True, eq=False)
class Waiting:
    post: Post
    # Cancelled: nobody waits for it any more.
    result: "asyncio.Future[Posted | Refused]"


class Writer:
    """The batches of one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def post(self, post: Post) -> Posted:
        """Save the post with others. Raises Refused; `unavailable` when it is not known to be saved.

        Give up by cancelling: its time is that of the command, from its receipt.
        """
        if len(self._waiting) >= conf.settings().max_queued_jobs:
            raise threads.refused_unavailable()
        result: asyncio.Future[Posted | Refused] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(post, result))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        saved = await result
        if isinstance(saved, Refused):
            raise saved
        return saved

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_POSTS))]
                await self._write_batch(_still_wanted(batch))
        finally:
            self._writing = None

    async def _write_batch(self, batch: list[Waiting]) -> None:
        if not batch:
            return
        try:
            results = await threads.write(_save_wanted, batch)
        except Exception as error:  # noqa: BLE001 - each post's own socket answers for it and logs it
            for one in batch:
                if not one.result.done():
                    one.result.set_exception(error)
            return
        for one, result in zip(batch, results, strict=True):
            if not one.result.done():
                one.result.set_result(result)


def _save_wanted(batch: list[Waiting]) -> list[Posted | Refused]:
    """In the writer's thread, which it may have waited for."""
    wanted = _still_wanted(batch)
    results = dict(zip(wanted, post_messages([one.post for one in wanted]), strict=True))
    return [results.get(one) or threads.refused_unavailable() for one in batch]


def _still_wanted(batch: list[Waiting]) -> list[Waiting]:
    """Whoever has been answered already would learn nothing of what is begun now."""
    return [one for one in batch if not one.result.done()]


# The running event loop's.
writer = PerLoop(Writer)
