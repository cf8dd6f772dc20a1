"""What a process runs beside its sockets, for tests of consumers: in memory, without Redis."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import InMemoryChannelLayer, channel_layers

from hubbub import conf, site, threads
from hubbub.presence.store import News
from hubbub.presence.topic_presence import Users
from hubbub.publish.messages import Message
from hubbub.publish.sender import send_together
from hubbub.runtime import Runtime, runtime
from hubbub.site import Site
from hubbub.testing.capture import received

PREFIX = "hubbub-test"


class _NoOthers:
    """The presence of other processes, in place of `PresenceStore`: there are none."""

    async def exchange(self, groups: Mapping[str, Users]) -> News:
        return News(was_lost=False, alive=set(), changed={})

    async def read(self, wanted: Mapping[str, Collection[str]]) -> dict[str, dict[str, Users]]:
        return {}

    async def close(self) -> None:
        pass

    def forget(self) -> None:
        pass


@asynccontextmanager
async def served() -> AsyncIterator[None]:
    """Make sockets work in this event loop, as in a server's process, until the end of the block.

    For tests that drive a consumer themselves, such as by Channels' `WebsocketCommunicator`. Publications reach the
    sockets of the loop. The channel layer is in memory, and also carries the groups of Channels' own consumers.

    Commands and states are read in the threads of the engine, which see only commits: use a TransactionTestCase, or
    pytest-django's `transactional_db`. The threads and their connections end with the block.
    """
    loop = asyncio.get_running_loop()
    layer = InMemoryChannelLayer(capacity=conf.settings().layer_capacity)
    messages: asyncio.Queue[Message] = asyncio.Queue()

    def receive(message: Message) -> None:
        loop.call_soon_threadsafe(messages.put_nowait, message)

    with (
        _layer_replaced(layer),
        _known_site(),
        received(receive),
    ):
        own = Runtime()
        own.is_served = True
        own.hub._tracker._store = _NoOthers()  # type: ignore[assignment]
        before = runtime._instances.pop(loop, None)
        runtime._instances[loop] = own
        sending = asyncio.create_task(_send(messages, layer))
        try:
            await own.hub.open()
            yield
        finally:
            sending.cancel()
            await asyncio.wait([sending])
            await own.hub.close()
            del runtime._instances[loop]
            if before is not None:
                runtime._instances[loop] = before
            threads.close()


async def _send(messages: "asyncio.Queue[Message]", layer: InMemoryChannelLayer) -> None:
    while True:
        await send_together(layer, [await messages.get()])


@contextmanager
def _layer_replaced(layer: InMemoryChannelLayer) -> Iterator[None]:
    before = channel_layers.set(DEFAULT_CHANNEL_LAYER, layer)
    try:
        yield
    finally:
        channel_layers.set(DEFAULT_CHANNEL_LAYER, before)
        if before is None:
            del channel_layers.backends[DEFAULT_CHANNEL_LAYER]


@contextmanager
def _known_site() -> Iterator[None]:
    """The site's prefix is in its database, which a test need not have; names in memory need none."""
    before = site._site
    site._site = before or Site(PREFIX)
    try:
        yield
    finally:
        site._site = before
