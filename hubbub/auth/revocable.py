"""Sockets and groups as revocation uses them. A leaf: revocation knows nothing of their delivery."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Set
from typing import Any, Protocol

from hubbub.auth.identity import Identity


class Outbox(Protocol):
    """The frames of one socket."""

    @property
    def is_closing(self) -> bool: ...

    def put(self, text: str) -> None:
        """Queue one frame."""

    def close(self, code: int, reason: str) -> None:
        """Close the socket after the queued frames."""


class Socket(Protocol):
    """A consumer."""

    identity: Identity
    connection: str
    scope: dict[str, Any]

    @property
    def outbox(self) -> Outbox: ...

    @property
    def groups(self) -> Iterable[str]: ...

    @property
    def permission(self) -> str | None: ...

    @property
    def endpoint_scopes(self) -> Set[str]: ...


class NamedSocket(Protocol):
    """A socket, for the log."""

    connection: str
    scope: dict[str, Any]

    def evicted(self, group: str) -> None:
        """The hub has evicted the socket from the group."""


class Member(Protocol):
    """One membership of a socket in a group."""

    @property
    def outbox(self) -> Outbox: ...

    @property
    def socket(self) -> NamedSocket | None: ...

    @property
    def user_id(self) -> str | None: ...


class Recovery(Protocol):
    """The reads of a group's record. Hashable: many groups share one."""

    @property
    def find_revoked(self) -> Callable[[dict[str, set[str]]], AsyncIterator[dict[str, dict[str, str]]]] | None:
        """User ids by group -> in parts: by group, the users who lost access, each with the last frame to send."""


class Group(Protocol):
    """A group with members in this process."""

    @property
    def user_ids(self) -> set[str]: ...

    @property
    def recovery(self) -> Recovery | None: ...

    def close(self, text: str, user_ids: Collection[str] | None) -> None:
        """Evict these users; `text` is the last frame that they get of the group."""
