"""One group in this process: its members, and the fan-out of each frame to them.

Knows text and positions; nothing of the channel layer (the hub's) and of features.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection

from hubbub.delivery.fan_out import FanOut
from hubbub.delivery.feed import Feed, MakeFeed
from hubbub.delivery.frames import Frames
from hubbub.delivery.member import Member, MemberSocket
from hubbub.delivery.not_live import NotLive
from hubbub.delivery.outbox import DROPPED, Outbox, wait_for_room
from hubbub.delivery.recovery import Recovery
from hubbub.delivery.sequence import Deliverable, Sequence, Spawn
from hubbub.presence.topic_presence import People
from hubbub.process.pacing import WriteBudget
from hubbub.protocol import Card, CloseCode

NO_VERSION = -1

# Deliverable frames share one write per socket up to this size: in a burst one system call sends many frames.
TOGETHER_CHARS = 16 * 1024

MAX_TOLD = 32  # More of them wait for no write: the oldest are dropped.


class Group:
    """Runs in one event loop.

    Args:
        name: of the group.
        recovery: makes it an ordered group, whose frames have positions; see `Sequence`.
        spawn: starts a task that the hub owns.
        budget: writes of the whole process before the event loop gets a turn.
        on_empty: called when `close` has evicted the last member.
        on_evict: called with each live member that `close` evicts.
        people: the users present, for a group with presence.
        make_feed: makes the feed of a group that has a state instead of ordered frames.
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
        make_feed: MakeFeed | None = None,
    ) -> None:
        self.name = name
        self.people = people
        self._on_empty = on_empty
        self._on_evict = on_evict
        self._fan_out = FanOut(name, spawn, budget, on_end=self.flush)
        self.live = self._fan_out.live
        self._not_live = NotLive()
        self._deliverable: Deliverable = deque()
        self.sequence = None if recovery is None else Sequence(name, recovery, spawn, self._deliverable, receiver=self)
        self.feed: Feed | None = None if make_feed is None else make_feed(spawn, self)
        # All members were sent, or are being sent, everything up to here.
        self._delivered = 0
        # The newest version received, and the newest sent or being sent to all members.
        self._version = self._sent_version = NO_VERSION
        self._newest: str | None = None
        # Frames that nobody waits for, while a write is in progress.
        self._told: deque[str] = deque(maxlen=MAX_TOLD)
        self._current: Callable[[], str | None] | None = None
        self._scheduled_flush: asyncio.Handle | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it has neither live nor pending members."""
        return not self.live and not self._not_live

    @property
    def user_ids(self) -> set[str]:
        """The users of live and pending members."""
        return {member.user_id for member in (*self.live, *self._not_live) if member.user_id is not None}

    @property
    def recovery(self) -> Recovery | None:
        """The record of an ordered group or a feed; None: it has neither."""
        return None if (tracked := self.tracked) is None else tracked.recovery

    @property
    def tracked(self) -> Sequence | Feed | None:
        """What is compared with the record; None: nothing."""
        return self.sequence or self.feed

    @property
    def members(self) -> int:
        """The number of live and pending members."""
        return len(self.live) + len(self._not_live)

    def begin_version(self, version: int) -> None:
        """The first state of a feed: members that were sent it wait for no frame of this version."""
        self._version = self._sent_version = version

    @property
    def _sent_position(self) -> int | None:
        """The position that all members were sent; None: not ordered, or no state yet."""
        return None if self.sequence is None or self.sequence.position is None else self._delivered

    def enter(
        self, outbox: Outbox, user_id: str | None = None, user_card: Card = "", socket: MemberSocket | None = None
    ) -> Member:
        """Add a pending member."""
        member = Member(outbox, user_id, user_card, socket, entered_at=self._sent_position)
        self._not_live.add(member)
        return member

    def has_everything_after(self, member: Member, position: int) -> bool:
        """Whether a pending member with the state at `position` can go live without a gap."""
        return member.has_everything_after(position, self._sent_position)

    def go_live(self, member: Member, position: int | None, epoch: str) -> None:
        """Make a pending member live: send its backlog above `position`, then all that follows.

        Only after `has_everything_after(position)` (else its state must be read again), and not if it `is_evicted`.

        Args:
            member: pending; it was sent the group's state.
            position: of that state; without a recovery its version. None: no state was sent.
            epoch: of the position.
        """
        sequence = self.sequence
        if position is None:
            position = NO_VERSION if sequence is None else 0
        if sequence is not None:
            sequence.enter_epoch(epoch)
        backlog, member.backlog = member.backlog or [], None
        for frame_position, frames in backlog:
            if frame_position > position:
                member.outbox.put_frames(frames)
        member.sent_position = position
        if self.people is not None:
            self.people.enter(member.person)
        if sequence is not None and sequence.position is None:
            self._delivered = position
            sequence.begin(position)
        if position <= (self._sent_version if sequence is None else self._delivered):
            self._make_live(member)
        self.flush()

    def remove(self, member: Member) -> None:
        """Remove the member, if it is in the group."""
        is_in = member in self.live or member in self._not_live
        self.live.pop(member, None)
        self._not_live.discard(member)
        if is_in and member.backlog is None:
            # It would come behind the last frame of the group, or behind the answer to the next join.
            member.outbox.drop_latest(self.name)
            if self.people is not None:
                self.people.leave(member.user_id)

    def receive(self, text: str, position: int | None, version: int | None) -> None:
        """Take a frame from the channel layer."""
        if version is not None:
            if version > self._version:
                self._version, self._newest = version, text
        elif position is None or self.sequence is None:
            self._deliverable.append((None, text))
        else:
            self.sequence.receive(position, text)
        if self._scheduled_flush is None:  # In the loop's next round: frames that arrive until then share a write.
            self._scheduled_flush = asyncio.get_running_loop().call_soon(self.flush)

    def tell(self, text: str) -> None:
        """Send a frame to the live members that can take it at once; it is dropped where bytes wait."""
        self._told.append(text)
        self.flush()

    def send_current(self, current: Callable[[], str | None]) -> None:
        """Send a frame without a position that describes the present state.

        Args:
            current: makes the frame when it is sent; None: nothing to send. Members that go live later got the same
                or a newer state with the answer to their join.
        """
        self._current = current
        self.flush()

    def close(self, text: str, user_ids: Collection[str] | None) -> None:
        """Evict these users, or all for None. `text`: the last frame that they get of the group."""
        self.flush()
        frames = Frames(text)
        for member in [*self.live, *self._not_live]:
            if user_ids is None or member.user_id in user_ids:
                member.is_evicted = True
                if member.backlog is None:  # A pending member learns it by the answer to its join.
                    member.outbox.put_frames(frames)
                    self._on_evict(member)
                self.remove(member)
        if self.people is not None:
            self.people.evict(user_ids)
        if self.is_empty:
            self._on_empty()

    def end(self) -> None:
        """Cancel timers and tasks of an empty group."""
        if self._scheduled_flush is not None:
            self._scheduled_flush.cancel()
        if (tracked := self.tracked) is not None:
            tracked.end()
        self._fan_out.end()

    # Called by its sequence

    def restart(self) -> None:
        """Positions were reset: live members must reconnect, pending ones must read the state again."""
        self._delivered = 0
        self._deliverable.clear()
        for member in [*self.live, *self._not_live]:
            if member.backlog is None:
                member.outbox.close(CloseCode.RESTART, "Restored")
            else:
                member.restart()

    async def wait_for_readers(self) -> None:
        """Return when the sockets of the members have room again."""
        while self._fan_out.running is not None:
            await asyncio.wait([self._fan_out.running])
        await wait_for_room(self.live.values())

    # Delivery: each write reaches all members before the next begins

    def flush(self) -> None:
        """Send deliverable frames now, or after the fan-out in progress."""
        if self._scheduled_flush is not None:
            self._scheduled_flush.cancel()
            self._scheduled_flush = None
        while self._fan_out.running is None:
            if self._current is not None:
                self._fan_out_current(self._current)
            elif self._deliverable:
                batch, caught_up = self._next_batch()
                if batch:
                    self._fan_out.write(Frames.joined(batch))
                for member in caught_up:
                    self._make_live(member)
            elif self._newest is not None:
                text, self._newest = self._newest, None
                self._fan_out_newest(Frames(text))
            elif self._told:
                self._fan_out_told(Frames(self._told.popleft()))
            else:
                return

    def _make_live(self, member: Member) -> None:
        self._not_live.discard(member)
        self.live[member] = member.outbox

    def _fan_out_newest(self, frames: Frames) -> None:
        self._sent_version = self._version
        key = None if self.sequence is None else self.name
        passed, up_to_date = self._not_live.send_newest(self._version, frames, key)
        for member in passed:
            self._make_live(member)
        self._fan_out.write(frames, latest=self.name)
        for member in up_to_date:  # After the fan-out: they were sent this version before.
            self._make_live(member)

    def _fan_out_told(self, frames: Frames) -> None:
        self._not_live.send_beside(frames, DROPPED)
        self._fan_out.write(frames, DROPPED)

    def _fan_out_current(self, current: Callable[[], str | None]) -> None:
        self._current = None
        if (text := current()) is not None:
            frames = Frames(text)
            self._not_live.send_beside(frames)
            self._fan_out.write(frames)

    def _next_batch(self) -> tuple[list[Frames], list[Member]]:
        """Frames for one write, and the members that are live from the next frame on."""
        batch: list[Frames] = []
        caught_up: list[Member] = []
        size = 0
        while self._deliverable and not caught_up:
            position, text = self._deliverable[0]
            frames = None
            if text is not None:
                size += len(text)
                if batch and size > TOGETHER_CHARS:
                    break
            self._deliverable.popleft()  # First: a frame that cannot be sent must not block the rest.
            if text is not None:
                frames = Frames(text)
                batch.append(frames)
            if position is not None:
                self._delivered = position
            if self._not_live:
                caught_up = self._not_live.send(position, frames)
        return batch, caught_up
