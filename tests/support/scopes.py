"""The ASGI scope of a WebSocket handshake, and the session key of a test client."""

from typing import Any

from django.test import Client

HOST = "chat.example.org"


def scope(
    *, origin: str | None = f"http://{HOST}", host: str = HOST, cookie: str = "sessionid=x", **more: Any
) -> dict[str, Any]:
    headers = [(b"host", host.encode()), (b"cookie", cookie.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    return {"type": "websocket", "headers": [*headers, *more.pop("headers", [])], **more}


def session_of(client: Client) -> str:
    return client.cookies["sessionid"].value
