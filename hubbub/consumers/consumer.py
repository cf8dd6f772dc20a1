"""HubbubConsumer: one socket's life. Admission, dispatch, answers, and cleanup that always runs.

Subclasses name their commands and handle them; they never touch the socket, the layer or a thread themselves.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, NoReturn

import msgspec
from channels.consumer import AsyncConsumer
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from hubbub import conf, threads
from hubbub.auth import admission
from hubbub.auth.identity import Identity
from hubbub.auth.sessions import session_key_of
from hubbub.consumers.commands import CommandQueue, run_with_deadline
from hubbub.consumers.memberships import Memberships
from hubbub.delivery.outbox import DRAIN, AsgiOutbox, outbox_for, send_close, send_denial
from hubbub.delivery.recovery import Recovery
from hubbub.limits.quotas import RETRY_SECONDS, Slot, quotas
from hubbub.limits.token_buckets import Strikes
from hubbub.presence.topic_presence import Announce
from hubbub.process.metrics import COUNTERS
from hubbub.process.security_log import Kind, address_of, log_event
from hubbub.process.this_process import new_connection_name
from hubbub.protocol import (
    CLOSE_CODES,
    AuthRequired,
    CloseCode,
    Command,
    Error,
    ErrorCode,
    Hello,
    Limits,
    Malformed,
    Ok,
    Person,
    Ping,
    Pong,
    Presence,
    Refused,
    decoder_of,
    encode,
    parse,
    parse_auth,
)
from hubbub.runtime import runtime

logger = logging.getLogger(__name__)

BAD_FRAMES_SECONDS = 10.0
WORK_SECONDS = 4.5  # For the commands of a socket that ends: a post has four.


class Disconnected(Exception):
    """The client is gone, or the socket is closing."""


class HubbubConsumer(AsyncConsumer):  # type: ignore[misc]
    """One WebSocket. Set `commands` and `permission`, override `opened` and `handle`.

    It takes none of Channels' per-consumer layer channel: broadcasts reach it through the process's hub.
    """

    commands: ClassVar[Any] = Ping  # The tagged union of commands, `Ping` among them.
    permission: ClassVar[str | None] = None  # To use the endpoint, as in `user.has_perm`; None: any signed-in user.
    endpoint_scopes: ClassVar[Set[str]] = frozenset()  # A token needs one of them; empty: any token will do.
    command_scopes: ClassVar[Mapping[type, str]] = {}  # And this one for that command.
    posts: ClassVar[tuple[type[Command], ...]] = ()  # What others see: of these a user may send fewer.
    identity: Identity
    _decoders: ClassVar[dict[type, "msgspec.json.Decoder[Any]"]] = {}

    # For subclasses

    @property
    def body_chars(self) -> int | None:
        """Told in `hello.limits`; None where the endpoint takes no text."""
        return None

    async def opened(self) -> None:
        """Called once, after `hello`. Raise Refused to send the client away: see `protocol.CLOSE_CODES`."""

    def is_concurrent(self, command: Any) -> bool:
        """Whether `handle` may be called for it while others of this kind are in work; order is then up to `handle`.

        It is called in the order sent, and every other command waits until those have been answered.
        """
        return False

    async def handle(self, command: Any) -> Ok:
        """Do the command and return its answer. Raise Refused to refuse it."""
        raise Refused(ErrorCode.INVALID, f"no such command here: {type(command).__name__}")

    def send_frame(self, frame: msgspec.Struct | str) -> None:
        """Queue one frame for this socket."""
        self.outbox.put(frame if isinstance(frame, str) else encode(frame))

    async def join(self, group: str, recovery: Recovery | None = None, announce: Announce | None = None) -> None:
        """Enter the group as pending: what comes is kept until `go_live`, or dropped by `abandon`. See `Hub.join`.

        A socket that is in the group already stays in it until then, and joining again reads the state afresh.
        Raises Refused when these are too many. Who must not learn by that of a group joins it by `join_uncounted`.
        """
        self._memberships.check_number(group)
        await self.join_uncounted(group, recovery, announce)

    async def join_uncounted(self, group: str, recovery: Recovery | None, announce: Announce | None) -> None:
        await self._memberships.join(group, self.identity, recovery, announce)

    def check_number(self, group: str) -> None:
        self._memberships.check_number(group)

    def is_active(self, group: str) -> bool:
        """Whether somebody here is in the group: then joining it does not wait for Redis."""
        return runtime().hub.is_active(group)

    @property
    def groups(self) -> Iterable[str]:
        return iter(self._memberships)

    def presence(self, group: str, most_bytes: int | None = None) -> Presence | None:
        """Who is present, to be told to this pending member right before `go_live`. See `Hub.presence`."""
        return self._memberships.presence(group, most_bytes)

    def must_read_again(self, group: str, position: int) -> bool:
        """Whether something above `position`, where the state was read, was not kept: join again and read it again."""
        return not runtime().hub.has_everything_after(group, self._memberships.pending(group), position)

    def is_evicted(self, group: str) -> bool:
        """Whether the user was shut out of the group since `join`: its state must not be told."""
        return self._memberships.pending(group).is_evicted

    def go_live(self, group: str, position: int | None = None, epoch: str = "") -> None:
        """Call it right after the state at `position` of `epoch` was queued, with nothing awaited between.

        Without a `recovery` it is the state's version, of which only newer ones are sent; None: no state was told.
        """
        self._memberships.go_live(group, position, epoch, self.identity.name)

    def abandon(self, group: str) -> None:
        """Give up a `join`; a membership from before stays."""
        self._memberships.abandon(group)

    def leave(self, group: str) -> None:
        """Leave the group; nothing happens when the socket is not in it."""
        self._memberships.leave(group)

    def answer(self, command: Command, answer: Ok) -> None:
        """Queue the answer now; for a `handle` that must do something after it, and then returns the same answer."""
        if answer.ref is None:
            answer.ref = command.ref
            self.send_frame(answer)

    # The socket's life

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scope = scope
        self._tunables = conf.settings()
        self.connection = new_connection_name()
        self._receive = receive
        self._bad_frames: Strikes | None = None  # A deque takes more memory than the rest of an idle consumer.
        self._slot: Slot | None = None
        self._work: CommandQueue | None = None
        self._tasks: list[asyncio.Task[None]] = []
        task = asyncio.current_task()
        assert task is not None
        self.outbox = outbox_for(scope, send, abort=task.cancel)
        self._memberships = Memberships(self.outbox)
        self._looked_after = False
        COUNTERS.sockets += 1
        try:
            await self._live(send)
        except Disconnected:
            pass
        except asyncio.CancelledError:
            if not self.outbox.is_closing:  # Else it is ours: a reader that is stuck for good.
                raise
        except Exception:
            logger.exception("socket %s failed", self.connection)
            with suppress(Exception):  # It may be closed already.
                await send_close(send, CloseCode.INTERNAL, "Internal error")
        finally:
            COUNTERS.sockets -= 1
            await self._clean_up()

    async def _live(self, send: Any) -> None:
        await self._receive()  # websocket.connect
        address = address_of(self.scope)
        if quotas().is_full():
            return await self._send_full(send)
        asked = runtime().revocation.sockets.recheck.times
        session_key = session_key_of(self.scope)
        if session_key is not None and not admission.is_from_own_page(self.scope, self.connection):
            await send({"type": "websocket.close", "code": CloseCode.FORBIDDEN})  # Before accept: HTTP 403.
            return
        identity, reachable = None, True
        if session_key:
            try:
                identity = await admission.identify_by_session(session_key, self.permission, self.connection)
            except Refused:
                reachable = False
        if identity is None and reachable:
            self._slot = quotas().take_unknown_slot(address)
            if self._slot is None:
                return await self._send_full(send)
        await send({"type": "websocket.accept"})
        if isinstance(self.outbox, AsgiOutbox):
            self._tasks.append(asyncio.create_task(self.outbox.run()))
        if not reachable:
            await self._end(CloseCode.OVERLOADED, "Database out of reach")
        self.identity = identity or await self._identify_by_token()
        quotas().leave(self._slot)
        self._slot = quotas().take_user_slot(self.identity.user_id, address, self.connection)
        if self._slot is None:
            await self._end(CloseCode.TOO_MANY, "Too many connections")
        if not self.identity.permitted or not self.identity.has_any_scope(self.endpoint_scopes):
            self.send_frame(Error(code=ErrorCode.FORBIDDEN, detail="you may not use this"))
            await self._end(CloseCode.FORBIDDEN, "Forbidden")
        runtime().revocation.sockets.add(self, asked)
        self._greet()
        by = asyncio.get_running_loop().time() + threads.ANSWER_SECONDS
        if (refused := await run_with_deadline(self.opened, "opened", by, self.connection)) is not None:
            self._refuse(None, refused)
            await self._end(CLOSE_CODES.get(refused.code, CloseCode.REFUSED), "Refused")
        if self.identity.token_id is not None:
            self._tasks.append(asyncio.create_task(admission.note_token_use(self.identity.token_id)))
        while True:
            command = await self._next_command()
            if command is None or self._is_over_limit(command):
                continue
            if isinstance(command, Ping):
                self.send_frame(Pong(ref=command.ref))
            else:
                if self._work is None:
                    self._work = CommandQueue(self._do, self.is_concurrent, self._tunables.max_commands_in_flight)
                await self._work.take(command)

    async def _send_full(self, send: Any) -> None:
        await send_denial(self.scope, send, 503, (b"Retry-After", b"%d" % RETRY_SECONDS))

    @sensitive_variables()
    async def _identify_by_token(self) -> Identity:
        seconds = self._tunables.auth_seconds
        self.send_frame(AuthRequired(within_ms=round(seconds * 1000)))
        try:
            async with asyncio.timeout(seconds):
                token = await self._next_token()
        except TimeoutError:
            await self._end(CloseCode.AUTH_TIMEOUT, "Auth timeout")
        try:
            identity = await admission.identify_by_token(
                token, self.permission, self.connection, address_of(self.scope)
            )
        except Refused as refused:
            if refused.code == ErrorCode.RATE_LIMITED:
                self._refuse(None, refused)
                await self._end(CloseCode.RATE_LIMITED, "Rate limited")
            await self._end(CloseCode.OVERLOADED, "Database out of reach")
        if identity is None:
            self.send_frame(Error(code=ErrorCode.UNAUTHORIZED, detail="this token is not valid"))
            await self._end(CloseCode.UNAUTHORIZED, "Unauthorized")
        return identity

    @sensitive_variables()
    async def _next_token(self) -> str:
        while True:
            text = await self._next_text()
            try:
                if text is not None:
                    return parse_auth(text).token
            except Malformed as malformed:
                self._count_bad_frame()
                detail = "the first frame must be auth with a token"
                self.send_frame(Error(ref=malformed.ref, code=ErrorCode.UNAUTHORIZED, detail=detail))

    def _greet(self) -> None:
        tunables = self._tunables
        runtime().hub.service.add(self.outbox)
        self.send_frame(
            Hello(
                connection=self.connection,
                user=Person(self.identity.user_id, self.identity.name),
                state=runtime().hub.service.state,
                heartbeat_ms=round(tunables.heartbeat_seconds * 1000),
                limits=Limits(frame_bytes=tunables.frame_bytes, body_chars=self.body_chars),
                server_time=timezone.now(),
            )
        )

    # Frames in

    async def _next_command(self) -> Any:
        """The next command; None when what came was not one, which has been answered."""
        text = await self._next_text()
        if text is None:
            return None
        decoder = self._decoders.get(type(self))
        if decoder is None:
            decoder = self._decoders[type(self)] = decoder_of(self.commands)
        try:
            return parse(decoder, text)
        except Malformed as malformed:
            self._count_bad_frame()
            self.send_frame(Error(ref=malformed.ref, code=malformed.code, detail=malformed.detail))
            return None

    async def _next_text(self) -> str | None:
        """The next text frame; None for a binary one, which has been answered. Raises Disconnected."""
        message = await self._receive()
        if message["type"] == DRAIN:
            await self._drain()
        if message["type"] != "websocket.receive" or self.outbox.is_closing:
            raise Disconnected
        COUNTERS.frames_in += 1
        text: str | None = message.get("text")
        if text is None:
            self._count_bad_frame()
            self.send_frame(Error(code=ErrorCode.INVALID, detail="frames are text, not binary"))
        elif len(text) > self._tunables.frame_bytes or len(text.encode()) > self._tunables.frame_bytes:
            COUNTERS.limited["frame_bytes"] += 1
            await self._end(CloseCode.FRAME_TOO_BIG, "Frame too big")
        return text

    def _count_bad_frame(self) -> None:
        COUNTERS.bad_frames += 1
        self._bad_frames = self._bad_frames or Strikes(self._tunables.bad_frames, BAD_FRAMES_SECONDS)
        if self._bad_frames.add():
            user = self.identity.user_id if hasattr(self, "identity") else None
            log_event(Kind.PROTOCOL_ABUSE, address=address_of(self.scope), user=user, connection=self.connection)
            self.outbox.close(CloseCode.ABUSE, "Protocol abuse")

    # Commands

    def _is_over_limit(self, command: Command) -> bool:
        """Whether there were too many of the user's, which has been answered."""
        user_id = self.identity.user_id
        if (refused := quotas().refuse(user_id, is_post=isinstance(command, self.posts))) is None:
            return False
        self._refuse(command, refused)
        if quotas().is_flooding(user_id, address_of(self.scope), self.connection):
            self.outbox.close(CloseCode.RATE_LIMITED, "Rate limited")
        return True

    async def _do(self, command: Command, received: float) -> None:
        by, name = received + threads.ANSWER_SECONDS, type(command).__name__
        refused = await run_with_deadline(partial(self._handle, command), name, by, self.connection)
        if refused is not None:
            self._refuse(command, refused)
            if refused.code == ErrorCode.UNAUTHORIZED:
                runtime().revocation.sockets.recheck.ask([self.identity.user_id])

    async def _handle(self, command: Command) -> None:
        scope = self.command_scopes.get(type(command))
        if scope is not None and not self.identity.has_any_scope({scope}):
            raise Refused(ErrorCode.FORBIDDEN, f"this token has not been given {scope}")
        self.answer(command, await self.handle(command))

    def _refuse(self, command: Command | None, refused: Refused) -> None:
        ref = command.ref if command is not None else None
        self.send_frame(Error(ref=ref, code=refused.code, detail=refused.detail, retry_after_ms=refused.retry_after_ms))

    # The end

    async def _drain(self) -> NoReturn:
        """This process ends: take nothing more, answer what was taken, and send the client to another."""
        if self._work is not None:
            await self._work.finish(WORK_SECONDS)
        await self._end(CloseCode.RESTART, "Restart")

    async def _end(self, code: int, reason: str) -> NoReturn:
        """Close after what is queued, wait until the client has gone, and leave `_live`."""
        self.outbox.close(code, reason)
        while (await self._receive())["type"] != "websocket.disconnect":
            pass
        raise Disconnected

    async def _clean_up(self) -> None:
        quotas().leave(self._slot)
        runtime().hub.service.remove(self.outbox)
        if hasattr(self, "identity"):
            runtime().revocation.sockets.remove(self)
        try:
            # What was sent before a clean close is done: nobody is told of it, but it was asked for.
            if self._work is not None:
                await self._work.finish(WORK_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            try:
                rest = [self._work.cancel()] if self._work is not None else []
                await asyncio.gather(*self._tasks, *rest, return_exceptions=True)
            finally:
                # Only now: a join that was in work when the socket went has entered its group since.
                self._memberships.leave_all()
