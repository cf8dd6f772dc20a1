"""What the engine uses of a topic. `hubbub.topics.topic.Topic` is the class; modules below it know only this."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar, Protocol

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
    commands: ClassVar[Mapping[str, CommandSpec]]
    key: Any
    # Positions of a log that were taken and whose events are not published yet.
    unpublished: set[int]
    _is_checked: bool

    @property
    def address(self) -> str: ...

    @property
    def group(self) -> str: ...

    def state(self) -> Any: ...

    def changes(self, after: int, limit: int) -> Iterable[tuple[int, Any]]: ...

    def may_view(self, user: Any) -> bool: ...

    @classmethod
    def viewers_allowed(cls, keys: Mapping[Any, Collection[Any]]) -> "Mapping[Any, Collection[Any]] | None": ...

    def on_join(self, user: Any) -> None: ...

    def on_leave(self, user: Any) -> None: ...

    def viewer(self, user: Any) -> Any: ...


# Finds the topic of an address; None: there is none.
Find = Callable[[str], LiveTopic | None]
