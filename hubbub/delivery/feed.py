"""The feed of a group that has a state: each process reads the state when it changed, and sends it to its members.

The protocol between delivery and `hubbub.topics.feed`, which implements it.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, Protocol

from hubbub.delivery.member import Member
from hubbub.delivery.outbox import Outbox
from hubbub.delivery.recovery import Recovery, StreamPosition


class FeedReceiver(Protocol):
    """The group that delivers the frames of a feed."""

    @property
    def members(self) -> int:
        """The number of members in this process."""

    @property
    def user_ids(self) -> set[str]:
        """The users of live and pending members."""

    @property
    def live(self) -> Mapping[Member, Outbox]:
        """The live members, for a feed that has frames of its own for each."""

    def begin_version(self, version: int) -> None:
        """The version of the first state, which nobody has to be sent."""

    def receive(self, text: str, position: int | None, version: int | None) -> None:
        """Send the frame of a version."""

    def close(self, text: str, user_ids: None) -> None:
        """Evict all members; `text` is their last frame."""


class Feed(Protocol):
    """The state of one group in one process."""

    recovery: Recovery
    # Whether it learns of some changes by hints alone, which no comparison of positions replaces.
    needs_hints: bool

    @property
    def local(self) -> StreamPosition | None:
        """The position of the state in this process; None: it has none."""

    def note(self, position: int) -> None:
        """A process published that the record has this position."""

    def compare(self, local: StreamPosition, recorded: StreamPosition | None) -> None:
        """Compare with the record. `local`: the position in this process before the record was read."""

    def note_listed(self, user_ids: Collection[str], keys: Collection[str]) -> None:
        """Of a watch: the lists of these users changed, or those users that list these keys."""

    def end(self) -> None:
        """Cancel timers and tasks of a group without members."""


MakeFeed = Callable[[Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"], FeedReceiver], Feed]
