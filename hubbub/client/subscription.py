"""Subscription: an open topic, as a program sees it."""

from types import TracebackType
from typing import Any, Self

from hubbub.client.feed import Feed
from hubbub.client.observer import Frame
from hubbub.client.presence import Present


class Subscription:
    """An open topic: an async iterator of its events, each once and in order. Made by `Client.topic`.

    An event is a dictionary, as it is on the wire: with its `type`, `topic`, `position` and fields. The type `state` is
    the client's own: `{"type": "state", "topic": …, "epoch": …, "position": …, "state": …}`. It comes first, and each
    time that the state replaces all that was known: at each change of a topic of kind `state`, and where a log has
    changed too much to resume.

    The iteration ends after `close`, and when the client closes. It raises TopicClosed when the server closes the
    topic, and ConnectionEnded when the server ends the connection for good.

    Entered as a context, it is joined first, and closed at the end.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        if (event := await self._feed.next()) is None:
            raise StopAsyncIteration
        return event

    async def __aenter__(self) -> Self:
        try:
            await self.joined()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def address(self) -> str:
        """The address of the topic, such as `room/general`."""
        return self._feed.address

    @property
    def state(self) -> Any:
        """The newest state that has arrived: at a join, and at each change of a topic of kind `state`."""
        return self._feed.state

    @property
    def viewer(self) -> Any:
        """The `viewer` of the last join: for this user alone."""
        return self._feed.viewer

    @property
    def present(self) -> Present | None:
        """The users present: `{"count": 2, "users": [{"id": …, "name": …}, …]}`; None while that is not known.

        `users` is None if they are too many to be named.
        """
        return self._feed.present

    @property
    def is_joined(self) -> bool:
        """Whether events arrive at this moment."""
        return self._feed.is_live

    @property
    def position(self) -> int:
        """The position of all that was read. `after=` and `epoch=` of `Client.topic` resume from it."""
        return self._feed.reached[0]

    @property
    def epoch(self) -> str | None:
        """The epoch of `position`; None before the first answer."""
        return self._feed.reached[1]

    async def joined(self) -> None:
        """Wait until the topic was joined for the first time: `state`, `viewer` and `present` are known then.

        Raises:
            TopicClosed: there is no such topic, or the user may not see it.
            ConnectionEnded: the server ended the connection for good.
        """
        await self._feed.joined()

    async def send(self, type: str, /, *, retry: bool | None = None, **fields: Any) -> Any:
        """Send a command of the topic by its `type`, with its `fields`. See `Client.send`, also for `retry` and errors.

        Returns:
            Its result, decoded; None: there is none.
        """
        return await self._feed.send({**fields, "type": type}, "id" in fields if retry is None else retry)

    async def close(self) -> None:
        """Leave the topic. The iteration ends after the events that have arrived."""
        await self._feed.close()
