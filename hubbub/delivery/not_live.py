"""The members of one group that its writes do not reach: pending ones, and those ahead of the group.

A member ahead was sent a state that is newer than what the group has sent. It is live when the group has reached it.
"""

from hubbub.delivery.frames import Frames
from hubbub.delivery.member import ALWAYS, Member


class NotLive(set[Member]):
    """Pending members keep frames in their backlog; members ahead are sent what is new for them."""

    def send(self, position: int | None, frames: Frames | None) -> list[Member]:
        """Send frames of an ordered group.

        Args:
            position: of the frames; None: they have none.
            frames: None: everything up to the position was sent before.

        Returns:
            The members that were ahead and that the group has now reached.
        """
        caught_up = []
        for member in self:
            if member.backlog is not None:
                if frames is not None:
                    member.keep(ALWAYS if position is None else position, frames)
                continue
            if frames is not None and (position is None or position > member.sent_position):
                member.outbox.put_frames(frames)
            if position is not None and position >= member.sent_position:
                caught_up.append(member)
        return caught_up

    def send_newest(self, version: int, frames: Frames, ordered: str | None) -> tuple[list[Member], list[Member]]:
        """Send the frame of a version.

        Args:
            version: of the frames.
            frames: the newest state.
            ordered: of an ordered group, whose members have no version: the key under which frames wait.

        Returns:
            The members that are live before this frame, and those that are live after it: they were sent it before.
        """
        passed, up_to_date = [], []
        for member in self:
            if member.backlog is not None:
                member.keep(version if ordered is None else ALWAYS, frames)
            elif ordered is not None:
                member.outbox.put_frames(frames, ordered)
            elif version > member.sent_position:
                passed.append(member)
            elif version == member.sent_position:
                up_to_date.append(member)
        return passed, up_to_date

    def send_beside(self, frames: Frames, latest: str | None = None) -> None:
        """Send frames without a position to the members ahead; pending ones get the same with their state."""
        for member in self:
            if member.backlog is None:
                member.outbox.put_frames(frames, latest)
