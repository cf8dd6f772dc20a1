"""Gathers the posts of this process into batches: posts that arrive while a transaction runs share the next one.

A single post is saved at once. Each post has its own answer. A cancelled post that has not begun is not saved.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial

from chat.posting import Post, post_uncancelled
from chat.protocol import Posted
from hubbub import conf, threads
from hubbub.process.per_loop import PerLoop
from hubbub.protocol import Refused

BATCH_POSTS = 100  # Longer batches save little, and the first post of a batch waits for the last.


@dataclass(slots=True, eq=False)
class QueuedPost:
    post: Post
    # Cancelled when its command has ended.
    result: "asyncio.Future[Posted | Refused]"


class PostBatcher:
    """The batches of one event loop. It has no task: the end of a batch starts the next."""

    def __init__(self) -> None:
        self._queue: deque[QueuedPost] = deque()
        self._is_saving = False

    async def post(self, post: Post) -> Posted:
        """Save the post in a batch. The command's deadline cancels the wait.

        Raises:
            Refused: By the checks of the post; `unavailable` if it is unknown whether the post was saved.
        """
        if len(self._queue) >= conf.settings().max_queued_jobs:
            raise threads.refused_unavailable()
        loop = asyncio.get_running_loop()
        queued = QueuedPost(post, loop.create_future())
        self._queue.append(queued)
        if not self._is_saving:
            self._is_saving = True
            loop.call_soon(self._save_next)  # Posts of the same turn of the loop share the batch.
        saved = await queued.result
        if isinstance(saved, Refused):
            raise saved
        return saved

    def _save_next(self) -> None:
        """Start to save the next batch of posts that still wait for their result."""
        batch: list[QueuedPost] = []
        while self._queue and len(batch) < BATCH_POSTS:
            queued = self._queue.popleft()
            if not queued.result.done():
                batch.append(queued)
        self._is_saving = bool(batch)
        if not batch:
            return
        posts = [(queued.post, queued.result.cancelled) for queued in batch]
        try:
            saving = threads.submit_write(post_uncancelled, posts)
        except Refused as refused:
            _fail(batch, refused)
            self._save_next()
        else:
            saving.add_done_callback(partial(self._saved, batch))

    def _saved(self, batch: list[QueuedPost], saving: "asyncio.Future[list[Posted | Refused]]") -> None:
        if (error := saving.exception()) is not None:
            _fail(batch, error)
        else:
            for queued, result in zip(batch, saving.result(), strict=True):
                if not queued.result.done():
                    queued.result.set_result(result)
        self._save_next()


def _fail(batch: list[QueuedPost], error: BaseException) -> None:
    """Raise the error in the command of each post, which answers and logs it."""
    for queued in batch:
        if not queued.result.done():
            queued.result.set_exception(error)


# The batcher of the running event loop.
batcher = PerLoop(PostBatcher)
