"""The queue of published messages: one per process, drained in order by one task. The only sender on the layer.

A server sends in its own event loop; any other process in a thread that the first message starts. Threads do not
survive a fork, so a child process starts its own.
"""

import asyncio
import atexit
import logging
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from multiprocessing.util import Finalize
from typing import Any

from channels.layers import get_channel_layer

from hubbub import conf, site, threads
from hubbub.process.metrics import COUNTERS
from hubbub.process.redis_errors import cause_of
from hubbub.publish.messages import Message, OneFrame, Recheck, UserId, to_dict
from hubbub.publish.newest import Newest

logger = logging.getLogger(__name__)

# A hung call ends after `layer_timeout_seconds`; its result is known this much later.
MARGIN_SECONDS = 1.0

# Messages per round trip, so that a distant Redis does not fall behind.
MESSAGES_TOGETHER = 64


def put(message: Message, *, now: bool = False) -> None:
    """Queue a message. In a child process, outside an event loop, wait until Redis has it: see `_must_wait`.

    Args:
        message: of any kind.
        now: send at once. Otherwise a job of the database threads ends first, which saves the loop a wake-up.
    """
    _with_sender(lambda sender: sender.put(message, now=now))


def put_recheck(group: str, user_ids: Collection[UserId | None]) -> None:
    """Queue a re-check of these users; None among them: all. Waiting ones of a group become one message."""
    _with_sender(lambda sender: sender.put_recheck(group, user_ids))


def flush(seconds: float | None = None) -> bool:
    """Wait until everything published before the call is sent.

    Args:
        seconds: the longest wait; None: a little above `layer_timeout_seconds`.

    Returns:
        Whether Redis has everything: nothing was late, and nothing was lost since this thread last called `flush` or
        first published.

    Raises:
        RuntimeError: called in the event loop that sends (a server's): use `await flushed(…)` there.
    """
    sender = _current
    if sender is None:
        return not _lost_since_flush()
    if _running_loop() is sender.loop:
        raise RuntimeError("flush() would block its own event loop; use `await flushed(…)`.")
    is_sent = sender.wait_until_sent(_max_wait() if seconds is None else seconds)
    return not _lost_since_flush() and is_sent


async def flushed(seconds: float) -> bool:
    """As `flush`, for the server's own loop: whether everything published before was handled within `seconds`."""
    sender = _current
    if sender is None or sender.loop is not asyncio.get_running_loop():
        return True
    done, _ = await asyncio.wait([asyncio.wrap_future(sender.mark())], timeout=seconds)
    return bool(done)


def send_from(loop: asyncio.AbstractEventLoop) -> None:
    """Send in `loop`, a server's own, from now on instead of in a thread."""
    global _current
    with _lock:
        _current = Sender(loop)


