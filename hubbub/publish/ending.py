"""Sending while the interpreter ends: its executors take no more work, and Python 3.12 starts no more threads."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hubbub import site
from hubbub.publish.sender import Sender


class SenderLoop(asyncio.SelectorEventLoop):
    """A loop for sending alone. It looks up the names of hosts in threads of its own, or blocks if none can be started.

    The threads of asyncio's executor refuse work as soon as the main thread has ended, before any exit handler runs.
    """

    def run_in_executor(  # type: ignore[override]  # typeshed has type variables, also for the arguments.
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """Run `func` in a new thread. asyncio calls it for names, and for `asyncio.to_thread`; `executor` is None."""
        future: asyncio.Future[Any] = self.create_future()

        def settle(give: Callable[[Any], None], outcome: Any) -> None:
            if not future.done():  # Else cancelled.
                give(outcome)

        def run() -> None:
            try:
                give, outcome = future.set_result, func(*args)
            except BaseException as error:  # noqa: BLE001 - the future raises it
                give, outcome = future.set_exception, error
            with suppress(RuntimeError):  # The loop is closed.
                self.call_soon_threadsafe(settle, give, outcome)

        try:
            threading.Thread(target=run, name="publisher-lookup", daemon=True).start()
        except RuntimeError:  # The interpreter ends.
            run()
        return future


def send_here(use: Callable[[Sender], None], on_lost: Callable[[int], None], seconds: float) -> bool:
    """Send in the thread of the caller. A coroutine blocks its loop: nothing else could send for it.

    Args:
        use: queues messages.
        on_lost: called with the number of messages that were lost.
        seconds: the longest wait.

    Returns:
        Whether Redis answered in time.

    Raises:
        DatabaseError: the prefix of the site is not known, and cannot be read.
    """
    callers = asyncio._get_running_loop()
    asyncio._set_running_loop(None)  # One thread runs one loop: the caller's continues below.
    loop = SenderLoop()
    try:
        if not site.is_known():
            site.identify()  # Not `identify_if_possible`, which closes the connections of the thread.
        sender = Sender(loop, on_lost)
        use(sender)
        is_sent = loop.run_until_complete(_is_sent(sender, seconds))
        return is_sent and not sender.is_failing
    finally:
        loop.close()  # The layer closes its connections here.
        asyncio._set_running_loop(callers)


async def _is_sent(sender: Sender, seconds: float) -> bool:
    done, _ = await asyncio.wait([asyncio.wrap_future(sender.mark())], timeout=seconds)
    if sender.draining is not None:
        sender.draining.cancel()
        await asyncio.wait([sender.draining])
    return bool(done)
