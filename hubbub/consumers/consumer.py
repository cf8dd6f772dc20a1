"""Consumer, the life of one socket: admission, dispatch, answers, and cleanup that always runs.

Subclasses declare and handle commands; they never touch the socket, the channel layer or a thread.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

import msgspec

from hubbub import conf, threads
from hubbub.auth import admission
from hubbub.consumers.commands import AnyCommandQueue, CommandQueue, run_with_deadline
from hubbub.consumers.handshake import Handshake
from hubbub.consumers.memberships import Memberships
from hubbub.consumers.socket import FINISH_SECONDS, Disconnected
from hubbub.delivery.asgi_outbox import outbox_for, send_close
from hubbub.delivery.feed import MakeFeed
from hubbub.delivery.recovery import Recovery
from hubbub.limits.quotas import Slot, quotas
from hubbub.limits.token_buckets import Strikes
from hubbub.presence.topic_presence import Announce
from hubbub.process.metrics import COUNTERS
from hubbub.process.refusals import BadDeclaration
from hubbub.process.security_log import address_of
from hubbub.process.this_process import new_connection_name
from hubbub.protocol import (
    CLOSE_CODES,
    CloseCode,
    Command,
    ErrorCode,
    Malformed,
    Ok,
    Ping,
    Pong,
    Presence,
    Refused,
    answer_text,
    decoder_of,
    error_text,
    parse,
)
from hubbub.runtime import runtime
from hubbub.topics.commands import is_permission

logger = logging.getLogger(__name__)


class Consumer(Handshake):
    """One WebSocket. Set `commands` and `permission`, override `opened` and `handle`.

    It has no layer channel of its own, unlike Channels' consumers: broadcasts come from the hub of the process.
    """

    commands: ClassVar[Any] = Ping  # A tagged union that includes `Ping`.
    command_scopes: ClassVar[Mapping[type, str]] = {}  # A token also needs this scope for that command.
    posts: ClassVar[tuple[type[Command], ...]] = ()  # Counted by the tighter quota for posts.
    _decoders: ClassVar[dict[type, "msgspec.json.Decoder[Any]"]] = {}

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if not (cls.permission is None or (isinstance(cls.permission, str) and is_permission(cls.permission))):
            allowed = "an endpoint has 'app.codename', or None: any user"
            raise BadDeclaration(f"{cls.__name__}: permission={cls.permission!r}: {allowed}")

    # For subclasses

    async def opened(self) -> None:
        """Called once, after `hello`.

        Raises:
            Refused: closes the socket with the code of `protocol.CLOSE_CODES`.
        """

    def is_concurrent(self, command: Any) -> bool:
        """Whether `handle` may run for this command while others of its kind are in flight.

        `handle` is called in the order sent; further order is up to it. All other commands wait for these answers.
        """
        return False

    async def handle(self, command: Any) -> Ok | None:
        """Run the command.

        Returns:
            The answer, or None after a call of `answer`.

        Raises:
            Refused: becomes an `error` answer.
        """
        raise Refused(ErrorCode.INVALID, f"unknown command: {type(command).__name__}")

    async def join(self, group: str, recovery: Recovery | None = None, announce: Announce | None = None) -> None:
        """Enter the group as a pending member: events are kept until `go_live`, or dropped by `abandon`.

        A live membership lasts until then, and a second join reads the state again. See `Hub.join`. Where a client must
        not learn that a group exists, use `join_uncounted`.

        Args:
            group: its name.
            recovery: reads missed changes; None: events have no positions.
            announce: makes the frame for users who came and went; None: the group has no presence.

        Raises:
            Refused: the socket is in too many groups.
        """
        self._memberships.check_number(group)
        await self.join_uncounted(group, recovery, announce)

    async def join_uncounted(
        self, group: str, recovery: Recovery | None, announce: Announce | None, make_feed: MakeFeed | None = None
    ) -> None:
        """As `join`, without the limit on groups.

        Args:
            group, recovery, announce: as for `join`.
            make_feed: for a group that has a state.
        """
        await self._memberships.join(group, self.identity, recovery, announce, make_feed)

    def check_number(self, group: str) -> None:
        """Raises Refused if the socket would be in too many groups with this `group`."""
        self._memberships.check_number(group)

    def is_active(self, group: str) -> bool:
        """Whether this process is subscribed to the group, so that a join does not wait for Redis."""
        return runtime().hub.is_active(group)

    @property
    def groups(self) -> Iterable[str]:
        """Names of the groups with a live or pending membership."""
        return iter(self._memberships)

    def presence(self, group: str, max_bytes: int | None = None) -> Presence | None:
        """The presence of the group, to send to this pending member right before `go_live`.

        It names users up to `max_bytes`, and counts the others.
        """
        return self._memberships.presence(group, max_bytes)

    def must_read_again(self, group: str, position: int) -> bool:
        """Whether events of the group above `position`, where the state was read, were lost: join and read it again."""
        return not runtime().hub.has_everything_after(group, self._memberships.pending(group), position)

    def is_evicted(self, group: str) -> bool:
        """Whether the user was evicted since `join`: the group's state must not be sent."""
        return self._memberships.pending(group).is_evicted

    def go_live(self, group: str, position: int | None = None, epoch: str = "") -> None:
        """Make the pending member live. Call it right after queueing the state, with no await between.

        Args:
            group: the name of the group.
            position: where the state was read. Without a `recovery`, its version: only newer ones are sent. None: no
                state was sent.
            epoch: the epoch of the position.
        """
        self._memberships.go_live(group, position, epoch, self.identity.person.card)

    def abandon(self, group: str) -> None:
        """Cancel a `join` of the group; an earlier live membership stays."""
        self._memberships.abandon(group)

    def leave(self, group: str) -> None:
        """Leave the group, if the socket is in it."""
        self._memberships.leave(group)

    def evicted(self, group: str) -> None:
        """Called when the hub has evicted the socket from the group."""

    def answer(self, command: Command, answer: Ok) -> None:
        """Queue the answer to the command now, for a `handle` that acts after it and returns None."""
        self.send_frame(answer_text(command.ref, answer))

    # The socket's life

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scope = scope
        self._tunables = conf.settings()
        self.connection = new_connection_name()
        self._receive = receive
        self._bad_frames: Strikes | None = None  # Made on demand: a deque is larger than the rest of an idle consumer.
        self._slot: Slot | None = None
        self._commands: AnyCommandQueue | None = None
        self._tasks: list[asyncio.Task[None]] = []
        task = asyncio.current_task()
        assert task is not None
        self.outbox = outbox_for(scope, send, abort=task.cancel)
        self._memberships = Memberships(self.outbox, self)
        COUNTERS.sockets += 1
        try:
            await self._run(send)
        except Disconnected:
            pass
        except asyncio.CancelledError:
            if not self.outbox.is_closing:  # Else the outbox aborted a stuck reader.
                raise
        except Exception:
            logger.exception("socket: %s failed", self.connection)
            with suppress(Exception):  # It may be closed already.
                await send_close(send, CloseCode.INTERNAL, "Internal error")
        finally:
            COUNTERS.sockets -= 1
            await self._clean_up()

    async def _run(self, send: Any) -> None:
        if not await self._admit(send):
            return
        self._greet()
        deadline = asyncio.get_running_loop().time() + threads.ANSWER_SECONDS
        if (refused := await run_with_deadline(self.opened, "opened", deadline, self.connection)) is not None:
            self._refuse(None, refused)
            await self._end(CLOSE_CODES.get(refused.code, CloseCode.REFUSED), "Refused")
        if self.identity.token_id is not None:
            self._tasks.append(asyncio.create_task(admission.note_token_use(self.identity.token_id)))
        while True:
            command = await self._next_command()
            if command is None or self._is_over_limit(command) or self._lacks_scope(command):
                continue
            if isinstance(command, Ping):
                self.send_frame(Pong(ref=command.ref))
            else:
                if self._commands is None:
                    self._commands = self._make_queue(self._tunables.max_commands_in_flight)
                await self._commands.put(command)

    async def _next_command(self) -> Any:
        """The next command; None for a malformed frame, which has been answered."""
        text = await self._next_text()
        if text is None:
            return None
        try:
            return self._decode(text)
        except Malformed as malformed:
            self._count_bad_frame()
            self.send_frame(error_text(malformed.ref, malformed))
            return None

    # Commands

    def _decode(self, text: str) -> Any:
        """Decode a command. Raises Malformed."""
        decoder = self._decoders.get(type(self))
        if decoder is None:
            decoder = self._decoders[type(self)] = decoder_of(self.commands)
        return parse(decoder, text)

    def _is_write(self, command: Any) -> bool:
        """Whether the tighter limit for posts counts the command."""
        return isinstance(command, self.posts)

    def _scope_of(self, command: Any) -> str | None:
        """The scope that a token needs for the command; None: no other than for the endpoint."""
        return self.command_scopes.get(type(command))

    def _make_queue(self, max_in_flight: int) -> AnyCommandQueue:
        return CommandQueue(self, max_in_flight)

    def _is_over_limit(self, command: Command) -> bool:
        """Whether the user has sent too many commands; if so, the error has been answered."""
        if (refused := quotas().refuse(self.counted_as, is_post=self._is_write(command))) is None:
            return False
        self._refuse(command, refused)
        if quotas().is_flooding(self.counted_as, address_of(self.scope), self.connection):
            self.outbox.close(CloseCode.RATE_LIMITED, "Rate limited")
        return True

    def _lacks_scope(self, command: Command) -> bool:
        """Whether the token does not allow the command; if so, the error has been answered."""
        scope = self._scope_of(command)
        if scope is None or self.identity.has_any_scope({scope}):
            return False
        self._refuse(command, Refused(ErrorCode.FORBIDDEN, f"the token lacks the scope {scope}"))
        return True

    async def _clean_up(self) -> None:
        quotas().leave(self._slot)
        runtime().hub.service.remove(self.outbox)
        if hasattr(self, "identity"):
            runtime().revocation.sockets.remove(self)
        try:
            # Commands sent before a clean close are still carried out.
            if self._commands is not None:
                await self._commands.finish(FINISH_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            try:
                commands = [self._commands.cancel()] if self._commands is not None else []
                await asyncio.gather(*self._tasks, *commands, return_exceptions=True)
            finally:
                # Last: a join in flight when the socket closed may have entered its group since.
                self._memberships.leave_all()
