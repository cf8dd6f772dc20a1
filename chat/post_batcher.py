"""Gathers the posts of this process into batches: posts that arrive while a transaction runs share the next one.

A single post is saved at once. Each post has its own answer. A cancelled post that has not begun is not saved.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from chat.posting import Post, post_messages
from chat.protocol import Posted
from hubbub import conf, threads
from hubbub.process.per_loop import PerLoop
from hubbub.protocol import Refused

BATCH_POSTS = 100  # Longer batches save little, and the first post of a batch waits for the last.


@dataclass(slots=True, eq=False)
class QueuedPost:
    post: Post
    # Done when cancelled: its command has ended.
    result: "asyncio.Future[Posted | Refused]"


class PostBatcher:
    """The batches of one event loop."""

    def __init__(self) -> None:
        self._queue: deque[QueuedPost] = deque()
        self._task: asyncio.Task[None] | None = None

    async def post(self, post: Post) -> Posted:
        """Save the post in a batch. The command's deadline cancels the wait.

        Raises:
            Refused: By the checks of the post; `unavailable` if it is unknown whether the post was saved.
        """
        if len(self._queue) >= conf.settings().max_queued_jobs:
            raise threads.refused_unavailable()
        result: asyncio.Future[Posted | Refused] = asyncio.get_running_loop().create_future()
        self._queue.append(QueuedPost(post, result))
        if self._task is None:
            self._task = asyncio.create_task(self._write())
        saved = await result
        if isinstance(saved, Refused):
            raise saved
        return saved

    async def _write(self) -> None:
        try:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_POSTS))]
                await self._write_batch(_not_done(batch))
        finally:
            self._task = None

    async def _write_batch(self, batch: list[QueuedPost]) -> None:
        if not batch:
            return
        try:
            results = await threads.write(_save, batch)
        except Exception as error:  # noqa: BLE001 - the command of each post answers and logs it
            for queued in _not_done(batch):
                queued.result.set_exception(error)
            return
        for queued, result in zip(batch, results, strict=True):
            if not queued.result.done():
                queued.result.set_result(result)


def _save(batch: list[QueuedPost]) -> list[Posted | Refused]:
    """Runs in the writer thread: posts may have been cancelled while the batch waited for it."""
    saved = _not_done(batch)
    results = dict(zip(saved, post_messages([queued.post for queued in saved]), strict=True))
    return [results.get(queued) or threads.refused_unavailable() for queued in batch]


def _not_done(batch: list[QueuedPost]) -> list[QueuedPost]:
    return [queued for queued in batch if not queued.result.done()]


# The batcher of the running event loop.
batcher = PerLoop(PostBatcher)