class Sender:
    """A bounded queue, drained in order by one task of one event loop. Thread-safe."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: threading.Thread | None = None) -> None:
        self.loop = loop
        self.thread = thread
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
        """Queue a message; dropped if the queue is full. `now`: as in the function `put`."""
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
        self.thread.join(MARGIN_SECONDS)
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
                    _count_lost(len(messages))
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
                sent = await _send_together(layer, messages)
        except Exception as error:  # noqa: BLE001 - logged; the database has the data
            self._failed(error, messages)
        else:
            COUNTERS.published += sent
            _count_lost(len(messages) - sent)
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
        _count_lost(sum(1 for message in messages if not self._newest.has(message)))
        if newest := [message for message in messages if isinstance(message, OneFrame) and message.version is not None]:
            self.loop.call_soon_threadsafe(self._newest.lost, newest)


def _resolve(markers: "Iterable[Future[None]]") -> None:
    for marker in markers:
        if marker.set_running_or_notify_cancel():
            marker.set_result(None)


async def _send_together(layer: Any, messages: list[Message]) -> int:
    """Send messages. Returns how many; invalid ones are logged. Raises the errors of Redis."""
    if (send_together := getattr(layer, "group_send_together", None)) is not None:
        sent: int = await send_together(messages)
        return sent
    sent = 0
    for message in messages:  # Another layer, such as Channels' in-memory layer.
        try:
            await layer.group_send(message.group, to_dict(message))
            sent += 1
        except (TypeError, ValueError):
            logger.exception("publish: message not sent")
    return sent


# The sender of this process, and its lost messages

_current: Sender | None = None
# Reentrant: a signal handler may publish while this thread does.
_lock = threading.RLock()
_lost = _lost_reported = 0
# Per thread: `_lost` at its last flush, or at its first publish.
_seen = threading.local()
_is_forked = _is_exiting = False
# The parent's sender: collecting it here would remove its connections from the parent's selector.
_inherited: list[Sender | None] = []


def _count_lost(count: int) -> None:
    global _lost
    if count:
        with _lock:
            _lost += count
        COUNTERS.publish_failures += count


def _lost_since_flush() -> bool:
    global _lost_reported
    before, _seen.lost = getattr(_seen, "lost", _lost), _lost
    _lost_reported = _lost
    return bool(_seen.lost != before)


def _with_sender(use: Callable[[Sender], None]) -> None:
    if not hasattr(_seen, "lost"):
        _seen.lost = _lost
    try:
        try:
            sender = _sender()
            use(sender)
        except RuntimeError:  # Its loop was closed meanwhile.
            sender = _sender()
            use(sender)
    except RuntimeError:  # No thread can be started: the interpreter exits.
        _count_lost(1)
        logger.exception("publish: message not sent")
        return
    if sender.thread is not None and _must_wait() and not sender.is_failing:
        sender.wait_until_sent(_max_wait())
    if _is_exiting:
        _send_rest()


def _must_wait() -> bool:
    """Whether this process may exit without notice as soon as its work is done.

    Pools kill their children, and Celery calls `os._exit`: neither runs exit handlers. With Redis away only the first
    message waits. A coroutine does not wait: it would block its loop.
    """
    is_child = _is_forked or _is_exiting or multiprocessing.parent_process() is not None
    return is_child and _running_loop() is None


def _max_wait() -> float:
    return conf.settings().layer_timeout_seconds + MARGIN_SECONDS


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _sender() -> Sender:
    global _current
    with _lock:
        if _current is None or _current.loop.is_closed():
            get_channel_layer()  # Imported in this thread: a child forked during an import could never finish it.
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_run, args=[loop], name="publisher", daemon=True)
            sender = Sender(loop, thread)
            thread.start()
            # Children of multiprocessing run finalizers, but no atexit handlers.
            Finalize(None, _send_rest, exitpriority=-100)
            _current = sender
        return _current


def _run(loop: asyncio.AbstractEventLoop) -> None:
    # Before the loop runs: Django forbids database access in a running loop.
    site.identify_in_time()
    loop.run_forever()


def _send_rest() -> None:
    """At exit: send the queued messages, or log that some are lost."""
    global _is_exiting
    _is_exiting = True
    sender = _current
    if sender is None or sender.thread is None or sender.loop.is_closed() or not sender.thread.is_alive():
        return
    if not sender.wait_until_sent(_max_wait()) or _lost != _lost_reported:
        logger.error("publish: messages not delivered to Redis before exit")
    sender.stop()


def _forget_parent() -> None:
    """In a child after a fork: threads are not copied, and one of them may have held the lock."""
    global _current, _lock, _lost, _lost_reported, _seen, _is_forked
    _inherited.append(_current)
    _current, _lock, _seen, _is_forked = None, threading.RLock(), threading.local(), True
    _lost = _lost_reported = 0


atexit.register(_send_rest)
# No fork while another thread imports the layer: the child could never finish the import.
os.register_at_fork(
    before=lambda: _lock.acquire(), after_in_parent=lambda: _lock.release(), after_in_child=_forget_parent
)
