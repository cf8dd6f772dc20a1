"""Where a request really comes from: its client's address and scheme as a trusted proxy tells them, and nobody else.

A layer around the whole ASGI application: pages and sockets get a `scope` in which this is settled.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.conf import settings

from hubbub.limits.token_buckets import Buckets
from hubbub.process.addresses import FORWARDED, TrustedProxies, network_of, parse_address
from hubbub.process.security_log import Kind, log_event

Application = Callable[[Any, Any, Any], Awaitable[None]]
SECURE = {"http": "https", "ws": "wss", "https": "https", "wss": "wss"}
PLAIN = {secure: plain for plain, secure in SECURE.items() if plain != secure} | {"http": "http", "ws": "ws"}

# A proxy that settings do not name does it with each request: one line an hour tells of it.
_complaints = Buckets(per_second=1 / 3600, burst=1)


def with_true_client(application: Application, proxies: Sequence[str]) -> Application:
    """`application`, which sees the client's own address and scheme when it comes by one of `proxies`.

    Forwarding headers from anybody else are taken away, so that nothing behind this can believe them, and so is a root
    path: daphne takes that from a header of the client's, and ours is in the settings.
    """
    trusted = TrustedProxies(proxies)

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = true_scope(scope, trusted)
        await application(scope, receive, send)

    return wrapped


def true_scope(scope: dict[str, Any], trusted: TrustedProxies) -> dict[str, Any]:
    """`scope` with the true `client` and `scheme`, and without what only a proxy may say."""
    told = [(name, value) for name, value in scope["headers"] if name in FORWARDED]
    root_path = settings.FORCE_SCRIPT_NAME or ""
    if not told and scope.get("root_path", "") == root_path:
        return scope
    scope = {**scope, "root_path": root_path}
    peer = scope["client"][0] if scope.get("client") else None
    if peer not in trusted:
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in FORWARDED]
        if told:
            _complain(peer, told)
        return scope
    address = forwarded_address(peer, _words(told, b"x-forwarded-for"), trusted)
    if address != peer:
        scope["client"] = [address, 0]
    # Of several, the last: that of the proxy which speaks to us.
    match _words(told, b"x-forwarded-proto")[-1:]:
        case ["https" | "wss"]:
            scope["scheme"] = SECURE[_scheme(scope)]
        case ["http" | "ws"]:
            scope["scheme"] = PLAIN[_scheme(scope)]
    return scope


def forwarded_address(peer: str | None, hops: Sequence[str], trusted: TrustedProxies) -> str | None:
    """The last address that a trusted proxy saw. `hops`: X-Forwarded-For, to which each proxy appends whom it saw.

    Read from its end, since whatever stands before the first hop that is not trusted is what that one says of itself.
    """
    address = peer
    for hop in reversed(hops):
        parsed = parse_address(hop)
        if parsed is None:
            break
        address = str(parsed)
        if address not in trusted:
            break
    return address


def _words(told: list[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """The comma-separated words of a header, however often it stands there."""
    values = [value.decode("latin-1") for key, value in told if key == name]
    return [word for value in values for part in value.split(",") if (word := part.strip())]


def _scheme(scope: dict[str, Any]) -> str:
    # daphne does not say it of sockets.
    scheme: str = scope.get("scheme") or {"http": "http", "websocket": "ws"}[scope["type"]]
    return scheme if scheme in SECURE else "http"


def _complain(peer: str | None, told: list[tuple[bytes, bytes]]) -> None:
    if not _complaints.take(network_of(peer)):
        names = sorted({name.decode("latin-1") for name, _ in told})
        log_event(Kind.FORWARDING_IGNORED, address=peer, detail=", ".join(names))
