"""The state of one topic in one process: read once for all who wait, sent when it changed, at a bounded rate."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

from hubbub.delivery.feed import FeedReceiver
from hubbub.delivery.recovery import Recovery, StreamPosition
from hubbub.delivery.sequence import Spawn
from hubbub.process.log_once import LogOnce
from hubbub.protocol import ErrorCode, Refused, encode
from hubbub.topics.frames import Changed, Closed
from hubbub.topics.reading import TopicState

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
RETRY_AFTER_MS = 1000
# Between two frames of a topic.
MIN_SECONDS = 0.05
# Of all frames of one topic to its members in this process.
BYTES_PER_SECOND = 20_000_000


class NewestFeed:
    """Of a topic of kind newest, which has no record: its members are re-checked, and nothing is compared."""

    local = None
    needs_hints = False

    def __init__(self, recovery: Recovery) -> None:
        self.recovery = recovery

    def note(self, position: int) -> None:
        """No positions are published."""

    def compare(self, local: StreamPosition, recorded: StreamPosition | None) -> None:
        """Never called: without `local` there is nothing to compare."""

    def note_listed(self, user_ids: Collection[str], keys: Collection[str]) -> None:
        """It has no lists."""

    def end(self) -> None:
        """It has no timers."""


class StateFeed:
    """Runs in one event loop. Versions count the different states that this process has read, and order its frames.

    Args:
        address: of the topic.
        recovery: reads positions and denied users.
        read: reads the state; raises Refused.
        spawn: starts a task that the hub owns.
        receiver: the group.
    """

    needs_hints = False

    def __init__(
        self,
        address: str,
        recovery: Recovery,
        read: Callable[[], Awaitable[TopicState]],
        spawn: Spawn,
        receiver: FeedReceiver,
    ) -> None:
        self.recovery = recovery
        self._address = address
        self._read = read
        self._spawn = spawn
        self._receiver = receiver
        self._state: TopicState | None = None
        self._version = 0
        self._is_stale = False
        # Those who join, and wait for a read that begins after they asked.
        self._waiting: list[asyncio.Future[tuple[int, TopicState]]] = []
        self._reading: asyncio.Task[None] | None = None
        self._next_at = 0.0
        self._sending: asyncio.TimerHandle | None = None
        self._log = LogOnce(f"topic {address}: reading the state failed")

    @property
    def local(self) -> StreamPosition | None:
        """The position of the state that this process has; None: it has none."""
        return None if self._state is None else StreamPosition(self._state.epoch, self._state.position)

    async def current(self) -> tuple[int, TopicState]:
        """Read the state. One read serves all who wait for it.

        Returns:
            Its version in this process, and the state.

        Raises:
            Refused: by the topic, or `unavailable`.
        """
        waiter: asyncio.Future[tuple[int, TopicState]] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._start()
        return await waiter

    def note(self, position: int) -> None:
        """A process published that the topic has reached this position."""
        if self._state is None or position > self._state.position:
            self._note_stale()

    def compare(self, local: StreamPosition, recorded: StreamPosition | None) -> None:
        """Compare with the record. `local`: the position here before the record was read."""
        if recorded is None or local != self.local:
            return  # Read anew meanwhile.
        if (recorded.epoch, recorded.position) != (local.epoch, local.position):
            self._note_stale()

    def note_listed(self, user_ids: Collection[str], keys: Collection[str]) -> None:
        """It has no lists."""

    def end(self) -> None:
        """Cancel timers and tasks of a topic without members."""
        if self._sending is not None:
            self._sending.cancel()
        if self._reading is not None:
            self._reading.cancel()

    def _note_stale(self) -> None:
        self._is_stale = True
        self._start()

    def _start(self) -> None:
        if self._reading is None:
            self._reading = self._spawn(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting or self._is_stale:
                if not self._waiting and (seconds := self._next_at - loop.time()) > 0:
                    await asyncio.sleep(min(seconds, MIN_SECONDS))  # In parts: a join does not wait for it.
                    continue
                waiting, self._waiting, self._is_stale = self._waiting, [], False
                await self._read_for(waiting)
        finally:
            self._reading = None
            self._give_up(self._waiting)

    async def _read_for(self, waiting: "list[asyncio.Future[tuple[int, TopicState]]]") -> None:
        try:
            state = await self._read()
        except asyncio.CancelledError:
            self._give_up(waiting)
            raise
        except Exception as error:  # noqa: BLE001 - each join answers and logs it
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_exception(error)
            await self._failed(error)
            return
        self._log.recovered()
        before = self._state
        if before is None or (state.epoch, state.position) != (before.epoch, before.position):
            self._version += 1
            self._state = state
            if before is None:
                self._receiver.begin_version(self._version)
            else:
                self._send_soon()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result((self._version, state))

    def _give_up(self, waiting: "list[asyncio.Future[tuple[int, TopicState]]]") -> None:
        """The topic ended: its last members were evicted during the read. Not cancelled: each join is answered."""
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(
                    Refused(
                        ErrorCode.UNAVAILABLE, f"{self._address} was closed; try again", retry_after_ms=RETRY_AFTER_MS
                    )
                )

    async def _failed(self, error: Exception) -> None:
        if self._state is None:
            return  # No member has a state; those who joined were answered.
        if isinstance(error, Refused) and error.retry_after_ms is None:
            self._state = None
            self._receiver.close(encode(Closed(topic=self._address, code=error.code)), None)
            return
        if not isinstance(error, Refused):
            self._log.failed(repr(error), with_traceback=True)
        self._is_stale = True
        await asyncio.sleep(RETRY_SECONDS)

    def _send_soon(self) -> None:
        if self._sending is None:
            loop = asyncio.get_running_loop()
            self._sending = loop.call_at(max(loop.time(), self._next_at), self._send)

    def _send(self) -> None:
        self._sending = None
        if self._state is None:
            return
        loop = asyncio.get_running_loop()
        state = self._state
        text = encode(Changed(topic=self._address, epoch=state.epoch, position=state.position, state=state.state))
        self._next_at = loop.time() + max(MIN_SECONDS, len(text) * self._receiver.members / BYTES_PER_SECOND)
        self._receiver.receive(text, None, self._version)
