"""The hub, one per process: who of this process is in which group, and the delivery of each frame to them.

One layer channel carries all groups of the process. Knows text and positions, nothing of chat.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

from realtime import conf
from realtime.metrics import COUNTERS
from realtime.outbox import Outbox

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0

# (group, position) -> (the group's position now, the changes since as (position, text), rising).
Repair = Callable[[str, int], Awaitable[tuple[int, list[tuple[int, str]]]]]


@dataclass(slots=True, eq=False)
class Member:
    """One socket in one group. Pending until `go_live`: what comes meanwhile is kept for it."""

    outbox: Outbox
    kept: list[tuple[int, str]] | None = field(default_factory=list)
    overflowed: bool = False
    # Live, but it has already been told up to here, which the hub has not reached yet.
    told: int = 0


@dataclass(slots=True, eq=False)
class Group:
    name: str
    repair: Repair | None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    subscribed: bool = False
    live: set[Member] = field(default_factory=set)
    # Pending members, and those that are ahead of the hub.
    waiting: set[Member] = field(default_factory=set)
    # Up to here everything was delivered; None: no member has read its state yet.
    position: int | None = None
    held: dict[int, str] = field(default_factory=dict)
    version: int = -1
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
        group.live.discard(member)
        group.waiting.add(member)
        member.kept, member.overflowed = [], False

    def go_live(self, name: str, member: Member, position: int = 0) -> None:
        """The member has been told the state at `position`: send it what was kept above, from now on all that comes.

        Not for a member that has `overflowed`: more came than could be kept, so its state must be read again.
        """
        group = self._groups[name]
        kept, member.kept = member.kept or [], None
        for at, text in kept:
            if at > position:
                member.outbox.put(text)
        if group.repair is None:
            group.waiting.discard(member)
            group.live.add(member)
            return
        member.told = position
        if group.position is None:
            group.position = position
        if group.position >= position:
            group.waiting.discard(member)
            group.live.add(member)
        self._deliver_held(group)

    async def leave(self, name: str, member: Member) -> None:
        """Take the member out of the group; the last one out unsubscribes this process."""
        group = self._groups.get(name)
        if group is None:
            return
        group.live.discard(member)
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
        async with self._starting:
            if self._channel is not None:
                return
            try:
                self._channel = await self._layer.new_channel()
            except Exception as error:  # noqa: BLE001 - Redis is away: members wait, `_retry` goes on trying
                logger.warning("the channel layer is away: %r", error)
                self._spawn(self._retry())
                return
            self._spawn(self._receive())
            self._spawn(self._retry())

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
            if self._channel is None:
                try:
                    self._channel = await self._layer.new_channel()
                except Exception:  # noqa: BLE001, S112 - said once, when it began
                    continue
                self._spawn(self._receive())
            for group in [one for one in self._groups.values() if not one.subscribed]:
                async with group.lock:
                    await self._subscribe(group)
                if group.subscribed:
                    self._begin_repair(group)

    async def _receive(self) -> None:
        while True:
            message = await self._layer.receive(self._channel)
            group = self._groups.get(message["group"])
            if group is not None:
                self._take(group, message["text"], message.get("position"), message.get("version"))

    def _take(self, group: Group, text: str, position: int | None, version: int | None) -> None:
        if version is not None:
            if version > group.version:
                group.version = version
                self._deliver_latest(group, version, text)
        elif position is None:
            for member in group.live:
                member.outbox.put(text)
            COUNTERS.deliveries += len(group.live)
        else:
            self._take_in_order(group, position, text)

    def _deliver_latest(self, group: Group, version: int, text: str) -> None:
        for member in group.waiting:
            self._keep(member, version, text)
        for member in group.live:
            member.outbox.put_latest(group.name, text)
        COUNTERS.deliveries += len(group.live)

    # Positions: in order, none twice, none left out

    def _take_in_order(self, group: Group, position: int, text: str) -> None:
        if group.position is not None and position <= group.position:
            return
        group.held[position] = text
        self._deliver_held(group)

    def _deliver_held(self, group: Group) -> None:
        if group.position is None:
            return
        while (text := group.held.pop(group.position + 1, None)) is not None:
            self._deliver(group, group.position + 1, text)
        for position in [one for one in group.held if one <= group.position]:
            del group.held[position]
        if group.held and group.gap_timer is None and group.repairing is None:
            # Two processes publish swapped all the time: the missing one is most likely under way.
            wait = conf.settings().gap_ms / 1000
            group.gap_timer = asyncio.get_running_loop().call_later(wait, self._gap_is_due, group)

    def _deliver(self, group: Group, position: int, text: str) -> None:
        group.position = position
        for member in group.live:
            member.outbox.put(text)
        COUNTERS.deliveries += len(group.live)
        for member in [*group.waiting]:
            if member.kept is not None:
                self._keep(member, position, text)
                continue
            if position > member.told:
                member.outbox.put(text)
            if position >= member.told:
                group.waiting.discard(member)
                group.live.add(member)

    def _keep(self, member: Member, position: int, text: str) -> None:
        if member.kept is None:
            return
        if len(member.kept) >= conf.settings().pending_events:
            member.overflowed = True
        else:
            member.kept.append((position, text))

    def _gap_is_due(self, group: Group) -> None:
        group.gap_timer = None
        if group.held:
            self._begin_repair(group)

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
        for at, text in changes:
            if group.position is not None and at > group.position:
                self._deliver(group, at, text)
        group.position = max(group.position or 0, position)
        for member in [one for one in group.waiting if one.kept is None and one.told <= group.position]:
            group.waiting.discard(member)
            group.live.add(member)
        self._deliver_held(group)

    def _forget(self, group: Group) -> None:
        if group.gap_timer is not None:
            group.gap_timer.cancel()
        if group.repairing is not None:
            group.repairing.cancel()


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The running event loop's hub; a server process has one loop."""
    loop = asyncio.get_running_loop()
    if (one := _hubs.get(loop)) is None:
        one = _hubs[loop] = Hub()
    return one
