"""One membership of a socket in a group, with its backlog until it is live."""

import sys
from dataclasses import dataclass, field
from typing import Any, Protocol

from hubbub import conf
from hubbub.delivery.frames import Frames
from hubbub.delivery.outbox import Outbox
from hubbub.protocol import Card, Person

# The position of an event without one: always sent.
ALWAYS = sys.maxsize


class MemberSocket(Protocol):
    """The socket of a member, as the log names it."""

    connection: str
    scope: dict[str, Any]

    def evicted(self, group: str) -> None:
        """The hub has evicted the socket from the group."""


@dataclass(slots=True, eq=False)
class Member:
    """Pending until `Group.go_live`; until then frames go into its backlog."""

    outbox: Outbox
    user_id: str | None = None  # "" for an anonymous visitor.
    user_card: Card = ""
    socket: MemberSocket | None = None
    # (position, frames); None: it is live.
    backlog: list[tuple[int, Frames]] | None = field(default_factory=list)
    overflowed: bool = False
    # The position of the group when this member entered: the backlog has all later frames. None: no state yet.
    entered_at: int | None = None
    # A live member was sent everything up to here; it may be ahead of the group.
    sent_position: int = 0
    # Evicted from the group; a live member was sent the last frame.
    is_evicted: bool = False

    @property
    def person(self) -> Person:
        """The user, as presence shows it; without an id for an anonymous visitor, who is not present."""
        return Person.of(self.user_id or None, self.user_card)

    def keep(self, position: int, frames: Frames) -> None:
        """Add frames to the backlog of a pending member; ignored for a live one."""
        if self.backlog is None:
            return
        if len(self.backlog) >= conf.settings().pending_events:
            self.overflowed = True
        else:
            self.backlog.append((position, frames))

    def has_everything_after(self, position: int, delivered: int | None) -> bool:
        """Whether the backlog has every frame above `position`.

        Args:
            position: where the member read the state.
            delivered: how far the group is; None: no state yet.
        """
        if self.overflowed:
            return False
        if delivered is None or delivered <= position:
            return True
        # Two members enter a group without a state. If the one with the later state goes live first, the group begins
        # there, and frames between the two states are in no backlog.
        return self.entered_at is not None and self.entered_at <= position

    def restart(self) -> None:
        """Positions were reset: drop the backlog of a pending member."""
        if self.backlog is not None:
            self.entered_at, self.backlog = None, []
