"""A TCP proxy between processes and Redis or PostgreSQL: slow, cut, reset, silent or away.

It runs in its own thread, independent of the test's event loop.
"""

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

R = TypeVar("R")

CHUNK_BYTES = 65_536
SLOW_CHUNK_BYTES = 500
UPGRADE = re.compile(rb"\r\nupgrade: websocket", re.IGNORECASE)
NO_LINGER = struct.pack("ii", 1, 0)  # socket(7): closing discards what is unsent and sends RST.


class Proxy:
    """Forwards a free local port to the UNIX socket `target`. Each method returns after it has taken effect."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._links: dict[Link, asyncio.Task[None]] = {}
        self.transports: WeakSet[asyncio.WriteTransport] = WeakSet()
        self._listener: asyncio.Server | None = None
        self._port = 0
        self.delay_seconds = 0.0
        # Of a WebSocket, each way; None: as fast as they come.
        self.bytes_per_second: float | None = None
        # As an old proxy: requests for a WebSocket lose the header that asks for it.
        self.drops_upgrades = False
        # All bytes of both ways; None: they are not recorded.
        self.record: bytearray | None = None

    def __enter__(self) -> "Proxy":
        self._thread.start()
        # Made in its own loop.
        self.flowing = self._do(_new_event())
        self.pass_on()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop_listening())
        self._do(self._end_late_ones())
        self._do(self._abort_closing())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def connections(self) -> int:
        return len(self._links)

    def pass_on(self) -> None:
        """Accept connections and forward everything at once, also bytes held back by a black hole, as TCP would."""
        self.delay(0)
        self._loop.call_soon_threadsafe(self.flowing.set)
        self._do(self._listen())

    def delay(self, seconds: float) -> None:
        """Forward everything with this delay, each way."""
        self.delay_seconds = seconds

    def black_hole(self) -> None:
        """Accept connections and bytes, and forward nothing, like a lost route or a hung host."""
        self._do(self._stop_flowing())

    def lose(self) -> None:
        """Silence all present connections for good; forward new ones."""
        self._do(self._lose_all())

    def cut(self) -> None:
        """End all connections with FIN. Accept new ones."""
        self._do(self._end_all(None))

    def reset(self) -> None:
        """End all connections with RST, bytes under way included. Accept new ones."""
        self._do(self._end_all(NO_LINGER))

    def go_away(self) -> None:
        """Reset all connections and refuse new ones until `pass_on`."""
        self._do(self._stop_listening())
        self.reset()

    def _do(self, coroutine: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    # In the thread

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._take, "127.0.0.1", self._port)
            self._port = self._listener.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _stop_flowing(self) -> None:
        self.flowing.clear()

    async def _lose_all(self) -> None:
        self.flowing.clear()
        self.flowing = asyncio.Event()
        self.flowing.set()

    async def _end_all(self, linger: bytes | None) -> None:
        links = {**self._links}
        for link, task in links.items():
            link.end(linger)
            task.cancel()
        await asyncio.gather(*links.values(), return_exceptions=True)

    async def _end_late_ones(self) -> None:
        """End connections accepted just before the listener closed; they become links some turns later."""
        for _ in range(10):
            await self._end_all(NO_LINGER)
            await asyncio.sleep(0)

    async def _abort_closing(self) -> None:
        """Drop connections that are being accepted, or closed with unread bytes: they would outlive the loop."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for transport in [*self.transports]:
            transport.abort()
        for _ in range(3):  # Each transport closes its socket some turns later.
            await asyncio.sleep(0)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self, writer)
        task = asyncio.current_task()
        assert task is not None
        self._links[link] = task
        try:
            await link.run(reader, self.target)
        except (OSError, asyncio.CancelledError):
            link.end(NO_LINGER)
        finally:
            del self._links[link]


class Link:
    """One client connection and its connection to the target."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._flowing = proxy.flowing
        self._writers = [client]
        proxy.transports.add(client.transport)
        self._is_websocket = False

    async def run(self, reader: asyncio.StreamReader, target: Path) -> None:
        await self._flowing.wait()
        upstream, writer = await asyncio.open_unix_connection(target)
        self._writers.append(writer)
        self._proxy.transports.add(writer.transport)
        ways = [asyncio.create_task(self._pass_on(*way)) for way in ((reader, writer), (upstream, self._writers[0]))]
        try:
            # The end of one way ends both: half-closed connections are not used here.
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
            self.end(None)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    def end(self, linger: bytes | None) -> None:
        for writer in self._writers:
            transport = writer.transport
            if linger is None:
                transport.close()
            elif not transport.is_closing():
                if (connection := transport.get_extra_info("socket")).family != socket.AF_UNIX:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one way until its end. Delayed chunks do not delay the reading of later ones."""
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(100)
        reading = asyncio.create_task(self._read(reader, chunks))
        try:
            while True:
                due, chunk = await chunks.get()
                await asyncio.sleep(due - asyncio.get_running_loop().time())
                await self._flowing.wait()
                if not chunk:
                    return
                rate = self._proxy.bytes_per_second if self._is_websocket else None
                for piece in [chunk] if rate is None else cut(chunk):
                    writer.write(piece)
                    await writer.drain()
                    if rate is not None:
                        await asyncio.sleep(len(piece) / rate)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, reader: asyncio.StreamReader, chunks: "asyncio.Queue[tuple[float, bytes]]") -> None:
        chunk = b"x"
        while chunk:
            try:
                chunk = await reader.read(CHUNK_BYTES)
            except OSError:
                chunk = b""
            if self._proxy.drops_upgrades:
                chunk = UPGRADE.sub(b"", chunk)
            if self._proxy.record is not None:
                self._proxy.record += chunk
            self._is_websocket = self._is_websocket or b"upgrade: websocket" in chunk.lower()
            await chunks.put((asyncio.get_running_loop().time() + self._proxy.delay_seconds, chunk))


def cut(chunk: bytes) -> list[bytes]:
    return [chunk[start : start + SLOW_CHUNK_BYTES] for start in range(0, len(chunk), SLOW_CHUNK_BYTES)]


async def _new_event() -> asyncio.Event:
    return asyncio.Event()
