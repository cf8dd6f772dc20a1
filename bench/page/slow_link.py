"""A TCP proxy between the browser and the server: it delays all bytes, and counts them.

The browser's own throttling delays requests only, not the frames of a WebSocket. The proxy delays both alike.
It runs in a thread of its own.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, Self

CHUNK_BYTES = 65_536
UPGRADE = b"upgrade: websocket"
WAIT_SECONDS = 10.0


class SlowLink:
    """Forwards a free local port to `target`.

    Args:
        target: A port of this host.
        round_trip: Seconds. Half of them pass before a byte is forwarded, in either direction.
        has_handshake: Whether a new connection takes a round trip more, as TCP's does.
    """

    def __init__(self, target: int, round_trip: float = 0.0, *, has_handshake: bool = False) -> None:
        self._target = target
        self._one_way = round_trip / 2
        self._handshake = round_trip if has_handshake else 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="slow-link", daemon=True)
        self._links: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        # Bytes of connections that became WebSockets, their handshakes included: to the server, and to the browser.
        self.socket_up = self.socket_down = 0
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, coroutine: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(WAIT_SECONDS)

    # In the thread

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _end(self) -> int:
        assert self._server is not None
        self._server.close()
        links = [*self._links]
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        return len(links)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        writers = [writer]
        try:
            await self._forward(reader, writers)
        except OSError:
            pass
        except asyncio.CancelledError:
            pass  # The link ends: nobody awaits this task.
        finally:
            self._links.discard(link)
            for made in writers:
                made.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writers: list[asyncio.StreamWriter]) -> None:
        """Forward both ways until one ends: half-closed connections are not used here."""
        opened_at = self._loop.time() + self._handshake
        upstream, writer = await asyncio.open_connection("127.0.0.1", self._target)
        writers.append(writer)
        kind = _Kind()
        ways = [
            asyncio.create_task(self._pass_on(reader, writer, kind, opened_at, is_up=True)),
            asyncio.create_task(self._pass_on(upstream, writers[0], kind, opened_at, is_up=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        kind: "_Kind",
        opened_at: float,
        *,
        is_up: bool,
    ) -> None:
        """Forward one way. Chunks that wait do not delay the reading of later ones."""
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(reader, chunks, kind, opened_at, is_up=is_up))
            while (sent := await chunks.get())[1]:
                due, chunk = sent
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                writer.write(chunk)
                await writer.drain()

    async def _read(
        self,
        reader: asyncio.StreamReader,
        chunks: "asyncio.Queue[tuple[float, bytes]]",
        kind: "_Kind",
        opened_at: float,
        *,
        is_up: bool,
    ) -> None:
        chunk = b"x"
        while chunk:
            chunk = b""
            with contextlib.suppress(OSError):
                chunk = await reader.read(CHUNK_BYTES)
            kind.is_socket = kind.is_socket or (is_up and UPGRADE in chunk.lower())
            if kind.is_socket and is_up:
                self.socket_up += len(chunk)
            elif kind.is_socket:
                self.socket_down += len(chunk)
            await chunks.put((max(self._loop.time(), opened_at) + self._one_way, chunk))


class _Kind:
    """What a connection has become."""

    is_socket = False
