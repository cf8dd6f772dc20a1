"""The way of what is published to Redis: a queue per process, drained in order by one task. The only user of the layer.

A server sends in its own event loop, any other process in a thread that the first message starts. A fork leaves that
thread behind, so a child starts its own.
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

from hubbub import conf, site
from hubbub.process.metrics import COUNTERS
from hubbub.process.redis_errors import cause_of
from hubbub.publish.messages import Message, OneFrame, Recheck, UserId, to_dict
from hubbub.publish.newest import Newest

logger = logging.getLogger(__name__)

# A call that hangs is given up after `layer_timeout_seconds`: so much later it is known what has become of it.
MARGIN_SECONDS = 1.0

# Of those that wait, so many go to Redis together: a Redis that is far away takes as long for them as for one.
MESSAGES_TOGETHER = 64


def put(message: Message) -> None:
    """Queue a message. Outside of a server's loop, in a child process, return when Redis has it: see `_must_wait`."""
    _with_sender(lambda one: one.put(message))


def put_recheck(group: str, user_ids: Collection[UserId | None]) -> None:
    """Queue what is to be looked at again: those of one group that wait together are one message. None: all users."""
    _with_sender(lambda one: one.put_recheck(group, user_ids))


def flush(seconds: float | None = None) -> bool:
    """Wait until what this process published before the call has been sent, at most `seconds`.

    None: until Redis has taken it, or is given up, in `layer_timeout_seconds`.
    True: Redis has taken all of it. False: not in time, or something was lost since this thread last asked, or first
    published. Not from the event loop that sends, a server's: `await flushed(…)` there.
    """
    sender = _current
    if sender is None:
        return not _lost_since_asked()
    if _running_loop() is sender.loop:
        raise RuntimeError("flush() would block its own event loop; use `await flushed(…)`.")
    is_sent = sender.wait_until_sent(_patience() if seconds is None else seconds)
    return not _lost_since_asked() and is_sent


async def flushed(seconds: float) -> bool:
    """The same from the server's own loop: whether what was published before has been handled within `seconds`."""
    sender = _current
    if sender is None or sender.loop is not asyncio.get_running_loop():
        return True
    done, _ = await asyncio.wait([asyncio.wrap_future(sender.mark())], timeout=seconds)
    return bool(done)


def send_from(loop: asyncio.AbstractEventLoop) -> None:
    """From now on send in `loop`, a server's own, instead of in a thread."""
    global _current
    with _lock:
        _current = Sender(loop)


