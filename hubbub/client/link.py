"""Link: a connection to an endpoint that comes back by itself, with back-off, until the server ends it for good."""

import asyncio
import logging
import math
from random import Random
from typing import Protocol

from hubbub.client.connection import Apply, BadFrame, Connection, Join
from hubbub.client.endings import ABNORMAL, Ending, by_close, by_failure, by_status
from hubbub.client.errors import ConnectionEnded, ConnectionLost
from hubbub.client.observer import Frame, Observer
from hubbub.client.timing import HELLO_SECONDS, back_off
from hubbub.client.wire import OpenWire, WireClosed, WireRefused

logger = logging.getLogger("hubbub.client")


class User(Protocol):
    """What a link calls."""

    def due_joins(self) -> list[Join]:
        """The joins that are due, which opening a connection may send."""

    def admitted(self, hello: Frame) -> None:
        """A connection is open, first or again."""

    def receive(self, frame: Frame, size: int) -> None:
        """A frame that is no answer has arrived, of `size` bytes."""

    def disconnected(self) -> None:
        """The connection was lost."""

    def ended(self, error: Exception) -> None:
        """There will be no connection any more."""


class Link:
    """Connects by `open_wire` when it is started, and stays connected. See `Client` for the other arguments."""

    def __init__(
        self, user: User, url: str, token: str, open_wire: OpenWire, observer: Observer, random: Random
    ) -> None:
        self._user = user
        self._url = url
        self._token = token
        self._open_wire = open_wire
        self._observer = observer
        self._random = random
        self._connection: Connection | None = None
        self._was_admitted = False
        # Set: there is a connection, or there will be none any more.
        self._is_settled = asyncio.Event()
        self._error: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def connection(self) -> Connection | None:
        """The present connection."""
        return self._connection

    def start(self) -> None:
        """Begin to connect."""
        if self._task is not None:
            raise RuntimeError("a client is entered once")
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._stopped)

    async def admitted(self) -> Connection:
        """Wait for a connection. Raises ConnectionEnded, or ConnectionLost after `close`."""
        while self._connection is None:
            self.check_open()
            await self._is_settled.wait()
        return self._connection

    async def request(self, command: Frame, apply: Apply | None = None) -> Frame:
        """Send a command once, on the present or the next connection. Returns its answer. See `Connection.request`."""
        connection = await self.admitted()
        try:
            return await connection.request(command, apply)
        except ConnectionLost:
            self._give_up(connection)  # The next attempt waits for another one.
            raise

    async def close(self) -> None:
        """Close the connection for good. Commands without an answer raise ConnectionLost."""
        if self._task is None:
            return
        self._end(ConnectionLost("the client is closed"))
        self._task.cancel()
        try:
            await asyncio.wait([self._task])
        except asyncio.CancelledError:
            self._task.cancel()  # Waits no longer for the server's close frame.
            raise

    def check_open(self) -> None:
        """Raises the error that ended the link; RuntimeError: it was not started."""
        if self._error is not None:
            raise self._error
        if self._task is None:
            raise RuntimeError("enter the client first: async with Client(…) as hub")

    async def _run(self) -> None:
        """Stay connected until the server ends it for good."""
        tries = 0
        while True:
            ending = await self._connect_once()
            self._observer.ended(ending.code, ending.reason)
            if ending.error is not None:
                self._end(ending.error)
                return
            tries = 0 if ending.is_fresh else tries
            seconds = ending.calm_seconds + back_off(tries, self._random)
            level = logging.INFO if ending.is_fresh else logging.WARNING
            logger.log(level, "%s: %s; next attempt in %.1f s", self._url, ending.reason, seconds)
            await asyncio.sleep(seconds)
            tries += 1

    async def _connect_once(self) -> Ending:
        """Connect, and return when that has failed or the connection has ended."""
        is_first, loop = not self._was_admitted, asyncio.get_running_loop()
        connection = None
        admitted_at = math.inf
        code = ABNORMAL
        try:
            async with asyncio.timeout(HELLO_SECONDS) as overdue:
                joins = self._user.due_joins()
                wire = await self._open_wire([join for join, _ in joins])
                connection = Connection(wire, self._observer, joins[: wire.joined])
                await connection.admit(self._token)
                overdue.reschedule(None)
                admitted_at = loop.time()
                self._was_admitted = True
                self._connection = connection
                self._is_settled.set()
                self._user.admitted(connection.hello)
                await connection.run(self._user.receive)
        except WireClosed as closed:
            code = closed.code
            refusal = None if connection is None else connection.refusal
            return by_close(code, closed.reason, refusal, loop.time() - admitted_at)
        except WireRefused as refused:
            return by_status(refused.status, refused.retry_after, refused.error, is_first=is_first)
        except ConnectionEnded as ended:
            return Ending(reason=ended.detail, error=ended)
        except (OSError, BadFrame) as failure:
            return by_failure(failure, is_first=is_first)
        except asyncio.CancelledError:
            if connection is not None:
                await connection.close()
            raise
        finally:
            if connection is not None:
                self._give_up(connection)
                connection.end(code)
                self._user.disconnected()
        raise AssertionError("a connection runs until its end")

    def _give_up(self, connection: Connection) -> None:
        """Send nothing more on this connection. Frames that have arrived on it are still read."""
        if self._connection is connection:
            self._connection = None
            if self._error is None:
                self._is_settled.clear()

    def _end(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
            self._is_settled.set()
            self._user.ended(error)

    def _stopped(self, task: "asyncio.Task[None]") -> None:
        """The task has ended. An error is that of an observer, or of a `connect` of the program's own."""
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._end(error)
