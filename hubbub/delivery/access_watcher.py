"""The receiver of access hints: the hub reports them and knows nothing of permissions. A leaf."""

from collections.abc import Collection, Coroutine
from typing import Any, Protocol

from hubbub.delivery.member import Member


class AccessWatcher(Protocol):
    """Receives from the hub every hint that access may have changed."""

    def loops(self) -> Collection[Coroutine[Any, Any, None]]:
        """Coroutines that run as long as the hub."""

    def users_changed(self, user_ids: list[str] | None) -> None:
        """These users changed, or all for None."""

    def access_changed(self, group: str) -> None:
        """Access to the group changed."""

    def access_version(self, group: str, version: int) -> None:
        """The access version of the group, as just read from the record."""

    def check_all(self) -> None:
        """Hints may have been lost."""

    def evicted(self, group: str, member: Member) -> None:
        """The member was evicted from the group."""
