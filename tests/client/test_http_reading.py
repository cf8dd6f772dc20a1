"""Answers of HTTP/1.1 and server-sent events are read strictly and within bounds. Proxies are used, and TLS."""

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from hubbub.client import Client, ConnectionEnded, events, http_opening, http_response
from hubbub.client.events import Event, EventReader
from hubbub.client.http_opening import open_streams, proxy_of
from hubbub.client.http_response import BadResponse, read_response


def reader_of(data: bytes, limit: int = http_response.MAX_HEAD_BYTES) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit)
    reader.feed_data(data)
    reader.feed_eof()
    return reader


async def body_of(data: bytes) -> tuple[int, bytes, bool]:
    response = await read_response(reader_of(data))
    return response.status, await response.body(1000), response.is_kept


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "body", "is_kept"),
    [
        (OK + b"Content-Length: 3\r\n\r\nabcdef", b"abc", True),
        (OK + b"content-length:3\r\nConnection: Close\r\n\r\nabc", b"abc", False),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b"", True),
        (CHUNKED + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", b"abc0123456789", True),
        (OK + b"\r\nall of it", b"all of it", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", b"a", False),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", b"a", True),
    ],
)
async def test_each_kind_of_body_is_read_to_its_end(data: bytes, body: bytes, is_kept: bool) -> None:
    assert await body_of(data) == (200, body, is_kept)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + OK + b"\r\n",
        OK + b"Name : x\r\n\r\n",
        OK + b"A: b\r\n folded\r\n\r\n",
        OK + b"A: b\rc\r\n\r\n",
        OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Content-Length: 3\r\n\r\nab",
        CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
        CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"3\nabc\r\n0\r\n\r\n",
        CHUNKED + b"FFFFFFFFF\r\n",
        CHUNKED + b"3\r\nabc\r\n",
        CHUNKED + b"0\r\n" + b"a: b\r\n" * 100 + b"\r\n",
        OK + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001,
        OK + b"A: " + b"x" * (80 << 10) + b"\r\n\r\n",
    ],
)
async def test_what_is_broken_ambiguous_or_too_long_is_an_error(data: bytes) -> None:
    with pytest.raises(BadResponse):
        await body_of(data)


def test_events_are_the_same_however_the_stream_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = 'data: {"a":1}\n\n:\n\nid: room/x:e:4\n\nevent: close\ndata: {"é":2}\n\ndata:one\ndata: two\n\nda'.encode()
    whole = [Event("", '{"a":1}'), Event("close", '{"é":2}'), Event("", "one\ntwo")]
    for size in (1, 2, 3, 7, 1000):
        reader = EventReader()
        parts = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert [event for part in parts for event in reader.take(part)] == whole
    monkeypatch.setattr(events, "MAX_FRAME_BYTES", 10)
    with pytest.raises(ValueError, match="without an end"):
        EventReader().take(b"data: 0123456789")


async def test_a_proxy_of_the_environment_is_used_and_may_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        status = b"200 OK" if b"site.example" in asked[-1] else b"403 No"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\nbytes")
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://me:p%40ss@127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "local.example")
    for name in ("http_proxy", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_of("http", "local.example") is None
    reader, writer = await open_streams("http://site.example/live/")
    assert asked[0].startswith(b"CONNECT site.example:80 HTTP/1.1\r\nHost: site.example:80\r\n")
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in asked[0]
    assert await reader.read() == b"bytes"
    writer.transport.abort()
    with pytest.raises(OSError, match="403"):
        await open_streams("http://other.example/live/")
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(OSError, match="socks5"):
        await open_streams("http://site.example/live/")
    server.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """The folder of a certificate for localhost."""
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    make = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names, "-keyout", "key.pem")
    subprocess.run([*make, "-out", "cert.pem"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


@pytest.mark.slow
async def test_tls_is_checked_also_through_a_proxy(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    async def site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        there, back = await asyncio.open_connection(*target.split(":"))
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        tasks.update(asyncio.create_task(forward(*pair)) for pair in ((reader, back), (there, writer)))

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    async def echo(url: str) -> bytes:
        reader, writer = await open_streams(url)
        try:
            writer.write(b"hello\n")
            return await reader.read()
        finally:
            writer.transport.abort()

    tasks: set[asyncio.Task[None]] = set()
    for name in ("https_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with (
        await asyncio.start_server(site, "127.0.0.1", 0, ssl=server_tls) as server,
        await asyncio.start_server(proxy, "127.0.0.1", 0) as between,
    ):
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}/live/"
        with pytest.raises(ConnectionEnded, match="certificate"):
            await Client(url).__aenter__()
        trusting = ssl.create_default_context(cafile=certificate / "cert.pem")
        monkeypatch.setattr(http_opening, "tls_context", lambda: trusting)
        assert await echo(url) == b"hello\n"
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{between.sockets[0].getsockname()[1]}")
        assert await echo(url) == b"hello\n"
        assert len(tasks) == 2
        await asyncio.wait(tasks)
