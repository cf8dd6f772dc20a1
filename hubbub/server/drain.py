"""The orderly end of a server process: its sockets leave in batches, each with its answers; its requests are answered.

All at once they would arrive at the other processes in the same moment, and be missed here by those still served.
"""

import asyncio
import logging
import math
from collections.abc import Collection, Sequence
from typing import Protocol

from hubbub import publish
from hubbub.process.draining import begin_draining

logger = logging.getLogger(__name__)

BATCH_SECONDS = 0.1
MIN_BATCH = 20
SPREAD_SECONDS = 5.0  # From the first batch to the last; a socket then has as long as a post to be answered.
LATECOMER_SECONDS = 0.3  # A connection that was accepted just before the end has its request still on the way.
END_SECONDS = 13.0  # Then whatever still runs is cancelled: supervisors kill after fifteen.
CANCEL_SECONDS = 0.5
PUBLISH_SECONDS = 0.5


class Socket(Protocol):
    def drain(self) -> bool:
        """Have it answer what it has taken, and close it with 1012. False: too early, ask again."""


class Server(Protocol):
    takes_sockets: bool

    def stop_listening(self) -> None: ...

    def sockets(self) -> Sequence[Socket]: ...

    def applications(self) -> "Collection[asyncio.Future[None]]":
        """What still runs for a socket or a request."""

    def is_transferring(self) -> bool:
        """Whether a request is still arriving, or an answer being sent."""


async def drain(server: Server) -> None:
    """Return when nothing runs any more, at most END_SECONDS and a little later."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    begin_draining()
    server.stop_listening()
    asked: set[Socket] = set()
    batch = max(MIN_BATCH, math.ceil(len(server.sockets()) * BATCH_SECONDS / SPREAD_SECONDS))
    while True:
        passed = loop.time() - started
        server.takes_sockets = passed < LATECOMER_SECONDS
        for socket in [one for one in server.sockets() if one not in asked][:batch]:
            if socket.drain():
                asked.add(socket)
        running = server.applications()
        if passed >= END_SECONDS or not (running or server.takes_sockets or server.is_transferring()):
            break
        await asyncio.sleep(BATCH_SECONDS)
    if running:
        logger.warning("%d sockets and requests did not end in time and were cut off", len(running))
        for one in running:
            one.cancel()
        await asyncio.wait(running, timeout=CANCEL_SECONDS)
    await publish.flushed(PUBLISH_SECONDS)
