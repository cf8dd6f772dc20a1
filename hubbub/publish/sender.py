"""The queue of published messages, drained in order by one task. The only sender on the layer."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from typing import Any

from channels.layers import get_channel_layer

from hubbub import conf, site, threads
from hubbub.process.metrics import COUNTERS
from hubbub.process.redis_errors import cause_of
from hubbub.publish.group_names import layer_group
from hubbub.publish.messages import Message, OneFrame, Recheck, UserId, to_dict
from hubbub.publish.newest import Newest

logger = logging.getLogger(__name__)

# The longest wait for the thread of a sender to end.
STOP_SECONDS = 1.0

# Messages per round trip, so that a distant Redis does not fall behind.
MESSAGES_TOGETHER = 64


class Sender:
    """Runs in one event loop. Its methods above `# In the loop` are thread-safe.

    Args:
        loop: sends the messages.
        on_lost: called with the number of messages that were lost.
        thread: runs the loop, if the loop is for sending alone.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_lost: Callable[[int], None],
        thread: threading.Thread | None = None,
    ) -> None:
        self.loop = loop
        self.thread = thread
        self._on_lost = on_lost
        self.draining: asyncio.Task[None] | None = None
        self.is_failing = False
        # A future is a marker: done when all messages before it are sent or dropped.
        self._queue: deque[Message | Future[None]] = deque()
        # (group, user ids, or None for all). Merged by group: ending ten thousand sessions at once must not fill the
        # queue.
        self._rechecks: deque[tuple[str, Collection[UserId | None]]] = deque()
        self._recheck_messages: deque[Message | Future[None]] = deque()
        self._capacity = conf.settings().layer_capacity
        self._newest = Newest(loop, self._send_again)
        self._resends: deque[Message] = deque()

    def put(self, message: Message, *, now: bool = True) -> None:
        """Queue a message; dropped if the queue is full. `now`: see `process_sender.put`."""
        if len(self._queue) >= self._capacity:
            self._drop([message])
            return
        self._queue.append(message)
        if now or not threads.call_at_end(self.loop, self._wake):
            self.loop.call_soon_threadsafe(self._wake)

    def put_recheck(self, group: str, user_ids: Collection[UserId | None]) -> None:
        """Queue a re-check."""
        self._rechecks.append((group, user_ids))
        self.loop.call_soon_threadsafe(self._wake)

    def mark(self) -> "Future[None]":
        """A future that is done when all messages queued before it are sent or dropped."""
        marker: Future[None] = Future()
        self._queue.append(marker)
        self.loop.call_soon_threadsafe(self._wake)
        return marker

    def wait_until_sent(self, seconds: float) -> bool:
        """Block until all messages queued before are sent or dropped. Returns False after `seconds`."""
        try:
            self.mark().result(seconds)
        except (TimeoutError, RuntimeError):  # RuntimeError: the loop has been closed.
            return False
        return True

    def stop(self) -> None:
        """End the loop and its thread."""
        assert self.thread is not None
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(STOP_SECONDS)
        if not self.thread.is_alive():
            self.loop.close()  # The layer closes its connections here.

    # In the loop

    def _wake(self) -> None:
        if self.draining is None:
            self.draining = self.loop.create_task(self._drain())

    async def _drain(self) -> None:
        layer = get_channel_layer()
        try:
            while True:
                messages, markers = self._next()
                if not messages and not markers:
                    return
                try:
                    if messages:
                        await self._send(layer, messages)
                except BaseException:  # Cancelled: the process exits.
                    self._on_lost(len(messages))
                    for marker in markers:
                        marker.cancel()
                    raise
                _resolve(markers)
        finally:
            # No await since the queue was empty: the next `put` starts a new task.
            self.draining = None

    async def _send(self, layer: Any, messages: list[Message]) -> None:
        try:
            async with asyncio.timeout(conf.settings().layer_timeout_seconds):
                await site.ready_to_publish()
                sent = await send_together(layer, messages)
        except Exception as error:  # noqa: BLE001 - logged; the database has the data
            self._failed(error, messages)
        else:
            COUNTERS.published += sent
            self._on_lost(len(messages) - sent)
            self.is_failing = False
            if self._newest.is_in_use:
                self._newest.sent(messages)

    def _next(self) -> tuple[list[Message], "list[Future[None]]"]:
        """The messages of one round trip, and the markers reached with it."""
        messages: list[Message] = []
        markers: list[Future[None]] = []
        self._recheck_messages.extend(self._merged_rechecks())
        for waiting in (self._recheck_messages, self._resends, self._queue):
            while waiting and len(messages) < MESSAGES_TOGETHER:
                item = waiting.popleft()
                if not isinstance(item, Future):
                    messages.append(item)
                elif waiting is self._queue and (self._rechecks or self._recheck_messages):
                    # A marker also covers re-checks queued before it.
                    self._recheck_messages.extend(self._merged_rechecks())
                    self._recheck_messages.append(item)
                else:
                    markers.append(item)
        return messages, markers

    def _merged_rechecks(self) -> Iterable[Message]:
        by_group: dict[str, set[UserId | None]] = {}
        while self._rechecks:
            group, user_ids = self._rechecks.popleft()
            merged = by_group.setdefault(group, set())
            merged |= {*user_ids}
        for group, merged in by_group.items():
            yield Recheck(group, "all" if None in merged else [user_id for user_id in merged if user_id is not None])

    def _send_again(self, messages: Iterable[Message]) -> None:
        self._resends.extend(messages)
        self._wake()

    def _failed(self, error: Exception, messages: list[Message]) -> None:
        # Waiting messages would time out one by one: drop them, the database has the data.
        dropped = messages
        self._resends.clear()
        for waiting in (self._recheck_messages, self._queue):
            for _ in range(len(waiting)):
                item = waiting.popleft()
                if isinstance(item, Future):
                    _resolve([item])
                else:
                    dropped.append(item)
        self._drop(dropped)
        if not self.is_failing:
            logger.warning("publish: Redis unavailable, messages dropped: %s", cause_of(error))
        self.is_failing = True

    def _drop(self, messages: list[Message]) -> None:
        self._on_lost(sum(1 for message in messages if not self._newest.has(message)))
        if newest := [message for message in messages if isinstance(message, OneFrame) and message.version is not None]:
            self.loop.call_soon_threadsafe(self._newest.lost, newest)


def _resolve(markers: "Iterable[Future[None]]") -> None:
    for marker in markers:
        if marker.set_running_or_notify_cancel():
            marker.set_result(None)


async def send_together(layer: Any, messages: list[Message]) -> int:
    """Send messages. Returns how many; invalid ones are logged. Raises the errors of Redis."""
    if (send_all := getattr(layer, "group_send_together", None)) is not None:
        sent: int = await send_all(messages)
        return sent
    sent = 0
    for message in messages:  # Another layer, such as Channels' in-memory layer.
        try:
            await layer.group_send(layer_group(message.group), to_dict(message))
            sent += 1
        except (TypeError, ValueError):
            logger.exception("publish: message not sent")
    return sent
