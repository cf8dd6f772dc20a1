"""Client: a connection to an endpoint that comes back by itself, with topics and commands."""

from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Self, cast

from hubbub.client.address import check_token, check_url, is_http
from hubbub.client.http_opening import OpenStreams, open_streams
from hubbub.client.http_wire import HttpOpening
from hubbub.client.hub import Hub
from hubbub.client.observer import Frame, Observer
from hubbub.client.socket_wire import OpenSocket, SocketWire, open_socket
from hubbub.client.subscription import Subscription
from hubbub.client.wire import OpenWire

BUFFER_BYTES = 256 * 1024


class Client:
    """A connection to an endpoint, while its context is entered: `async with Client(url, token=…) as hub:`.

    Entering waits until the server has admitted the client, however long that takes. A lost connection is opened again,
    with back-off, and all topics are resumed.

    Args:
        url: of the endpoint, such as `wss://chat.example.org/ws/chat/`; or, for HTTP and server-sent events,
            `https://chat.example.org/live/`.
        token: an access token, `hub_…`, or another that the site's sign-in knows; empty: as an anonymous visitor.
        connect: opens the connection to the URL, for a UNIX socket or TLS of one's own. For WebSockets it returns a
            `ClientConnection` of `websockets`, made with `ping_interval=None, compression=None`. For HTTP it is called
            for the stream and for commands, and returns a pair as `asyncio.open_connection` does.
        observer: sees all frames.
        buffer_bytes: of events that wait for the iterator of a topic. Past it they are discarded, and read again from
            the server when half of the buffer is free.
        refreshes: join all topics again after an outage of the server's Redis, which may have lost events without a
            position.
        random: of the back-off.

    Raises:
        ValueError: `url` is no address of an endpoint, or the token fits into no header.
        ConnectionEnded: by entering it: the token is not valid, or the server refuses this client for good.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        connect: OpenSocket | OpenStreams | None = None,
        observer: Observer | None = None,
        buffer_bytes: int = BUFFER_BYTES,
        refreshes: bool = True,
        random: Random | None = None,
    ) -> None:
        check_url(url)
        check_token(url, token)
        self._hub = Hub(
            url,
            token,
            opening_of(url, token, connect),
            observer or Observer(),
            random or Random(),  # noqa: S311 - spreads load, guards nothing
            buffer_bytes=buffer_bytes,
            refreshes=refreshes,
        )

    async def __aenter__(self) -> Self:
        self._hub.link.start()
        try:
            await self._hub.link.admitted()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def user(self) -> Frame:
        """The user of the token: `{"id": …, "name": …}`."""
        return self._hub.user

    @property
    def state(self) -> str:
        """The state of the server: "ok", or "degraded": events come late, within seconds."""
        return self._hub.state

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection at this moment."""
        return self._hub.link.connection is not None

    @property
    def connection_id(self) -> str:
        """The name of the present connection in the server's log; empty without one."""
        connection = self._hub.link.connection
        return "" if connection is None else str(connection.hello.get("connection", ""))

    def topic(self, address: str, *, after: int | None = None, epoch: str | None = None) -> Subscription:
        """Open a topic, and begin to join it.

        Args:
            address: such as `room/general`.
            after: the position to resume a log from, that an earlier program has kept; with its `epoch`.
            epoch: of `after`.

        Returns:
            The subscription, to iterate over.

        Raises:
            ValueError: the topic is open already.
            ConnectionError: the client is closed, or the server has ended the connection for good.
        """
        return Subscription(self._hub.open(address, after, epoch))

    async def send(self, topic: str, type: str, /, *, retry: bool | None = None, **fields: Any) -> Any:
        """Send a command by its `type` to a `topic`, which need not be open.

        Args:
            retry: True: send the same again until it is answered: after `rate_limited` and `unavailable`, and on the
                next connection. None: if it has an `id`, since the same `id` has one effect. Give a deadline by
                `asyncio.timeout`.
            fields: the arguments of the command.

        Returns:
            Its result, decoded; None: there is none.

        Raises:
            Refused: the server refused it; `code`, `detail` and `retry_after_ms` say why.
            ConnectionLost: the connection was lost before the answer, and the command is not sent again.
            ConnectionEnded: the server ended the connection for good.
        """
        return await self._hub.call(
            {**fields, "type": type, "topic": topic}, "id" in fields if retry is None else retry
        )

    async def close(self) -> None:
        """Close the connection and all topics. Commands without an answer raise ConnectionLost."""
        await self._hub.close()


def opening_of(url: str, token: str, connect: OpenSocket | OpenStreams | None) -> OpenWire:
    """The way to the URL: HTTP or a WebSocket, by its scheme."""
    if is_http(url):
        return HttpOpening(url, token, cast(OpenStreams, connect or open_streams))
    return partial(SocketWire.open, url, cast(OpenSocket, connect or open_socket))
