"""The handshake: find the user of a socket by session cookie, or by a first frame with a token."""

import asyncio
import logging
from collections.abc import Iterable, Set
from functools import cache
from typing import Any, ClassVar, NoReturn

from django.views.decorators.debug import sensitive_variables

from hubbub.auth import admission
from hubbub.auth.identity import Identity
from hubbub.auth.origin import is_own_origin
from hubbub.auth.sessions import session_key_of
from hubbub.consumers.socket import Socket
from hubbub.delivery.asgi_outbox import AsgiOutbox, send_denial
from hubbub.limits.client_addresses import is_shared
from hubbub.limits.quotas import RETRY_SECONDS, Slot, VisitorSlot, quotas
from hubbub.process.addresses import network_of
from hubbub.process.security_log import address_of
from hubbub.process.times import now
from hubbub.protocol import (
    CLOSE_CODES,
    AuthRequired,
    CloseCode,
    Error,
    ErrorCode,
    Hello,
    Limits,
    Malformed,
    Refused,
    parse_auth,
)
from hubbub.runtime import runtime

logger = logging.getLogger(__name__)


class ForeignOrigin(Exception):
    """A handshake that would be of a user, from a page of another site."""


class Handshake(Socket):
    """Admits a socket and greets it."""

    permission: ClassVar[str | None] = None  # Required for the endpoint, as in `user.has_perm`; None: any user.
    endpoint_scopes: ClassVar[Set[str]] = frozenset()  # A token needs one of these; empty: any token.
    admits_visitors: ClassVar[bool] = False  # Anonymous ones, if the project's own sign-in finds them to be such.
    _slot: Slot | None

    @property
    def groups(self) -> Iterable[str]:
        """The groups that the socket is in."""
        raise NotImplementedError

    @sensitive_variables()
    async def _admit(self, send: Any) -> bool:
        """Authenticate and count the socket.

        Returns:
            Whether the socket is open; False: the handshake was refused.

        Raises:
            Disconnected: the socket was opened and closed again, or the client disconnected.
        """
        await self._receive()  # websocket.connect
        if not runtime().is_served:
            log_not_served()
            await send_denial(self.scope, send, 500)
            return False
        address = address_of(self.scope)
        if quotas().is_full():
            await self._deny_full(send)
            return False
        requests_before = runtime().revocation.sockets.recheck.requests
        token = admission.token_of(self.scope)
        identity, problem = None, None
        try:
            identity = None if token is not None else await self._identify_by_page()
        except ForeignOrigin:
            await send({"type": "websocket.close", "code": CloseCode.FORBIDDEN})  # Before accept: HTTP 403.
            return False
        except Refused as refused:
            problem = refused
        if problem is None and (identity is None or identity.is_anonymous):
            take_slot = quotas().take_unknown_slot if identity is None else quotas().take_visitor_slot
            self._slot = take_slot(address)
            if self._slot is None:
                await self._deny_full(send)
                return False
        await send({"type": "websocket.accept"})
        if isinstance(self.outbox, AsgiOutbox):
            self._tasks.append(asyncio.create_task(self.outbox.run()))
        if problem is not None:
            await self._end_for(problem)
        self.identity = identity or await self._identify_by_token(token)
        await self._take_place(address)
        if not self.identity.permitted or not self.identity.has_any_scope(self.endpoint_scopes):
            self.send_frame(Error(code=ErrorCode.FORBIDDEN, detail="you have no permission to use this endpoint"))
            await self._end(CloseCode.FORBIDDEN, "Forbidden")
        if not self.identity.is_anonymous:
            runtime().revocation.sockets.add(self, requests_before)
        return True

    @sensitive_variables()
    async def _identify_by_page(self) -> Identity | None:
        """Find the user by what a browser sends with the handshakes of a page; None: not signed in by these.

        Raises:
            ForeignOrigin: a page of another site would act as the user; it is logged.
            Refused: the sign-in cannot be checked.
        """
        session_key = session_key_of(self.scope)
        if session_key is not None:
            if not admission.is_from_own_page(self.scope, self.connection):
                raise ForeignOrigin
            if session_key and (
                identity := await admission.identify_by_session(session_key, self.permission, self.connection)
            ):
                return identity
        identity = await admission.identify_by_request(self.scope, self.permission)
        if identity is not None and identity.is_anonymous:
            # Others may have a token, and are asked for it.
            return identity if self.admits_visitors and is_own_origin(self.scope) else None
        if identity is not None and not admission.is_from_own_page(self.scope, self.connection):
            raise ForeignOrigin
        return identity

    async def _take_place(self, address: str | None) -> None:
        """Count the socket by its user, or as a visitor, in place of one that is not authenticated yet."""
        if self.identity.is_anonymous:
            self.counted_as = f"visitor {self.connection if is_shared(address) else network_of(address)}"
            if not isinstance(self._slot, VisitorSlot):  # Else by the handshake.
                quotas().leave(self._slot)
                self._slot = quotas().take_visitor_slot(address)
        else:
            self.counted_as = self.identity.user_id
            quotas().leave(self._slot)
            self._slot = quotas().take_user_slot(self.counted_as, address, self.connection)
        if self._slot is None:
            await self._end(CloseCode.TOO_MANY, "Too many connections")

    async def _end_for(self, refused: Refused) -> NoReturn:
        """Close a socket whose user could not be found."""
        if refused.code == ErrorCode.RATE_LIMITED:
            self._refuse(None, refused)
            await self._end(CloseCode.RATE_LIMITED, "Rate limited")
        if refused.code == ErrorCode.UNAVAILABLE:
            await self._end(CloseCode.OVERLOADED, "Database out of reach")
        self._refuse(None, refused)
        await self._end(CLOSE_CODES.get(refused.code, CloseCode.REFUSED), "Refused")

    async def _deny_full(self, send: Any) -> None:
        await send_denial(self.scope, send, 503, (b"Retry-After", b"%d" % RETRY_SECONDS))

    @sensitive_variables()
    async def _identify_by_token(self, token: str | None) -> Identity:
        """`token`: of the header; None: the first message has it."""
        seconds = self._tunables.auth_seconds
        if token is None:
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
            await self._end_for(refused)
        if identity is None or (identity.is_anonymous and not self.admits_visitors):
            self.send_frame(Error(code=ErrorCode.UNAUTHORIZED, detail="the token is not valid"))
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
                detail = "the first frame must be `auth` with a token"
                self.send_frame(Error(ref=malformed.ref, code=ErrorCode.UNAUTHORIZED, detail=detail))

    def _greet(self) -> None:
        tunables = self._tunables
        runtime().hub.service.add(self.outbox)
        self.send_frame(
            Hello(
                connection=self.connection,
                user=self.identity.person,
                state=runtime().hub.service.state,
                heartbeat_ms=round(tunables.heartbeat_seconds * 1000),
                limits=Limits(frame_bytes=tunables.frame_bytes),
                server_time=now(),
            )
        )


@cache
def log_not_served() -> None:
    """Log the cause and the remedy, once per process."""
    logger.error(
        "socket: refused, as nothing receives from Redis in this process: in asgi.py wrap the application in "
        "hubbub.asgi.application(http, routes); in a test use hubbub.testing.served()"
    )
