"""Who a socket is, asked of the database in a thread; and how often a wrong token may be tried.

Sessions and tokens are secrets: they stand in no log line, and in no report of an error either.
"""

import asyncio
import functools
import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from django.db import Error as DatabaseError
from django.views.decorators.debug import sensitive_variables

from hubbub import auth, conf, threads
from hubbub.auth import Identity
from hubbub.limits.token_buckets import Buckets
from hubbub.process.addresses import network_of, stands_for_many
from hubbub.process.security_log import Kind, address_of, log_event
from hubbub.protocol import ErrorCode, Refused

logger = logging.getLogger(__name__)

Identify = Callable[[str, str | None], Identity | None]


class TokenTries:
    """Wrong tokens: how many an address may send, and how many may be sent for one token.

    A try counts from its beginning, or many at once would all be the first, and does not if it succeeds. Who guesses at
    a token from everywhere must not shut out its owner: an address with no wrong token of late is heard regardless.
    """

    def __init__(self, *, burst: int, per_minute: float) -> None:
        self._burst = burst
        self._by_address = Buckets(per_second=per_minute / 60, burst=burst)
        self._by_token = Buckets(per_second=per_minute / 60, burst=burst)
        # By address and by token: tries whose outcome is not known yet.
        self._under_way: Counter[str | int] = Counter()
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def begun(self, address: str | None, token_id: int) -> float:
        """As `begin`; but while others are under way that may turn out well, this one waits for their outcome."""
        key = network_of(address)
        while wait := self.begin(address, token_id):
            if not (self._under_way[key] or self._under_way[token_id]):
                break
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # It was this one's turn.
                raise
        self._wake()
        return wait

    def begin(self, address: str | None, token_id: int) -> float:
        """0.0, or the seconds until there may be another try."""
        key = network_of(address)
        is_blameless = not self._by_address.wait(key, self._burst)
        wait = 0.0 if stands_for_many(address) else self._by_address.wait(key)
        if not wait and not is_blameless:
            wait = self._by_token.wait(token_id)
        if not wait:
            self._by_address.charge(key)
            self._by_token.charge(token_id)
            for one in (key, token_id):
                self._under_way[one] += 1
        return wait

    def end(self, address: str | None, token_id: int, *, has_failed: bool) -> None:
        """Only those that failed count."""
        key = network_of(address)
        if not has_failed:
            self._by_address.give_back(key)
            self._by_token.give_back(token_id)
        for one in (key, token_id):
            self._under_way[one] -= 1
            if not self._under_way[one]:
                del self._under_way[one]
        self._wake()

    def _wake(self) -> None:
        """Whoever waits longest looks again; then it is the next one's turn."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return


@functools.cache
def tries() -> TokenTries:
    """Those of this process."""
    tunables = conf.settings()
    return TokenTries(burst=tunables.token_failures, per_minute=tunables.token_failures_per_minute)


def is_from_own_page(scope: dict[str, Any], connection: str) -> bool:
    """Whether a handshake with a session cookie comes from a page of this site; logged when it does not."""
    is_own = auth.is_own_origin(scope)
    if not is_own:
        origin = auth.origin_of(scope)
        log_event(Kind.ORIGIN_REFUSED, address=address_of(scope), connection=connection, detail=origin)
    return is_own


@sensitive_variables("session_key")
async def identify_by_session(session_key: str, permission: str | None, connection: str) -> Identity | None:
    """None: it lets nobody in. Raises Refused when the database cannot be asked."""
    return await _ask(auth.identify_session, session_key, permission, connection)


@sensitive_variables("token")
async def identify_by_token(
    token: str, permission: str | None, connection: str, address: str | None
) -> Identity | None:
    """As `identify_by_session`; Refused `rate_limited` after too many that let nobody in."""
    token_id = auth.token_id_of(token)
    try:
        async with asyncio.timeout(threads.ANSWER_SECONDS):
            wait = await tries().begun(address, token_id)
    except TimeoutError:
        raise threads.refused_unavailable() from None
    if wait:
        log_event(Kind.TOKEN_LIMITED, address=address, connection=connection)
        raise Refused(ErrorCode.RATE_LIMITED, "too many wrong tokens", retry_after_ms=round(wait * 1000) + 1)
    has_failed = False
    try:
        identity = await _ask(auth.identify_token, token, permission, connection)
        has_failed = identity is None
    finally:
        tries().end(address, token_id, has_failed=has_failed)
    if identity is None:
        log_event(Kind.TOKEN_REFUSED, address=address, connection=connection)
    return identity


async def note_token_use(token_id: int) -> None:
    """See `auth.note_token_use`; without a database it is not noted."""
    try:
        await threads.write(auth.note_token_use, token_id)
    except Refused:
        logger.debug("the use of token %s was not noted", token_id)


@sensitive_variables("secret")
async def _ask(identify: Identify, secret: str, permission: str | None, connection: str) -> Identity | None:
    # Without arguments: those would stand in the frames of whatever carries them to the thread.
    @sensitive_variables("secret")
    def ask() -> Identity | None:
        return identify(secret, permission)

    try:
        return await threads.read(ask)
    except DatabaseError as error:
        logger.warning("who %s is cannot be read: %r", connection, error)
        raise threads.refused_unavailable() from error