class Sender:
    """A bounded queue, drained in order by one task of one event loop. Any thread may put something in."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: threading.Thread | None = None) -> None:
        self.loop = loop
        self.thread = thread
        self.draining: asyncio.Task[None] | None = None
        self.is_failing = False
        # A marker is done when all that was put before it has been sent, or given up.
        self._queue: deque[Message | Future[None]] = deque()
        # (group, user ids, or None for all) to be looked at: those of one group that wait together are one message.
        # Somebody who ends ten thousand sessions at once neither fills the queue nor keeps others waiting.
        self._rechecks: deque[tuple[str, Collection[UserId | None]]] = deque()
        self._recheck_messages: deque[Message | Future[None]] = deque()
        self._capacity = conf.settings().layer_capacity
        self._newest = Newest(loop, self._send_again)
        self._again: deque[Message] = deque()

    def put(self, message: Message) -> None:
        if len(self._queue) >= self._capacity:
            self._lose([message])
            return
        self._queue.append(message)
        self.loop.call_soon_threadsafe(self._wake)

    def put_recheck(self, group: str, user_ids: Collection[UserId | None]) -> None:
        self._rechecks.append((group, user_ids))
        self.loop.call_soon_threadsafe(self._wake)

    def mark(self) -> "Future[None]":
        """Done when all that was put before has been sent, or given up."""
        marker: Future[None] = Future()
        self._queue.append(marker)
        self.loop.call_soon_threadsafe(self._wake)
        return marker

    def wait_until_sent(self, seconds: float) -> bool:
        try:
            self.mark().result(seconds)
        except (TimeoutError, RuntimeError):  # RuntimeError: the loop has been closed.
            return False
        return True

    def stop(self) -> None:
        """End the loop, and the thread that it has of its own."""
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
                except BaseException:  # Cancelled: this process ends.
                    _count_lost(len(messages))
                    for marker in markers:
                        marker.cancel()
                    raise
                _resolve(markers)
        finally:
            # Nothing is awaited between the last look at the queue and this: what is put now wakes the next one.
            self.draining = None

    async def _send(self, layer: Any, messages: list[Message]) -> None:
        try:
            async with asyncio.timeout(conf.settings().layer_timeout_seconds):
                await site.ready_to_publish()
                sent = await _send_together(layer, messages)
        except Exception as error:  # noqa: BLE001 - whatever Redis raises: the database has what matters
            self._failed(error, messages)
        else:
            COUNTERS.published += sent
            _count_lost(len(messages) - sent)
            self.is_failing = False
            if self._newest.is_in_use:
                self._newest.sent(messages)

    def _next(self) -> tuple[list[Message], "list[Future[None]]"]:
        """What goes to Redis together, and the markers that are reached with it."""
        messages: list[Message] = []
        markers: list[Future[None]] = []
        self._recheck_messages.extend(self._merged_rechecks())
        for waiting in (self._recheck_messages, self._again, self._queue):
            while waiting and len(messages) < MESSAGES_TOGETHER:
                one = waiting.popleft()
                if not isinstance(one, Future):
                    messages.append(one)
                elif waiting is self._queue and (self._rechecks or self._recheck_messages):
                    # It stands for the rechecks too that were put before it.
                    self._recheck_messages.extend(self._merged_rechecks())
                    self._recheck_messages.append(one)
                else:
                    markers.append(one)
        return messages, markers

    def _merged_rechecks(self) -> Iterable[Message]:
        by_group: dict[str, set[UserId | None]] = {}
        while self._rechecks:
            group, user_ids = self._rechecks.popleft()
            asked = by_group.setdefault(group, set())
            asked |= {*user_ids}
        for group, asked in by_group.items():
            yield Recheck(group, "all" if None in asked else [one for one in asked if one is not None])

    def _send_again(self, messages: Iterable[Message]) -> None:
        self._again.extend(messages)
        self._wake()

    def _failed(self, error: Exception, messages: list[Message]) -> None:
        # What waits behind would only time out in its turn: the database has it.
        lost = messages
        self._again.clear()
        for waiting in (self._recheck_messages, self._queue):
            for _ in range(len(waiting)):
                one = waiting.popleft()
                if isinstance(one, Future):
                    _resolve([one])
                else:
                    lost.append(one)
        self._lose(lost)
        if not self.is_failing:
            logger.warning("publish: Redis unavailable, messages dropped: %s", cause_of(error))
        self.is_failing = True

    def _lose(self, messages: list[Message]) -> None:
        _count_lost(sum(1 for one in messages if not self._newest.has(one)))
        if newest := [one for one in messages if isinstance(one, OneFrame) and one.version is not None]:
            self.loop.call_soon_threadsafe(self._newest.lost, newest)


def _resolve(markers: "Iterable[Future[None]]") -> None:
    for marker in markers:
        if marker.set_running_or_notify_cancel():
            marker.set_result(None)


async def _send_together(layer: Any, messages: list[Message]) -> int:
    """How many were sent. What cannot be is logged. Raises what Redis raises."""
    if (send_together := getattr(layer, "group_send_together", None)) is not None:
        sent: int = await send_together(messages)
        return sent
    sent = 0
    for message in messages:  # Channels' in-memory layer, say.
        try:
            await layer.group_send(message.group, to_dict(message))
            sent += 1
        except (TypeError, ValueError):
            logger.exception("publish: message not sent")
    return sent


# This process's sender, and what has become of its messages

_current: Sender | None = None
# For who is interrupted by a signal whose handler publishes, too.
_lock = threading.RLock()
_lost = _lost_and_told = 0
# How many were lost when this thread last asked, or first published.
_asked = threading.local()
_is_forked = _has_ended = False
# Of the parent: if it were collected here, its connections would be taken out of the parent's own selector.
_inherited: list[Sender | None] = []


def _count_lost(count: int) -> None:
    global _lost
    if count:
        with _lock:
            _lost += count
        COUNTERS.publish_failures += count


def _lost_since_asked() -> bool:
    global _lost_and_told
    before, _asked.lost = getattr(_asked, "lost", _lost), _lost
    _lost_and_told = _lost
    return bool(_asked.lost != before)


def _with_sender(use: Callable[[Sender], None]) -> None:
    if not hasattr(_asked, "lost"):
        _asked.lost = _lost
    try:
        try:
            sender = _sender()
            use(sender)
        except RuntimeError:  # Its loop has been closed meanwhile.
            sender = _sender()
            use(sender)
    except RuntimeError:  # No thread can be started: the interpreter ends.
        _count_lost(1)
        logger.exception("publish: message not sent")
        return
    if sender.thread is not None and _must_wait() and not sender.is_failing:
        sender.wait_until_sent(_patience())
    if _has_ended:
        _end()


def _must_wait() -> bool:
    """Whether this process may be ended without notice as soon as its work is done.

    Pools kill their children, Celery ends its own by `os._exit`: neither runs what was registered for the end. With
    Redis away only the first message waits. A coroutine does not wait: its loop has others.
    """
    is_child = _is_forked or _has_ended or multiprocessing.parent_process() is not None
    return is_child and _running_loop() is None


def _patience() -> float:
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
            get_channel_layer()  # Imported by this thread: a child that is forked meanwhile could not import it again.
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_run, args=[loop], name="publisher", daemon=True)
            sender = Sender(loop, thread)
            thread.start()
            # multiprocessing's children run these at their end, and not what is registered with atexit.
            Finalize(None, _end, exitpriority=-100)
            _current = sender
        return _current


def _run(loop: asyncio.AbstractEventLoop) -> None:
    # Before the loop runs, where Django forbids it; and a script that ends at once has no other thread any more.
    site.identify_in_time()
    loop.run_forever()


def _end() -> None:
    """This program ends: send what it has published, or say that it is lost."""
    global _has_ended
    _has_ended = True
    sender = _current
    if sender is None or sender.thread is None or sender.loop.is_closed() or not sender.thread.is_alive():
        return
    if not sender.wait_until_sent(_patience()) or _lost != _lost_and_told:
        logger.error("publish: messages not delivered to Redis before exit")
    sender.stop()


def _forget_parent() -> None:
    """In a child, right after the fork: threads do not come along, and a lock may have been held by one."""
    global _current, _lock, _lost, _lost_and_told, _asked, _is_forked
    _inherited.append(_current)
    _current, _lock, _asked, _is_forked = None, threading.RLock(), threading.local(), True
    _lost = _lost_and_told = 0


atexit.register(_end)
# Not while another thread imports the layer: the child could never import it.
os.register_at_fork(
    before=lambda: _lock.acquire(), after_in_parent=lambda: _lock.release(), after_in_child=_forget_parent
)
