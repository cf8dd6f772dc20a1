"""The orderly end of a server process: requests are answered, and sockets close in batches after their answers.

Closed all at once, clients would reconnect to the other processes in the same moment.
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
SPREAD_SECONDS = 5.0  # From the first batch to the last. A socket then has the deadline of a post to be answered.
LATECOMER_SECONDS = 0.3  # The request of a just accepted connection may still be in transit.
END_SECONDS = 13.0  # Then running requests and sockets are cancelled: supervisors kill after 15 s.
CANCEL_SECONDS = 0.5
PUBLISH_SECONDS = 0.5


class Socket(Protocol):
    def drain(self) -> bool:
        """Let it answer received commands, then close it with 1012. False: too early, call again."""


class Server(Protocol):
    accepts_sockets: bool

    def stop_listening(self) -> None: ...

    def sockets(self) -> Sequence[Socket]: ...

    def applications(self) -> "Collection[asyncio.Future[None]]":
        """The running tasks of sockets and requests."""

    def is_transferring(self) -> bool:
        """Whether a request is still arriving, or an answer being sent."""


async def drain(server: Server) -> None:
    """Stop listening, close all sockets, and return when all requests are answered, or soon after END_SECONDS."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    begin_draining()
    server.stop_listening()
    drained: set[Socket] = set()
    batch = max(MIN_BATCH, math.ceil(len(server.sockets()) * BATCH_SECONDS / SPREAD_SECONDS))
    while True:
        passed = loop.time() - started
        server.accepts_sockets = passed < LATECOMER_SECONDS
        for socket in [socket for socket in server.sockets() if socket not in drained][:batch]:
            if socket.drain():
                drained.add(socket)
        running = server.applications()
        if passed >= END_SECONDS or not (running or server.accepts_sockets or server.is_transferring()):
            break
        await asyncio.sleep(BATCH_SECONDS)
    if running:
        logger.warning("shutdown: %d sockets and requests not finished in time, cancelled", len(running))
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_SECONDS)
    await publish.flushed(PUBLISH_SECONDS)
