"""A limit on concurrent HTTP requests: some are served, some wait in a queue, and the rest get 503.

A layer around the pages of an ASGI application; probes bypass it. Each request takes a thread in Django, and too many
of them would take the CPU from all sockets.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from hubbub import conf
from hubbub.limits.token_buckets import Buckets
from hubbub.process.addresses import network_of
from hubbub.process.metrics import COUNTERS
from hubbub.process.security_log import Kind, address_of, log_event

Application = Callable[[Any, Any, Any], Awaitable[None]]

RETRY_SECONDS = 5
QUIET_SECONDS = 60.0  # Between two log lines for one address.
BUSY = b"This server is busy. Please try again in a few seconds.\n"


class Requests:
    """The requests of one event loop, served in order of arrival."""

    def __init__(self, tunables: conf.Hubbub) -> None:
        self._tunables = tunables
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def begin(self) -> bool:
        """Wait until the request may be served; call `end` afterwards.

        Returns:
            False if the queue is full, or the request waited too long.
        """
        if self._in_flight < self._tunables.max_requests_in_flight:
            self._in_flight += 1
            return True
        if len(self._waiting) >= self._tunables.max_requests_queued:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._tunables.request_wait_seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.end()  # The turn came together with the timeout.
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def end(self) -> None:
        """Let the request that has waited longest start."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._in_flight -= 1


@functools.cache
def requests() -> Requests:
    """The requests of this process."""
    return Requests(conf.settings())


def with_bounded_requests(application: Application) -> Application:
    """Wrap `application` so that at most HUBBUB["MAX_REQUESTS_IN_FLIGHT"] requests are served at once.

    A streamed answer counts until its first part: the client decides how fast it reads the rest.
    """

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        limit = requests()
        if not await limit.begin():
            await _refuse(scope, send)
            return
        has_turn = True

        def end() -> None:
            nonlocal has_turn
            if has_turn:
                has_turn = False
                limit.end()

        async def answer(message: Any) -> None:
            if message.get("more_body"):
                end()
            await send(message)

        try:
            await application(scope, receive, answer)
        finally:
            end()

    return wrapped


_log_budget = Buckets(per_second=1 / QUIET_SECONDS, burst=1)


async def _refuse(scope: Any, send: Any) -> None:
    COUNTERS.limited["max_requests_in_flight"] += 1
    address = address_of(scope)
    if not _log_budget.take(network_of(address)):
        log_event(Kind.TOO_MANY_REQUESTS, address=address)
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(BUSY)),
        (b"cache-control", b"no-store"),
        (b"retry-after", b"%d" % RETRY_SECONDS),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": BUSY})
