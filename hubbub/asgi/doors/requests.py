"""A request to a door: what it may be, and its scope as of a socket."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.db import Error as DatabaseError

from hubbub import conf
from hubbub.asgi.doors import csrf
from hubbub.asgi.doors.answers import Problem
from hubbub.auth.admission import token_of
from hubbub.auth.origin import headers_of, is_own_origin, own_origin
from hubbub.protocol import ErrorCode, Refused

Receive = Callable[[], Awaitable[dict[str, Any]]]

WEBSOCKET_SCHEMES = {"https": "wss", "wss": "wss"}


def query_of(scope: dict[str, Any], allowed: frozenset[str]) -> dict[str, list[str]]:
    """The parameters of the address.

    Raises:
        Problem: another name than those `allowed`, or not UTF-8.
    """
    raw = scope.get("query_string", b"")
    try:
        query = parse_qs(
            raw.decode("ascii"), keep_blank_values=True, strict_parsing=bool(raw), errors="strict", max_num_fields=500
        )
    except ValueError:
        raise Problem(ErrorCode.INVALID, "the query is not of the form name=value&name=value") from None
    if unknown := sorted(query.keys() - allowed):
        names = ", ".join(sorted(allowed))
        raise Problem(ErrorCode.INVALID, f"unknown parameter {unknown[0][:50]!r}; allowed: {names}")
    return query


def header_of(scope: dict[str, Any], name: bytes) -> str:
    """The value of a header; "" if it is missing.

    Raises:
        Problem: there are several.
    """
    values = headers_of(scope, name)
    if len(values) > 1:
        raise Problem(ErrorCode.INVALID, f"several headers {name.decode()}")
    return values[0].decode("latin-1").strip() if values else ""


def check_accepts(scope: dict[str, Any], kind: str) -> None:
    """Raises Problem: the client accepts no content of this kind."""
    accepted = [value.decode("latin-1") for value in headers_of(scope, b"accept")]
    kinds = [part.partition(";")[0].strip().lower() for value in accepted for part in value.split(",")]
    if kinds and not {kind, f"{kind.partition('/')[0]}/*", "*/*"} & set(kinds):
        raise Problem(ErrorCode.INVALID, f"this answers with {kind}, which the header Accept leaves out", status=406)


def has_token(scope: dict[str, Any]) -> bool:
    """Whether it is signed in by a token: its cookies then count for nothing. Raises Problem as `header_of`."""
    header_of(scope, b"authorization")
    return token_of(scope) is not None


async def check_write(scope: dict[str, Any]) -> None:
    """Check that no page of another site can have sent this POST with a cookie.

    Raises:
        Problem: a foreign Origin, or `csrf`: fetch a new token from a stream.
    """
    if has_token(scope) or not headers_of(scope, b"cookie"):
        return  # No browser sends the one by itself; without cookies the sign-in checks the Origin.
    if not is_own_origin(scope):
        raise Problem(ErrorCode.FORBIDDEN, "a POST by cookie needs the Origin of this site; use a token elsewhere")
    try:
        is_valid = await csrf.is_valid(scope)
    except (Refused, DatabaseError):
        raise Problem(ErrorCode.UNAVAILABLE, "the session cannot be read; try again") from None
    if not is_valid:
        raise Problem(
            "csrf", f"the header {_token_header()} is missing or wrong; hello on a stream has a new token", status=403
        )


def check_json(scope: dict[str, Any]) -> None:
    """Raises Problem: the body is not declared as JSON."""
    kind = header_of(scope, b"content-type").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(ErrorCode.INVALID, "send one command with Content-Type: application/json", status=415)


async def read_body(scope: dict[str, Any], receive: Receive) -> str | None:
    """Read the body, no more of it than a frame may have.

    Returns:
        The text; None: the client has gone.

    Raises:
        Problem: it is too long, late, or not UTF-8.
    """
    try:
        async with asyncio.timeout(conf.settings().request_seconds):
            return await _read_body(scope, receive)
    except TimeoutError:
        raise Problem(ErrorCode.INVALID, "the body did not arrive in time", status=408) from None


async def _read_body(scope: dict[str, Any], receive: Receive) -> str | None:
    limit = conf.settings().frame_bytes
    length = header_of(scope, b"content-length")
    if length.isdecimal() and int(length[:20]) > limit:
        raise _too_long(scope, limit)
    body = b""
    while True:
        message: dict[str, Any] = await receive()
        if message["type"] != "http.request":
            return None
        body += bytes(message.get("body", b""))
        if len(body) > limit:
            raise _too_long(scope, limit)
        if not message.get("more_body"):
            break
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Problem(ErrorCode.INVALID, "the body is not UTF-8") from None


def socket_scope(scope: dict[str, Any], extensions: dict[str, Any], *, may_read: bool) -> dict[str, Any]:
    """The scope of a socket that signs in as this request does.

    Args:
        scope: of the request.
        extensions: of the socket.
        may_read: a GET without an Origin, from a page of this site, counts as one with it. Browsers send none then, but
            Sec-Fetch-Site, which no page can forge.
    """
    headers = scope["headers"]
    if may_read and not headers_of(scope, b"origin") and headers_of(scope, b"sec-fetch-site") == [b"same-origin"]:
        origin = own_origin(scope)
        headers = [*headers, *([(b"origin", origin.encode("latin-1"))] if origin is not None else [])]
    return {
        **scope,
        "type": "websocket",
        "scheme": WEBSOCKET_SCHEMES.get(scope.get("scheme", ""), "ws"),
        "subprotocols": [],
        "headers": headers,
        "extensions": {"websocket.http.response": {}, **extensions},
    }


def _too_long(scope: dict[str, Any], limit: int) -> Problem:
    # The rest of the body is not read. HTTP/2 has no such header, and needs none.
    headers = [(b"connection", b"close")] if scope.get("http_version", "1.1").startswith("1") else []
    return Problem(ErrorCode.TOO_LONG, f"a command has at most {limit} bytes", headers=headers)


def _token_header() -> str:
    return str(settings.CSRF_HEADER_NAME).removeprefix("HTTP_").replace("_", "-").title()
