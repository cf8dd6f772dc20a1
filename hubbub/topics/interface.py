"""What the engine uses of a topic. `hubbub.topics.topic.Topic` is the class; modules below it know only this."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar, Protocol

from hubbub.auth.identity import Identity
from hubbub.delivery.recovery import StreamPosition
from hubbub.topics.commands import Access, CommandSpec


class LiveTopic(Protocol):
    """One topic. `Topic` describes the attributes."""

    kind: ClassVar[str]
    name: ClassVar[str]
    permission: ClassVar[str | Access | None]
    presence: ClassVar[bool]
    read_scope: ClassVar[str]
    write_scope: ClassVar[str]
    database: ClassVar[str]
    ended: ClassVar[str]
    commands: ClassVar[Mapping[str, CommandSpec]]
    has_own_positions: ClassVar[bool]
    key: Any
    # Positions of a log that were taken and whose events are not published yet.
    unpublished: set[int]
    page_bytes: int
    _is_checked: bool

    @property
    def address(self) -> str: ...

    @property
    def group(self) -> str: ...

    def state(self) -> Any: ...

    def changes(self, after: int, limit: int) -> Iterable[tuple[int, Any]]: ...

    def can_resume(self, after: int) -> bool: ...

    def enter(self, identity: Identity) -> Any: ...

    @classmethod
    def read_positions(cls, keys: Collection[Any]) -> Mapping[Any, StreamPosition]: ...

    def read_position(self) -> StreamPosition | None: ...

    @classmethod
    def denied(cls, users: Mapping[Any, Collection[str]]) -> Mapping[Any, Mapping[str, str]] | None: ...

    def may_view(self, user: Any) -> bool: ...

    @classmethod
    def viewers_allowed(cls, keys: Mapping[Any, Collection[Any]]) -> "Mapping[Any, Collection[Any]] | None": ...

    def on_join(self, user: Any) -> None: ...

    def on_leave(self, user: Any) -> None: ...

    def viewer(self, user: Any) -> Any: ...


# Finds the topic of an address; None: there is none.
Find = Callable[[str], LiveTopic | None]


class WatchTopic(LiveTopic, Protocol):
    """One list of topics for each user. `Watch` describes the methods."""

    @classmethod
    def keys_for(
        cls, user_ids: Collection[str], among: "Collection[Any] | None"
    ) -> "Mapping[str, Collection[Any]]": ...

    @classmethod
    def summaries(cls, keys: Collection[Any]) -> Mapping[Any, Any]: ...

    @classmethod
    def access_marks(cls, keys: Collection[Any]) -> Mapping[Any, Any]: ...

    @classmethod
    def watched_key(cls, text: str) -> Any: ...

    @classmethod
    def watched_group(cls, text: str) -> str: ...
