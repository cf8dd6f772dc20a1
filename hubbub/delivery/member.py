"""One socket in one group: what it is kept while it has not been told the group's state yet."""

import sys
from dataclasses import dataclass, field

from hubbub import conf
from hubbub.delivery.frames import Frames
from hubbub.delivery.outbox import Outbox

# The position of an event that has none: sent whatever the member has been told.
ALWAYS = sys.maxsize


@dataclass(slots=True, eq=False)
class Member:
    """Pending until `Group.go_live`: what comes meanwhile is kept for it."""

    outbox: Outbox
    user_id: str | None = None
    user_name: str = ""
    # (position, frames); None: it is live.
    kept: list[tuple[int, Frames]] | None = field(default_factory=list)
    overflowed: bool = False
    # What the group delivered above this was kept for it; None: the group had no state yet when it entered.
    since: int | None = None
    # Live, but it has already been told up to here, which the group has not reached yet.
    told: int = 0
    # It was shut out of the group, and told so.
    is_out: bool = False

    def keep(self, position: int, frames: Frames) -> None:
        """For a pending one; nothing happens to one that is live."""
        if self.kept is None:
            return
        if len(self.kept) >= conf.settings().pending_events:
            self.overflowed = True
        else:
            self.kept.append((position, frames))

    def kept_all_after(self, position: int, delivered: int | None) -> bool:
        """Whether all above `position` was kept. `delivered`: how far the group is; None: it has no state yet."""
        if self.overflowed:
            return False
        if delivered is None or delivered <= position:
            return True
        # Of two who enter a group that has no state yet, the one who has read the later state may be first to go live:
        # the group begins there, and what came between the two was kept for nobody.
        return self.since is not None and self.since <= position

    def begin_anew(self) -> None:
        """The group's positions mean nothing any more; nor does what a pending one was kept."""
        if self.kept is not None:
            self.since, self.kept = None, []
