"""The hub, one per process: who of this process is in which group, and the delivery of each frame to them.

One layer channel carries all groups of the process. Knows text and positions, nothing of chat.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

from realtime import conf
from realtime.frame import Frame
from realtime.metrics import COUNTERS
from realtime.outbox import Outbox, broadcast

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0

# Members written to before the event loop gets a turn: one to two milliseconds' worth.
FAN_OUT_MEMBERS = 400

# (group, position) -> (the group's position now, the changes since as (position, text), rising).
Repair = Callable[[str, int], Awaitable[tuple[int, list[tuple[int, str]]]]]


@dataclass(slots=True, eq=False)
class Member:
    """One socket in one group. Pending until `go_live`: what comes meanwhile is kept for it."""

    outbox: Outbox
    kept: list[tuple[int, Frame]] | None = field(default_factory=list)
    overflowed: bool = False
    # Live, but it has already been told up to here, which the hub has not reached yet.
    told: int = 0


@dataclass(slots=True, eq=False)
class Group:
    name: str
    repair: Repair | None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    subscribed: bool = False
    live: dict[Member, Outbox] = field(default_factory=dict)
    # Pending members, and those that are ahead of the hub.
    waiting: set[Member] = field(default_factory=set)
    # Up to here nothing is missing any more; None: no member has read its state yet.
    position: int | None = None
    # Came before one that is missing.
    held: dict[int, str] = field(default_factory=dict)
    # In order, for everybody. No position: an event that has none. No text: all up to the position is told.
    ready: deque[tuple[int | None, str | None]] = field(default_factory=deque)
    # Up to here everybody was told, or is being told now.
    delivered: int = 0
    version: int = -1
    newest: str | None = None
    fanning_out: asyncio.Task[None] | None = None
    gap_timer: asyncio.TimerHandle | None = None
    repairing: asyncio.Task[None] | None = None

    @property
    def is_empty(self) -> bool:
        return not self.live and not self.waiting


class Hub:
    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}
        self._layer: Any = get_channel_layer()
        self._channel: str | None = None
        self._starting = asyncio.Lock()
        self._retrying: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, name: str, outbox: Outbox, repair: Repair | None = None) -> Member:
        """Enter `outbox` into the group as pending. `repair` makes the group an ordered one: see `Repair`."""
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group(name, repair)
        member = Member(outbox)
        group.waiting.add(member)
        try:
            await self._start()
            async with group.lock:
                await self._subscribe(group)
        except BaseException:
            self._spawn(self.leave(name, member))
            raise
        return member

    def rejoin(self, name: str, member: Member) -> None:
        """Make a live member pending again: its state is about to be read afresh."""
        group = self._groups[name]
        group.live.pop(member, None)
        group.waiting.add(member)
        member.kept, member.overflowed = [], False

    def go_live(self, name: str, member: Member, position: int = 0) -> None:
        """The member has been told the state at `position`: send it what was kept above, from now on all that comes.

        Not for a member that has `overflowed`: more came than could be kept, so its state must be read again.
        """
        group = self._groups[name]
        kept, member.kept = member.kept or [], None
        for at, frame in kept:
            if at > position:
                member.outbox.put_frame(frame)
        if group.repair is None:
            group.waiting.discard(member)
            group.live[member] = member.outbox
            return
        member.told = position
        if group.position is None:
            group.position = group.delivered = position
            self._clear(group)
        if group.delivered >= position:
            group.waiting.discard(member)
            group.live[member] = member.outbox
        self._go_on(group)

    async def leave(self, name: str, member: Member) -> None:
        """Take the member out of the group; the last one out unsubscribes this process."""
        group = self._groups.get(name)
        if group is None:
            return
        group.live.pop(member, None)
        group.waiting.discard(member)
        if not group.is_empty:
            return
        async with group.lock:
            # Whoever comes in while this waits for the lock, or for Redis, finds the group and subscribes it again.
            if not group.is_empty or self._groups.get(name) is not group:
                return
            if group.subscribed:
                group.subscribed = False
                try:
                    await self._layer.group_discard(name, self._channel)
                except Exception as error:  # noqa: BLE001 - whatever Redis raises: a subscription ends with its connection
                    logger.warning("could not unsubscribe from %s: %r", name, error)
            if group.is_empty:
                del self._groups[name]
                self._forget(group)

    @property
    def groups(self) -> list[str]:
        """Names of the groups that have members in this process."""
        return list(self._groups)

    async def close(self) -> None:
        """End the hub's tasks (for tests: a process keeps its hub for life)."""
        for group in self._groups.values():
            self._forget(group)
        self._groups.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What comes from the channel layer

    async def _start(self) -> None:
        """Open this process's channel; with Redis away members wait, and `_retry` goes on trying."""
        async with self._starting:
            if self._retrying is None:
                self._retrying = self._spawn(self._retry())
                if not await self._open_channel():
                    logger.warning("the channel layer is away: live updates wait for it")

    async def _open_channel(self) -> bool:
        try:
            self._channel = await self._layer.new_channel()
        except Exception as error:  # noqa: BLE001 - whatever Redis raises
            logger.debug("no channel: %r", error)
            return False
        self._spawn(self._receive())
        return True

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _subscribe(self, group: Group) -> None:
        if group.subscribed or self._channel is None:
            return
        try:
            await self._layer.group_add(group.name, self._channel)
            group.subscribed = True
        except Exception as error:  # noqa: BLE001 - whatever Redis raises: `_retry` tries again
            logger.warning("could not subscribe to %s: %r", group.name, error)

    async def _retry(self) -> None:
        """Subscribe what could not be subscribed, then read what was missed meanwhile."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            if self._channel is None and not await self._open_channel():
                continue
            for group in [one for one in self._groups.values() if not one.subscribed]:
                async with group.lock:
                    await self._subscribe(group)
                if group.subscribed:
                    self._begin_repair(group)

    async def _receive(self) -> None:
        while True:
            message = await self._layer.receive(self._channel)
            group = self._groups.get(message["group"])
            if group is None:
                continue
            for position, text in message.get("frames") or [(message.get("position"), message["text"])]:
                self._take(group, text, position, message.get("version"))

    def _take(self, group: Group, text: str, position: int | None, version: int | None) -> None:
        if version is not None:
            if version > group.version:
                group.version, group.newest = version, text
        elif position is None:
            group.ready.append((None, text))
        elif group.position is None or position > group.position:
            group.held[position] = text
            self._clear(group)
        self._go_on(group)

    # Positions: in order, none twice, none left out

    def _clear(self, group: Group) -> None:
        """Move what was held, and misses nothing before it any more, to what is ready."""
        if group.position is None:
            return
        while (text := group.held.pop(group.position + 1, None)) is not None:
            group.position += 1
            group.ready.append((group.position, text))
        for position in [one for one in group.held if one <= group.position]:
            del group.held[position]
        if group.held and group.gap_timer is None and group.repairing is None:
            # Two processes publish swapped all the time: the missing one is most likely under way.
            wait = conf.settings().gap_ms / 1000
            group.gap_timer = asyncio.get_running_loop().call_later(wait, self._gap_is_due, group, group.position)

    # Delivery: each frame to everybody before the next one

    def _go_on(self, group: Group) -> None:
        while group.fanning_out is None:
            if group.ready:
                position, text = group.ready.popleft()
                frame = None if text is None else Frame(text)
                arrived = [] if position is None else self._tell_waiting(group, position, frame)
                if frame is not None:
                    self._fan_out(group, frame)
                for member in arrived:
                    group.waiting.discard(member)
                    group.live[member] = member.outbox
            elif group.newest is not None:
                frame, group.newest = Frame(group.newest), None
                for member in group.waiting:
                    self._keep(member, group.version, frame)
                self._fan_out(group, frame, latest=group.name)
            else:
                return

    def _tell_waiting(self, group: Group, position: int, frame: Frame | None) -> list[Member]:
        """Those that were ahead and now have all up to `position`: live from the next frame on."""
        group.delivered = position
        arrived = []
        for member in group.waiting:
            if member.kept is not None:
                if frame is not None:
                    self._keep(member, position, frame)
            elif position >= member.told:
                if position > member.told and frame is not None:
                    member.outbox.put_frame(frame)
                arrived.append(member)
        return arrived

    def _fan_out(self, group: Group, frame: Frame, latest: str | None = None) -> None:
        """Write to all live members: at once when they are few, else in slices with a turn of the loop between."""
        COUNTERS.deliveries += len(group.live)
        if len(group.live) <= FAN_OUT_MEMBERS:
            broadcast(frame, group.live.values(), latest)
        else:
            group.fanning_out = self._spawn(self._fan_out_in_slices(group, frame, list(group.live.items()), latest))

    async def _fan_out_in_slices(
        self, group: Group, frame: Frame, members: list[tuple[Member, Outbox]], latest: str | None
    ) -> None:
        live = group.live
        for start in range(0, len(members), FAN_OUT_MEMBERS):
            # Who left between two slices hears no more.
            slice_ = members[start : start + FAN_OUT_MEMBERS]
            broadcast(frame, [outbox for member, outbox in slice_ if member in live], latest)
            await asyncio.sleep(0)
        group.fanning_out = None
        self._go_on(group)

    def _keep(self, member: Member, position: int, frame: Frame) -> None:
        if member.kept is None:
            return
        if len(member.kept) >= conf.settings().pending_events:
            member.overflowed = True
        else:
            member.kept.append((position, frame))

    def _gap_is_due(self, group: Group, position: int) -> None:
        group.gap_timer = None
        if group.held and group.position == position:
            self._begin_repair(group)
        else:
            # That gap has closed; a later one gets its own time.
            self._clear(group)

    def _begin_repair(self, group: Group) -> None:
        if group.repair is not None and group.position is not None and group.repairing is None:
            group.repairing = self._spawn(self._repair(group, group.repair, group.position))

    async def _repair(self, group: Group, repair: Repair, since: int) -> None:
        COUNTERS.repairs += 1
        try:
            position, changes = await repair(group.name, since)
        except Exception as error:  # noqa: BLE001 - whatever the database raises: tried again
            logger.warning("could not repair %s after position %s: %r", group.name, since, error)
            await asyncio.sleep(RETRY_SECONDS)
            group.repairing = None
            self._begin_repair(group)
            return
        group.repairing = None
        if group.position is not None and position > group.position:
            group.ready.extend((at, text) for at, text in changes if at > group.position)
            group.ready.append((position, None))
            group.position = position
        self._clear(group)
        self._go_on(group)

    def _forget(self, group: Group) -> None:
        if group.gap_timer is not None:
            group.gap_timer.cancel()
        for task in (group.repairing, group.fanning_out):
            if task is not None:
                task.cancel()


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The running event loop's hub; a server process has one loop."""
    loop = asyncio.get_running_loop()
    if (one := _hubs.get(loop)) is None:
        one = _hubs[loop] = Hub()
    return one
