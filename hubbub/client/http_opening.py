"""Opens a connection for HTTP: TLS, and the proxy of the environment."""

import asyncio
import base64
import functools
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from hubbub.client.http_response import MAX_HEAD_BYTES, BadResponse, read_response

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
OpenStreams = Callable[[str], Awaitable[Streams]]

PORTS = {"http": 80, "https": 443}


async def open_streams(url: str) -> Streams:
    """Open a connection to the host of `url`. Raises OSError."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    tls = tls_context() if parts.scheme == "https" else None
    if (proxy := proxy_of(parts.scheme, host)) is None:
        return await asyncio.open_connection(host, port, ssl=tls, limit=MAX_HEAD_BYTES)
    return await open_tunnel(proxy, host, port, tls)


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Certificates are checked as Python does by default."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def proxy_of(scheme: str, host: str) -> str | None:
    """The proxy for this host, by the variables HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."""
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    return None if not proxy or proxy_bypass(host) else proxy


async def open_tunnel(proxy: str, host: str, port: int, tls: ssl.SSLContext | None) -> Streams:
    """Connect through a proxy. Raises OSError."""
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme != "http" or not parts.hostname:
        raise OSError(f"a proxy is reached by http://, not by {parts.scheme}://")
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80, limit=MAX_HEAD_BYTES)
    try:
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        response = await read_response(reader, is_connect=True)
        if not 200 <= response.status < 300:
            raise BadResponse(f"the proxy answered HTTP {response.status}")
        if tls is not None:
            await writer.start_tls(tls, server_hostname=host)
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer
