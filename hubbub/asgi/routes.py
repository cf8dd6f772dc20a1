"""Routes: the one for what no other route takes, and what a page request to a socket's address is told."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.urls import re_path

from hubbub.delivery.outbox import send_denial

Application = Callable[[Any, Any, Any], Awaitable[None]]

UPGRADE = b"This is the address of a WebSocket: ask for it with Upgrade: websocket (RFC 6455).\n"
SOCKETS = "ws/"  # All of them lie below it.


async def _refuse_path(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send_denial(scope, send, 404)


# The last route of a URLRouter: a socket to an unknown path is not found, without a traceback.
refuse_unknown_path = re_path(r"", _refuse_path)  # type: ignore[arg-type]


def with_upgrade_required(pages: Application, sockets: Sequence[Any]) -> Application:
    """`pages`, but 426 for a request without `Upgrade` to the address of one of `sockets`, which are routes."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        if path.startswith(SOCKETS) and (path == SOCKETS or any(one.pattern.match(path) for one in sockets)):
            await _require_upgrade(scope, send)
        else:
            await pages(scope, receive, send)

    return wrapped


async def _require_upgrade(scope: Any, send: Any) -> None:
    """RFC 9110 section 15.5.22: the answer names the protocol."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(UPGRADE)),
        (b"upgrade", b"websocket"),
        (b"connection", b"Upgrade"),
    ]
    await send({"type": "http.response.start", "status": 426, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else UPGRADE})
