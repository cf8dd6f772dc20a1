"""Authentication of sockets by the database, in a thread.

Sessions and tokens are secrets: they appear in no log line and in no error report.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from django.db import Error as DatabaseError
from django.views.decorators.debug import sensitive_variables

from hubbub import threads
from hubbub.auth import hook_threads, own_sign_in, tokens
from hubbub.auth.authenticator import SignInRequest
from hubbub.auth.identity import Identity, identify_own, identify_session, identify_token
from hubbub.auth.origin import headers_of, is_own_origin, origin_of
from hubbub.auth.token_attempts import token_attempts
from hubbub.process.security_log import Kind, address_of, log_event
from hubbub.protocol import ErrorCode, Refused

logger = logging.getLogger(__name__)

Identify = Callable[[str, str | None], Identity | None]

# Schemes of `Authorization` with a token. Browsers send others, such as Basic, with handshakes of any site.
TOKEN_SCHEMES = {"bearer", "token"}
OWN_PREFIX = f"{tokens.TOKEN_PREFIX}_"


def is_from_own_page(scope: dict[str, Any], connection: str) -> bool:
    """Whether a handshake that would be of a user comes from a page of this site. A foreign origin is logged."""
    is_own = is_own_origin(scope)
    if not is_own:
        origin = origin_of(scope)
        log_event(Kind.ORIGIN_REFUSED, address=address_of(scope), connection=connection, detail=origin)
    return is_own


@sensitive_variables("session_key")
async def identify_by_session(session_key: str, permission: str | None, connection: str) -> Identity | None:
    """Find the user of a session.

    Returns:
        None: the session is not valid.

    Raises:
        Refused: `unavailable`, the database cannot be read.
    """
    return await _identify(identify_session, session_key, permission, connection)


@sensitive_variables("token")
def token_of(scope: dict[str, Any]) -> str | None:
    """The token in the header `Authorization` of a handshake; None: there is none that the site has a use for."""
    for value in headers_of(scope, b"authorization"):
        scheme, _, token = value.decode("latin-1").partition(" ")
        is_known = token.strip().startswith(OWN_PREFIX) or own_sign_in.configured_path() is not None
        if scheme.lower() in TOKEN_SCHEMES and is_known:
            return token.strip()
    return None


@sensitive_variables("scope")
async def identify_by_request(scope: dict[str, Any], permission: str | None) -> Identity | None:
    """Find the user of a handshake by the project's own sign-in.

    Returns:
        VISITOR for an anonymous visitor; None: not signed in.

    Raises:
        Refused: `unavailable`: the database is away, or the sign-in late; `internal`: it has failed.
    """
    if own_sign_in.configured_path() is None:
        return None
    return await _identify_own("from_request", SignInRequest(scope), permission)


@sensitive_variables("token")
async def identify_by_token(
    token: str, permission: str | None, connection: str, address: str | None
) -> Identity | None:
    """As `identify_by_session`; also raises Refused `rate_limited` after too many wrong tokens.

    Tokens that begin with `hub_` are access tokens; others are of the project's own sign-in, if there is one.
    """
    is_own = own_sign_in.configured_path() is not None and not token.startswith(OWN_PREFIX)
    # Below 0, where no access token is: texts that differ have limits of their own.
    token_id = -abs(hash(token)) - 1 if is_own else tokens.token_id_of(token)
    try:
        async with asyncio.timeout(threads.ANSWER_SECONDS):
            wait = await token_attempts().begin_in_turn(address, token_id)
    except TimeoutError:
        raise threads.refused_unavailable() from None
    if wait:
        log_event(Kind.TOKEN_LIMITED, address=address, connection=connection)
        raise Refused(
            ErrorCode.RATE_LIMITED, "too many failed attempts with wrong tokens", retry_after_ms=round(wait * 1000) + 1
        )
    has_failed = False
    try:
        if is_own:
            identity = await _identify_own("from_token", token, permission)
        else:
            identity = await _identify(identify_token, token, permission, connection)
        has_failed = identity is None
    finally:
        token_attempts().end(address, token_id, has_failed=has_failed)
    if identity is None:
        log_event(Kind.TOKEN_REFUSED, address=address, connection=connection)
    return identity


async def note_token_use(token_id: int) -> None:
    """See `tokens.note_token_use`; skipped while the database is away."""
    try:
        await threads.write(tokens.note_token_use, token_id)
    except Refused:
        logger.debug("token %s: last use not saved", token_id)


@sensitive_variables("secret")
async def _identify(identify: Identify, secret: str, permission: str | None, connection: str) -> Identity | None:
    # A closure: arguments would appear in the stack frames of the thread pool.
    @sensitive_variables("secret")
    def run() -> Identity | None:
        return identify(secret, permission)

    try:
        return await threads.read(run)
    except DatabaseError as error:
        logger.warning("socket: authentication of %s failed: %r", connection, error)
        raise threads.refused_unavailable() from error


@sensitive_variables("argument")
async def _identify_own(method: str, argument: Any, permission: str | None) -> Identity | None:
    @sensitive_variables("argument")
    def run() -> Identity | None:
        return identify_own(method, argument, permission)

    try:
        return await hook_threads.run(method, run)
    except DatabaseError as error:
        own_sign_in.log_of(method).failed(repr(error), with_traceback=True)
        raise threads.refused_unavailable() from error
