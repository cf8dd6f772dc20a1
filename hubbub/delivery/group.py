"""One group of this process: its members, and the fan-out of each frame to them.

Knows text and positions; nothing of the channel layer (that is the hub's) and nothing of any feature.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection

from hubbub.delivery.frames import Frames
from hubbub.delivery.member import ALWAYS, Member
from hubbub.delivery.outbox import Outbox, broadcast, wait_until_taken
from hubbub.delivery.pacing import WRITES_PER_TURN, WriteBudget
from hubbub.delivery.recovery import Recovery
from hubbub.delivery.sequence import Deliverable, Sequence, Spawn
from hubbub.presence.topic_presence import People
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import CloseCode, Person

logger = logging.getLogger(__name__)

NO_VERSION = -1

# Deliverable frames go out in one write per socket up to this size: in a burst a system call carries many frames.
TOGETHER_CHARS = 16 * 1024


class Group:
    """All of it runs in one event loop.

    Args:
        recovery: makes it an ordered group, whose frames have positions; see `Sequence`.
        on_evict: called with each live member that `close` evicts.
        on_empty: called when `close` has evicted the last member.
        people: who is present in it, where that is asked for.
    """

    def __init__(
        self,
        name: str,
        recovery: Recovery | None,
        spawn: Spawn,
        budget: WriteBudget,
        on_empty: Callable[[], None] = lambda: None,
        on_evict: Callable[[Member], None] = lambda _: None,
        people: People | None = None,
    ) -> None:
        self.name = name
        self.people = people
        self._spawn = spawn
        self._budget = budget
        self._on_empty = on_empty
        self._on_evict = on_evict
        self._live: dict[Member, Outbox] = {}
        # Pending members, and those that are ahead of the group.
        self._waiting: set[Member] = set()
        self._deliverable: Deliverable = deque()
        self.sequence = None if recovery is None else Sequence(name, recovery, spawn, self._deliverable, receiver=self)
        # Everybody was sent all up to here, or is being sent it now.
        self._delivered = 0
        # The newest that came, and the newest that everybody was sent, or is being sent now.
        self._version = self._sent_version = NO_VERSION
        self._newest: str | None = None
        self._current: Callable[[], str | None] | None = None
        self._due: asyncio.Handle | None = None
        self._fanning_out: asyncio.Task[None] | None = None

    @property
    def is_empty(self) -> bool:
        return not self._live and not self._waiting

    @property
    def user_ids(self) -> set[str]:
        """The users who are in it here, or about to be."""
        return {member.user_id for member in (*self._live, *self._waiting) if member.user_id is not None}

    @property
    def recovery(self) -> Recovery | None:
        return None if self.sequence is None else self.sequence.recovery

    @property
    def _reached(self) -> int | None:
        """How far the members were sent an ordered group; None: it has no state yet."""
        return None if self.sequence is None or self.sequence.position is None else self._delivered

    def enter(self, outbox: Outbox, user_id: str | None = None, user_name: str = "") -> Member:
        """A new pending member."""
        member = Member(outbox, user_id, user_name, entered_at=self._reached)
        self._waiting.add(member)
        return member

    def has_everything_after(self, member: Member, position: int) -> bool:
        """Whether a pending member that was sent the state at `position` would miss nothing by going live."""
        return member.has_everything_after(position, self._reached)

    def go_live(self, member: Member, position: int | None, epoch: str) -> None:
        """The member was sent the state at `position`: send it the rest of its backlog, and from now on all that comes.

        Without a recovery `position` is the state's version. None: the member was sent no state.
        Not without `has_everything_after(position)`: the state must be read again. Nor for a member that `is_evicted`.
        """
        sequence = self.sequence
        if position is None:
            position = NO_VERSION if sequence is None else 0
        if sequence is not None:
            sequence.enter_epoch(epoch)
        backlog, member.backlog = member.backlog or [], None
        for at, frames in backlog:
            if at > position:
                member.outbox.put_frames(frames)
        member.sent_position = position
        if self.people is not None:
            self.people.enter(Person(member.user_id, member.user_name))
        if sequence is not None and sequence.position is None:
            self._delivered = position
            sequence.begin(position)
        if position <= (self._sent_version if sequence is None else self._delivered):
            self._arrive(member)
        self.flush()

    def remove(self, member: Member) -> None:
        is_in = member in self._live or member in self._waiting
        self._live.pop(member, None)
        self._waiting.discard(member)
        if is_in and member.backlog is None and self.people is not None:
            self.people.leave(member.user_id)

    def receive(self, text: str, position: int | None, version: int | None) -> None:
        """A frame of this group has come from the channel layer."""
        if version is not None:
            if version > self._version:
                self._version, self._newest = version, text
        elif position is None or self.sequence is None:
            self._deliverable.append((None, text))
        else:
            self.sequence.receive(position, text)
        if self._due is None:  # In the loop's next round: all that has come by then goes out together.
            self._due = asyncio.get_running_loop().call_soon(self.flush)

    def send_current(self, current: Callable[[], str | None]) -> None:
        """Send the members a frame without a position that says how things are now.

        Args:
            current: makes the frame when its turn has come; None: there is nothing to send. A member that goes live
                later was sent the same, or something newer, by the answer to its join.
        """
        self._current = current
        self.flush()

    def close(self, text: str, user_ids: Collection[str] | None) -> None:
        """Evict these users, or everybody for None; `text` is the last frame that they get of the group."""
        self.flush()
        frames = Frames(text)
        for member in [*self._live, *self._waiting]:
            if user_ids is None or member.user_id in user_ids:
                member.is_evicted = True
                if member.backlog is None:  # Else the answer to its join says so.
                    member.outbox.put_frames(frames)
                    self._on_evict(member)
                self.remove(member)
        if self.people is not None:
            self.people.evict(user_ids)
        if self.is_empty:
            self._on_empty()

    def end(self) -> None:
        """Nobody is in it any more."""
        if self._due is not None:
            self._due.cancel()
        if self.sequence is not None:
            self.sequence.end()
        if self._fanning_out is not None:
            self._fanning_out.cancel()

    # For its sequence

    def restart(self) -> None:
        """The positions mean nothing any more: live members have to reconnect, pending ones have to read again."""
        self._delivered = 0
        self._deliverable.clear()
        for member in [*self._live, *self._waiting]:
            if member.backlog is None:
                member.outbox.close(CloseCode.RESTART, "Restored")
            else:
                member.restart()

    async def wait_for_readers(self) -> None:
        """Return when the members have taken what they were sent."""
        while self._fanning_out is not None:
            await asyncio.wait([self._fanning_out])
        await wait_until_taken(self._live.values())

    # Delivery: to everybody before what comes next

    def flush(self) -> None:
        """Send what is deliverable, unless a fan-out is under way, which goes on with it."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        while self._fanning_out is None:
            if self._current is not None:
                self._fan_out_current(self._current)
            elif self._deliverable:
                batch, arrived = self._next_batch()
                if batch:
                    self._fan_out(Frames.together(batch))
                for member in arrived:
                    self._arrive(member)
            elif self._newest is not None:
                text, self._newest = self._newest, None
                self._fan_out_newest(Frames(text))
            else:
                return

    def _arrive(self, member: Member) -> None:
        self._waiting.discard(member)
        self._live[member] = member.outbox

    def _fan_out_newest(self, frames: Frames) -> None:
        version = self._sent_version = self._version
        level = []
        for member in [*self._waiting]:
            if member.backlog is not None:
                member.keep(version if self.sequence is None else ALWAYS, frames)
            elif self.sequence is not None:
                member.outbox.put_frames(frames, self.name)
            elif version > member.sent_position:
                self._arrive(member)
            elif version == member.sent_position:
                level.append(member)
        self._fan_out(frames, latest=self.name)
        for member in level:  # They were sent this version before.
            self._arrive(member)

    def _fan_out_current(self, current: Callable[[], str | None]) -> None:
        self._current = None
        if (text := current()) is None:
            return
        frames = Frames(text)
        for member in self._waiting:
            if member.backlog is None:
                member.outbox.put_frames(frames)
        self._fan_out(frames)

    def _next_batch(self) -> tuple[list[Frames], list[Member]]:
        """Frames that may go out in one write; and the members that are live from the next frame on."""
        batch: list[Frames] = []
        arrived: list[Member] = []
        size = 0
        while self._deliverable and not arrived:
            position, text = self._deliverable[0]
            frames = None
            if text is not None:
                size += len(text)
                if batch and size > TOGETHER_CHARS:
                    break
            self._deliverable.popleft()  # First: a frame that cannot be sent must not block all others for ever.
            if text is not None:
                frames = Frames(text)
                batch.append(frames)
            if position is not None:
                self._delivered = position
            if self._waiting:
                arrived = self._send_to_waiting(position, frames)
        return batch, arrived

    def _send_to_waiting(self, position: int | None, frames: Frames | None) -> list[Member]:
        """The members that were ahead and now have all up to `position`."""
        arrived = []
        for member in self._waiting:
            if member.backlog is not None:
                if frames is not None:
                    member.keep(ALWAYS if position is None else position, frames)
                continue
            if frames is not None and (position is None or position > member.sent_position):
                member.outbox.put_frames(frames)
            if position is not None and position >= member.sent_position:
                arrived.append(member)
        return arrived

    def _fan_out(self, frames: Frames, latest: str | None = None) -> None:
        """Write to all live members: at once when they are few, else in slices with a turn of the loop between."""
        COUNTERS.deliveries += len(self._live) * len(frames.texts)
        if self._budget.has_room_for(len(self._live)):
            broadcast(frames, self._live.values(), latest)
        else:
            self._fanning_out = self._spawn(self._fan_out_in_slices(frames, list(self._live.items()), latest))

    async def _fan_out_in_slices(
        self, frames: Frames, members: list[tuple[Member, Outbox]], latest: str | None
    ) -> None:
        try:
            for start in range(0, len(members), WRITES_PER_TURN):
                # A member that left between two slices is sent no more.
                part = members[start : start + WRITES_PER_TURN]
                broadcast(frames, [outbox for member, outbox in part if member in self._live], latest)
                await asyncio.sleep(0)
        except Exception:
            # What was lost shows with the next frame; the group must not stop for it.
            logger.exception("group %s: delivery of a frame failed", self.name)
        finally:
            self._fanning_out = None
        self.flush()
