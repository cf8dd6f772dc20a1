"""Routes for unknown socket paths, and for page requests to the address of a socket."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.urls import re_path

from hubbub.delivery.asgi_outbox import send_denial

Application = Callable[[Any, Any, Any], Awaitable[None]]

UPGRADE = b"This is the address of a WebSocket: send the header Upgrade: websocket (RFC 6455).\n"
SOCKETS = "ws/"  # The prefix of all socket paths.


async def _refuse_path(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send_denial(scope, send, 404)


# The last route of a URLRouter: a socket on an unknown path gets 404, instead of a traceback in the log.
refuse_unknown_path = re_path(r"", _refuse_path)  # type: ignore[arg-type]


def with_upgrade_required(pages: Application, sockets: Sequence[Any]) -> Application:
    """Wrap `pages` so that a page request to the address of a socket gets 426.

    Args:
        pages: the ASGI application for HTTP.
        sockets: the routes of the sockets.
    """

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        if path.startswith(SOCKETS) and (path == SOCKETS or any(route.pattern.match(path) for route in sockets)):
            await _require_upgrade(scope, send)
        else:
            await pages(scope, receive, send)

    return wrapped


async def _require_upgrade(scope: Any, send: Any) -> None:
    """Send 426 with the required protocol: RFC 9110 section 15.5.22."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(UPGRADE)),
        (b"upgrade", b"websocket"),
        (b"connection", b"Upgrade"),
    ]
    await send({"type": "http.response.start", "status": 426, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else UPGRADE})
