"""The sender of this process: a server's own loop sends, or a thread that the first message starts.

Threads do not survive a fork, so a child process starts its own. At exit the queue is sent.
"""

import asyncio
import atexit
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Collection
from multiprocessing.util import Finalize

from channels.layers import get_channel_layer
from django.db import Error as DatabaseError

from hubbub import conf, site
from hubbub.process.metrics import COUNTERS
from hubbub.publish.ending import SenderLoop, send_here
from hubbub.publish.messages import Message, UserId
from hubbub.publish.sender import Sender

logger = logging.getLogger(__name__)

# A hung call ends after `layer_timeout_seconds`; its result is known this much later.
MARGIN_SECONDS = 1.0


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
        _current = Sender(loop, _count_lost)


_current: Sender | None = None
# Reentrant: a signal handler may publish while this thread does.
_lock = threading.RLock()
_lost = _lost_reported = 0
# Per thread: `_lost` at its last flush, or at its first publish.
_seen = threading.local()
_is_forked = _is_exiting = _is_failing_here = False
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
        _send_here(use)
        return
    if sender.thread is not None and _must_wait() and not sender.is_failing:
        sender.wait_until_sent(_max_wait())
    if _is_exiting:
        _send_rest()


def _send_here(use: Callable[[Sender], None]) -> None:
    """Send in this thread, for want of another. With Redis away only the first message waits."""
    global _is_failing_here
    if _is_failing_here:
        _count_lost(1)
        return
    try:
        _is_failing_here = not send_here(use, _count_lost, _max_wait())
    except (RuntimeError, DatabaseError):
        _count_lost(1)
        logger.exception("publish: message not sent")


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
            loop = SenderLoop()
            thread = threading.Thread(target=_run, args=[loop], name="publisher", daemon=True)
            sender = Sender(loop, _count_lost, thread)
            try:
                thread.start()
            except RuntimeError:
                loop.close()
                raise
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
