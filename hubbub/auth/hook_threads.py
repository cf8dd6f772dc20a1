"""Calls of the project's own sign-in in reader threads, of which one stays free for sessions and access tokens."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from hubbub import conf, threads
from hubbub.auth import own_sign_in
from hubbub.process.per_loop import PerLoop
from hubbub.protocol import Refused

T = TypeVar("T")

_slots: PerLoop[asyncio.Semaphore] = PerLoop(lambda: asyncio.Semaphore(max(1, conf.settings().reader_threads - 1)))


class Turn:
    """The use of a thread: it begins and ends in the thread, or is given up before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_given_up = False
        self.has_begun = False
        self.has_ended = False

    def begin(self) -> bool:
        """Begin it. Returns False: it was given up."""
        with self._lock:
            self.has_begun = not self._is_given_up
            return self.has_begun

    def give_up(self) -> bool:
        """Give it up. Returns False: it has begun, so the thread is in use."""
        with self._lock:
            self._is_given_up = not self.has_begun
            return self._is_given_up


async def run(method: str, call: Callable[[], T]) -> T:
    """Call it in a reader thread.

    Args:
        method: of the Authenticator, for the log.
        call: calls the method.

    Raises:
        Refused: `unavailable`, as by `threads.read`; also if there is no free thread within ANSWER_SECONDS.
        Exception: by `call`.
    """
    loop = asyncio.get_running_loop()
    slots = _slots()
    try:
        async with asyncio.timeout(threads.ANSWER_SECONDS):
            await slots.acquire()
    except TimeoutError:
        raise threads.refused_unavailable() from None
    turn = Turn()

    def run_in_turn() -> T:
        if not turn.begin():
            raise threads.refused_unavailable()
        try:
            return call()
        finally:
            turn.has_ended = True
            with suppress(RuntimeError):  # The loop is closed.
                loop.call_soon_threadsafe(slots.release)

    try:
        return await threads.read(run_in_turn)
    except BaseException as error:
        if turn.give_up():
            slots.release()
        elif isinstance(error, Refused) and not turn.has_ended:
            own_sign_in.log_of(method).failed(f"no answer within {threads.ANSWER_SECONDS:g} s")
        raise
