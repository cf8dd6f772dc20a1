"""The address of a site, and ways to it: a WebSocket as a browser opens one, and a connection for HTTP."""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect, unix_connect


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a site, http://host:port; `unix_socket` reaches one of its processes."""

    url: str
    unix_socket: str | None = None


async def open_socket(address: Address, path: str, cookie: str) -> ClientConnection:
    """Open a WebSocket. An empty cookie: the socket sends a token later."""
    url = address.url.replace("http", "ws", 1) + path
    headers = {"Cookie": f"sessionid={cookie}", "Origin": address.url} if cookie else {}
    options: dict[str, Any] = {
        "additional_headers": headers,
        "compression": None,
        "max_size": None,
        # As in a browser; the protocol has its own `ping`.
        "ping_interval": None,
        "open_timeout": None,
        "close_timeout": 1,
    }
    if address.unix_socket is not None:
        return await unix_connect(address.unix_socket, url, **options)
    return await connect(url, proxy=None, **options)


async def open_streams(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection for requests by HTTP."""
    if address.unix_socket is not None:
        return await asyncio.open_unix_connection(address.unix_socket)
    parts = urlsplit(address.url)
    return await asyncio.open_connection(parts.hostname, parts.port)
