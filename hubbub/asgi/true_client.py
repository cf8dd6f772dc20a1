"""The true address and scheme of a client, from the forwarding headers of trusted proxies only.

A layer around the whole ASGI application: pages and sockets get a corrected `scope`.
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

# A proxy that is missing in the settings sends them with each request: one log line an hour.
_log_budget = Buckets(per_second=1 / 3600, burst=1)


def with_true_client(application: Application, proxies: Sequence[str]) -> Application:
    """Wrap `application` so that it gets the address and scheme of the client behind one of `proxies`.

    Forwarding headers from other peers are removed. The root path always comes from the settings: daphne reads it from
    a header that any client may send.
    """
    trusted = TrustedProxies(proxies)

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = true_scope(scope, trusted)
        await application(scope, receive, send)

    return wrapped


def true_scope(scope: dict[str, Any], trusted: TrustedProxies) -> dict[str, Any]:
    """Return `scope` with the true `client` and `scheme`, and without forwarding headers of untrusted peers."""
    forwarded = [(name, value) for name, value in scope["headers"] if name in FORWARDED]
    root_path = settings.FORCE_SCRIPT_NAME or ""
    if not forwarded and scope.get("root_path", "") == root_path:
        return scope
    scope = {**scope, "root_path": root_path}
    peer = scope["client"][0] if scope.get("client") else None
    if peer not in trusted:
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in FORWARDED]
        if forwarded:
            _log_ignored(peer, forwarded)
        return scope
    address = forwarded_address(peer, _words(forwarded, b"x-forwarded-for"), trusted)
    if address != peer:
        scope["client"] = [address, 0]
    # The nearest proxy wrote the last value.
    match _words(forwarded, b"x-forwarded-proto")[-1:]:
        case ["https" | "wss"]:
            scope["scheme"] = SECURE[_scheme(scope)]
        case ["http" | "ws"]:
            scope["scheme"] = PLAIN[_scheme(scope)]
    return scope


def forwarded_address(peer: str | None, hops: Sequence[str], trusted: TrustedProxies) -> str | None:
    """Return the address of the client: the last one that is not a trusted proxy.

    It is read from the end: an untrusted hop could forge everything before it.

    Args:
        peer: the address of the connection.
        hops: the addresses of X-Forwarded-For; each proxy appends the address of its peer.
        trusted: the trusted proxies.
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


def _words(headers: list[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """The comma-separated words of all headers `name`."""
    values = [value.decode("latin-1") for key, value in headers if key == name]
    return [word for value in values for part in value.split(",") if (word := part.strip())]


def _scheme(scope: dict[str, Any]) -> str:
    # daphne sets no scheme for sockets.
    scheme: str = scope.get("scheme") or {"http": "http", "websocket": "ws"}[scope["type"]]
    return scheme if scheme in SECURE else "http"


def _log_ignored(peer: str | None, headers: list[tuple[bytes, bytes]]) -> None:
    if not _log_budget.take(network_of(peer)):
        names = sorted({name.decode("latin-1") for name, _ in headers})
        log_event(Kind.FORWARDING_IGNORED, address=peer, detail=", ".join(names))
