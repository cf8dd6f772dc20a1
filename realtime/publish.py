"""Send a frame to a group from anywhere: consumer, view, command, thread or script. The only sender on the layer.

Never waits and never raises for Redis: what matters is in the database before it is published.
"""

import asyncio
import atexit
import logging
import threading
from collections import deque
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from channels.layers import get_channel_layer

from realtime import conf, site
from realtime.metrics import COUNTERS
from realtime.protocol import encode
from realtime.redis_errors import cause_of

logger = logging.getLogger(__name__)

# Every process hears of this group, whoever is connected to it.
USERS_GROUP = "realtime.users"

TYPE = "realtime.frame"

# How long the end of a script may wait for what it published: on a busy machine it takes a while to connect.
EXIT_SECONDS = 5.0

# Of those that wait, so many go to Redis together: a Redis that is far away takes as long for them as for one.
MESSAGES_TOGETHER = 64


def publish(
    group: str, frame: msgspec.Struct | str, *, position: int | None = None, version: int | None = None
) -> None:
    """Send `frame` (encoded once, here, unless it is text already) to every member of `group` on every process.

    `position`: of an ordered group; members get positions in order, none twice. `version`: only the newest matters;
    members are not sent one that is not above the last. Neither: sent as it comes. What is not a
    group's name is logged and not sent.
    """
    message: dict[str, Any] = {"group": group, "text": frame if isinstance(frame, str) else encode(frame)}
    if position is not None:
        message["position"] = position
    if version is not None:
        message["version"] = version
    _send(message)


def publish_in_order(group: str, frames: Sequence[tuple[int, str]]) -> None:
    """Send several frames of an ordered group, each (position, text), rising, in one message."""
    if frames:
        _send({"group": group, "frames": list(frames)})


def publish_end(group: str, frame: msgspec.Struct, *, user_ids: Collection[str] | None = None) -> None:
    """Send `frame` to these users' members of the group, or to all for None, as the last that they get of it."""
    shut_out: list[str] | str = "all" if user_ids is None else list(user_ids)
    _send({"group": group, "text": encode(frame), "shut_out": shut_out})


def publish_access_changed(group: str) -> None:
    """Have every process look whether its members of the group may still be in it."""
    _sender().put_recheck(group, [None])


def publish_users_changed(user_ids: Collection[str] | None) -> None:
    """Have every process look whether its sockets of these users, or of all for None, may still be there."""
    _sender().put_recheck(USERS_GROUP, [None] if user_ids is None else user_ids)


def _send(message: dict[str, Any]) -> None:
    message["type"] = TYPE
    _sender().put(message)


def flush(seconds: float = EXIT_SECONDS) -> None:
    """Wait until what this process published has been sent, at most `seconds`. Not from the event loop itself."""
    if _current is not None:
        _current.wait_until_sent(seconds)


async def flushed(seconds: float) -> None:
    """The same from the server's own loop: wait until what was published has been sent, at most `seconds`."""
    if _current is not None and _current.draining is not None:
        await asyncio.wait([_current.draining], timeout=seconds)


def send_from(loop: asyncio.AbstractEventLoop) -> None:
    """From now on publish in `loop`, a server's own, instead of in a thread of the publisher's."""
    global _current
    with _lock:
        _current = _Sender(loop)


class _Sender:
    """A bounded queue, drained in order by one task of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._queue: deque[dict[str, Any]] = deque()
        # (group, user ids, or None for all) to be looked at: those of one group that wait together are one message.
        # Somebody who ends ten thousand sessions at once neither fills the queue nor keeps others waiting.
        self._rechecks: deque[tuple[str, Collection[str | None]]] = deque()
        self._recheck_messages: deque[dict[str, Any]] = deque()
        self._capacity = conf.settings().layer_capacity
        self.draining: asyncio.Task[None] | None = None
        self._sent = threading.Event()
        self._sent.set()
        self._failing = False

    def put(self, message: dict[str, Any]) -> None:
        if len(self._queue) >= self._capacity:
            COUNTERS.publish_failures += 1
            return
        self._queue.append(message)
        self._sent.clear()
        self.loop.call_soon_threadsafe(self._wake)

    def put_recheck(self, group: str, user_ids: Collection[str | None]) -> None:
        self._rechecks.append((group, user_ids))
        self._sent.clear()
        self.loop.call_soon_threadsafe(self._wake)

    def wait_until_sent(self, seconds: float) -> bool:
        return self._sent.wait(seconds)

    def _wake(self) -> None:
        if self.draining is None:
            self.draining = self.loop.create_task(self._drain())

    async def _drain(self) -> None:
        layer = get_channel_layer()
        try:
            while messages := self._next():
                try:
                    async with asyncio.timeout(conf.settings().layer_timeout_seconds):
                        await site.ready_to_publish()
                        COUNTERS.published += await _send_together(layer, messages)
                except Exception as error:  # noqa: BLE001 - whatever Redis raises: the database has what matters
                    self._failed(error, len(messages))
                else:
                    self._failing = False
        finally:
            self.draining = None
            if not self._queue and not self._rechecks:
                self._sent.set()

    def _next(self) -> list[dict[str, Any]]:
        if self._rechecks:
            by_group: dict[str, set[str | None]] = {}
            while self._rechecks:
                group, user_ids = self._rechecks.popleft()
                asked = by_group.setdefault(group, set())
                asked |= {*user_ids}
            for group, asked in by_group.items():
                recheck = "all" if None in asked else list(asked)
                self._recheck_messages.append({"type": TYPE, "group": group, "recheck": recheck})
        messages: list[dict[str, Any]] = []
        for waiting in (self._recheck_messages, self._queue):
            while waiting and len(messages) < MESSAGES_TOGETHER:
                messages.append(waiting.popleft())
        return messages

    def _failed(self, error: Exception, count: int) -> None:
        # What waits behind would only time out in its turn: the database has it.
        COUNTERS.publish_failures += count + len(self._queue) + len(self._recheck_messages)
        self._queue.clear()
        self._recheck_messages.clear()
        if not self._failing:
            logger.warning("Redis cannot be used, nothing is published: %s", cause_of(error))
        self._failing = True


async def _send_together(layer: Any, messages: list[dict[str, Any]]) -> int:
    """How many were sent. What cannot be is logged. Raises what Redis raises."""
    if (send_together := getattr(layer, "group_send_together", None)) is not None:
        sent: int = await send_together([(message["group"], message) for message in messages])
        return sent
    sent = 0
    for message in messages:  # Channels' in-memory layer, say.
        try:
            await layer.group_send(message["group"], message)
            sent += 1
        except (TypeError, ValueError):
            logger.exception("not published")
    return sent


_current: _Sender | None = None
_lock = threading.Lock()


def _sender() -> _Sender:
    global _current
    with _lock:
        if _current is None or _current.loop.is_closed():
            _current = _Sender(_loop_of_own_thread())
        return _current


def _loop_of_own_thread() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()

    def run() -> None:
        # Before the loop runs, where Django forbids it; and a script that ends at once has no other thread any more.
        site.identify_if_possible()
        loop.run_forever()

    thread = threading.Thread(target=run, name="publisher", daemon=True)
    thread.start()

    def end() -> None:
        if not loop.is_closed() and thread.is_alive():
            flush()
            loop.call_soon_threadsafe(loop.stop)
            thread.join(EXIT_SECONDS)
            loop.close()  # The layer closes its connections here.

    atexit.register(end)
    return loop
