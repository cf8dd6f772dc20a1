"""One group of this process: who is in it, and the delivery of each frame to them, in order.

Knows text and positions; nothing of the channel layer (that is the hub's) and nothing of chat.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from hubbub import conf
from hubbub.delivery.frames import Frames
from hubbub.delivery.member import ALWAYS, Member
from hubbub.delivery.out_of_order import Held
from hubbub.delivery.outbox import Outbox, broadcast, wait_until_taken
from hubbub.delivery.pacing import WRITES_PER_TURN, Turn
from hubbub.delivery.recovery import Source, Standing
from hubbub.presence.topic_presence import People
from hubbub.process.log_once import Outage
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import CloseCode, Person, Refused

logger = logging.getLogger(__name__)

REPAIR_RETRY_SECONDS = 1.0

NO_VERSION = -1

# What is ready goes out in one write per socket up to so much: in a burst a system call carries many frames.
TOGETHER_CHARS = 16 * 1024

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Group:
    """With a source: an ordered group, whose frames have positions. Everything here runs in one event loop.

    `put_out` is called with each live member that it shuts out, `emptied` when it has shut out its last member.
    """

    def __init__(
        self,
        name: str,
        source: Source | None,
        spawn: Spawn,
        turn: Turn,
        emptied: Callable[[], None] = lambda: None,
        put_out: Callable[[Member], None] = lambda _: None,
        people: People | None = None,
    ) -> None:
        self.name = name
        self.source = source
        # Who is present in it, where that is asked for.
        self.people = people
        self._spawn = spawn
        self._turn = turn
        self._emptied = emptied
        self._put_out = put_out
        self._live: dict[Member, Outbox] = {}
        # Pending members, and those that are ahead of the group.
        self._waiting: set[Member] = set()
        # Positions of another epoch mean nothing: the room was made anew, or its database restored.
        self._epoch = ""
        # How often that has happened: an answer to what was asked before means nothing either.
        self._generation = 0
        # Up to here nothing is missing any more; None: no member has read its state yet.
        self._position: int | None = None
        # The record is known to have come as far as this.
        self._recorded = 0
        # Came before one that is missing.
        self._held = Held(name)
        # In order, for everybody. No position: an event that has none. No text: all up to the position is told.
        self._ready: deque[tuple[int | None, str | None]] = deque()
        # Up to here everybody was told, or is being told now.
        self._delivered = 0
        # The newest that came, and the newest that everybody was sent, or is being sent now.
        self._version = self._sent_version = NO_VERSION
        self._newest: str | None = None
        self._current: Callable[[], str | None] | None = None
        self._due: asyncio.Handle | None = None
        self._gap_timer: asyncio.TimerHandle | None = None
        self._repairing: asyncio.Task[None] | None = None
        self._outage = Outage(f"the repair of {name}")
        self._fanning_out: asyncio.Task[None] | None = None

    @property
    def is_empty(self) -> bool:
        return not self._live and not self._waiting

    @property
    def user_ids(self) -> set[str]:
        """The users who are in it here, or about to be."""
        return {one.user_id for one in (*self._live, *self._waiting) if one.user_id is not None}

    @property
    def standing(self) -> Standing | None:
        """How far this process has it; None: no member has read its state yet."""
        return None if self._position is None else Standing(self._epoch, self._position, generation=self._generation)

    def enter(self, outbox: Outbox, user_id: str | None = None, user_name: str = "") -> Member:
        """A new pending member."""
        member = Member(outbox, user_id, user_name, since=None if self._position is None else self._delivered)
        self._waiting.add(member)
        return member

    def kept_all_after(self, member: Member, position: int) -> bool:
        """Whether a pending member that was told the state at `position` would miss nothing by going live."""
        return member.kept_all_after(position, None if self._position is None else self._delivered)

    def go_live(self, member: Member, position: int | None, epoch: str) -> None:
        """The member has been told the state at `position`: send it what was kept above, from now on all that comes.

        Without a source it is the state's version. None: the member was told nothing.
        Not without `kept_all_after(position)`: the state must be read again. Nor for a member that `is_out`.
        """
        if position is None:
            position = NO_VERSION if self.source is None else 0
        if self._epoch and epoch != self._epoch:
            self._begin_anew()  # From now on no comparison would find it.
        self._epoch = epoch
        kept, member.kept = member.kept or [], None
        for at, frames in kept:
            if at > position:
                member.outbox.put_frames(frames)
        member.told = position
        if self.people is not None:
            self.people.enter(Person(member.user_id, member.user_name))
        if self.source is not None and self._position is None:
            self._position = self._delivered = position
            self._clear()
        if position <= (self._sent_version if self.source is None else self._delivered):
            self._arrive(member)
        self._go_on()

    def remove(self, member: Member) -> None:
        is_in = member in self._live or member in self._waiting
        self._live.pop(member, None)
        self._waiting.discard(member)
        if is_in and member.kept is None and self.people is not None:
            self.people.leave(member.user_id)

    def take(self, text: str, position: int | None, version: int | None) -> None:
        """A frame of this group has come from the channel layer."""
        if version is not None:
            if version > self._version:
                self._version, self._newest = version, text
        elif position is None or self.source is None:
            self._ready.append((None, text))
        elif self._position is None or position > self._position:
            self._held.add(position, text)
            self._clear()
        if self._due is None:  # In the loop's next round: what else has come by then goes out together with it.
            self._due = asyncio.get_running_loop().call_soon(self._go_on)

    def tell(self, current: Callable[[], str | None]) -> None:
        """Send the members a frame of how things stand, without a position. `current` makes it when its turn has come.

        Who goes live later has been told that, or something newer, by the answer to its join. None: nothing to tell.
        """
        self._current = current
        self._go_on()

    def compare(self, had: Standing, recorded: Standing | None) -> None:
        """Find what was missed. `had`: how far this process was before `recorded` was read; None: no such group."""
        if had.generation != self._generation:
            return
        if recorded is None:
            self._begin_repair()  # It will say how it ended.
        elif recorded.epoch != had.epoch or recorded.position < had.position:
            self._begin_anew()
        elif self._position is not None and recorded.position > self._position:
            self._recorded = recorded.position
            self._clear()

    def close(self, text: str, user_ids: Collection[str] | None) -> None:
        """Shut these users out, or everybody for None; `text` is the last that they hear of the group."""
        self._go_on()
        frames = Frames(text)
        for member in [*self._live, *self._waiting]:
            if user_ids is None or member.user_id in user_ids:
                member.is_out = True
                if member.kept is None:  # Else the answer to its join says so.
                    member.outbox.put_frames(frames)
                    self._put_out(member)
                self.remove(member)
        if self.people is not None:
            self.people.shut_out(user_ids)
        if self.is_empty:
            self._emptied()

    def end(self) -> None:
        """Nobody is in it any more."""
        if self._due is not None:
            self._due.cancel()
        if self._gap_timer is not None:
            self._gap_timer.cancel()
        for task in (self._repairing, self._fanning_out):
            if task is not None:
                task.cancel()

    # Positions: in order, none twice, none left out

    def _begin_anew(self) -> None:
        """The record is another one, say from a backup: whoever has the old one's state has to start over."""
        logger.warning("the positions of %s are not what they were: its sockets are asked to come again", self.name)
        self._generation += 1
        self._epoch, self._position = "", None
        self._recorded = self._delivered = 0
        self._held.clear()
        self._ready.clear()
        for member in [*self._live, *self._waiting]:
            if member.kept is None:
                member.outbox.close(CloseCode.RESTART, "Restored")
            else:
                member.begin_anew()

    def _clear(self) -> None:
        """Move what was held, and misses nothing before it any more, to what is ready."""
        if self._position is None:
            return
        while (text := self._held.pop(self._position + 1)) is not None:
            self._position += 1
            self._ready.append((self._position, text))
        self._held.drop_up_to(self._position)
        if self._misses_some and self._gap_timer is None and self._repairing is None:
            # Two processes publish swapped all the time: the missing one is most likely under way.
            wait = conf.settings().gap_ms / 1000
            self._gap_timer = asyncio.get_running_loop().call_later(wait, self._gap_is_due, self._position)

    @property
    def _misses_some(self) -> bool:
        return self._position is not None and (bool(self._held) or self._recorded > self._position)

    def _gap_is_due(self, position: int) -> None:
        self._gap_timer = None
        if self._misses_some and self._position == position:
            self._begin_repair()
        else:
            self._clear()  # That gap has closed; a later one gets its own time.

    def _begin_repair(self) -> None:
        if self.source is not None and self._position is not None and self._repairing is None:
            self._repairing = self._spawn(self._repair(self.source))

    async def _repair(self, source: Source) -> None:
        try:
            while self._position is not None and await self._repair_part(source, self._position):
                while self._fanning_out is not None:
                    await asyncio.wait([self._fanning_out])
                await wait_until_taken(self._live.values())
        finally:
            self._repairing = None
        self._clear()
        self._go_on()

    async def _repair_part(self, source: Source, position: int) -> bool:
        """Whether there is more to repair, or to try again."""
        COUNTERS.repairs += 1
        generation, recorded, held = self._generation, self._recorded, [*self._held]
        try:
            changes = await source.read_changes(self.name, position)
        except Refused:  # The threads have said so, once for all groups.
            await asyncio.sleep(REPAIR_RETRY_SECONDS)
            return True
        except Exception as error:  # noqa: BLE001 - whatever the record raises: tried again
            self._outage.failed(repr(error))
            await asyncio.sleep(REPAIR_RETRY_SECONDS)
            return True
        self._outage.worked()
        if generation != self._generation:
            return False  # It was asked for positions that mean nothing any more.
        if changes.closed is not None:
            self.close(changes.closed, None)
        elif changes.epoch is not None and changes.epoch != self._epoch:
            self._begin_anew()  # Found before a comparison has.
        else:
            if (before := self._position) is not None and changes.position > before:
                self._ready.extend((at, text) for at, text in changes.frames if at > before)
                self._ready.append((changes.position, None))
                self._position = changes.position
                self._go_on()
            if changes.more:
                return True
            self._held.drop_strays(held, changes.position)
            if self._recorded == recorded:  # Else a comparison has read it since.
                self._recorded = min(recorded, changes.position)
        return False

    # Delivery: to everybody before what comes next

    def _go_on(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        while self._fanning_out is None:
            if self._current is not None:
                self._tell_current(self._current)
            elif self._ready:
                ready, arrived = self._next_together()
                if ready:
                    self._fan_out(Frames.together(ready))
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
            if member.kept is not None:
                member.keep(version if self.source is None else ALWAYS, frames)
            elif self.source is not None:
                member.outbox.put_frames(frames, self.name)
            elif version > member.told:
                self._arrive(member)
            elif version == member.told:
                level.append(member)
        self._fan_out(frames, latest=self.name)
        for member in level:  # They were told this one.
            self._arrive(member)

    def _tell_current(self, current: Callable[[], str | None]) -> None:
        self._current = None
        if (text := current()) is None:
            return
        frames = Frames(text)
        for member in self._waiting:
            if member.kept is None:
                member.outbox.put_frames(frames)
        self._fan_out(frames)

    def _next_together(self) -> tuple[list[Frames], list[Member]]:
        """What is ready, as far as it may go out in one write; and those who are live from the next one on."""
        ready: list[Frames] = []
        arrived: list[Member] = []
        size = 0
        while self._ready and not arrived:
            position, text = self._ready[0]
            frames = None
            if text is not None:
                size += len(text)
                if ready and size > TOGETHER_CHARS:
                    break
            self._ready.popleft()  # First: what cannot be sent must not stand before all others for ever.
            if text is not None:
                frames = Frames(text)
                ready.append(frames)
            if position is not None:
                self._delivered = position
            if self._waiting:
                arrived = self._tell_waiting(position, frames)
        return ready, arrived

    def _tell_waiting(self, position: int | None, frames: Frames | None) -> list[Member]:
        """Those that were ahead and now have all up to `position`."""
        arrived = []
        for member in self._waiting:
            if member.kept is not None:
                if frames is not None:
                    member.keep(ALWAYS if position is None else position, frames)
                continue
            if frames is not None and (position is None or position > member.told):
                member.outbox.put_frames(frames)
            if position is not None and position >= member.told:
                arrived.append(member)
        return arrived

    def _fan_out(self, frames: Frames, latest: str | None = None) -> None:
        """Write to all live members: at once when they are few, else in slices with a turn of the loop between."""
        COUNTERS.deliveries += len(self._live) * len(frames.texts)
        if self._turn.has_room_for(len(self._live)):
            broadcast(frames, self._live.values(), latest)
        else:
            self._fanning_out = self._spawn(self._fan_out_in_slices(frames, list(self._live.items()), latest))

    async def _fan_out_in_slices(
        self, frames: Frames, members: list[tuple[Member, Outbox]], latest: str | None
    ) -> None:
        try:
            for start in range(0, len(members), WRITES_PER_TURN):
                # Who left between two slices hears no more.
                one_slice = members[start : start + WRITES_PER_TURN]
                broadcast(frames, [outbox for member, outbox in one_slice if member in self._live], latest)
                await asyncio.sleep(0)
        except Exception:
            # What was lost shows with the next frame; the group must not stop for it.
            logger.exception("a frame for %s was not delivered", self.name)
        finally:
            self._fanning_out = None
        self._go_on()
