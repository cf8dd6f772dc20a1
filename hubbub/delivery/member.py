"""One socket in one group, and its backlog until it is live."""

import sys
from dataclasses import dataclass, field

from hubbub import conf
from hubbub.delivery.frames import Frames
from hubbub.delivery.outbox import Outbox

# The position of an event that has none: sent whatever the member was sent before.
ALWAYS = sys.maxsize


@dataclass(slots=True, eq=False)
class Member:
    """Pending until `Group.go_live`: frames that come meanwhile go into its backlog."""

    outbox: Outbox
    user_id: str | None = None
    user_name: str = ""
    # (position, frames); None: it is live.
    backlog: list[tuple[int, Frames]] | None = field(default_factory=list)
    overflowed: bool = False
    # The group had sent its members all up to here when this one entered: later frames are in the backlog.
    # None: the group had no state yet.
    entered_at: int | None = None
    # It is live and was sent all up to here, which the group may not have reached yet.
    sent_position: int = 0
    # It was evicted from the group, and was sent the group's last frame.
    is_evicted: bool = False

    def keep(self, position: int, frames: Frames) -> None:
        """For a pending member; nothing happens to a live one."""
        if self.backlog is None:
            return
        if len(self.backlog) >= conf.settings().pending_events:
            self.overflowed = True
        else:
            self.backlog.append((position, frames))

    def has_everything_after(self, position: int, delivered: int | None) -> bool:
        """Whether the backlog has every frame above `position`.

        Args:
            delivered: how far the group is; None: it has no state yet.
        """
        if self.overflowed:
            return False
        if delivered is None or delivered <= position:
            return True
        # Of two that enter a group without a state, the one that read the later state may be first to go live: the
        # group begins there, and what came between the two states is in no backlog.
        return self.entered_at is not None and self.entered_at <= position

    def restart(self) -> None:
        """The group's positions mean nothing any more; nor does the backlog of a pending member."""
        if self.backlog is not None:
            self.entered_at, self.backlog = None, []
