"""The hub, one per event loop: the groups with members here, and their messages from the channel layer.

One layer channel carries all groups. The first member of a group subscribes to it, the last one unsubscribes.
The hub finds messages that the layer lost by comparing ordered groups with their record.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from channels.layers import get_channel_layer
from django.conf import settings

from hubbub import conf, site
from hubbub.delivery.group import Group
from hubbub.delivery.member import Member, MemberSocket
from hubbub.delivery.outbox import Outbox
from hubbub.delivery.recovery import Recovery, StreamPosition
from hubbub.delivery.sequence import Sequence
from hubbub.delivery.service_state import ServiceState
from hubbub.presence.topic_presence import Announce
from hubbub.presence.tracker import Tracker
from hubbub.process.log_once import LogOnce
from hubbub.process.metrics import COUNTERS
from hubbub.process.pacing import WriteBudget, give_turn
from hubbub.process.periodic import Periodic
from hubbub.process.redis_errors import cause_of
from hubbub.protocol import Person, Presence, Refused
from hubbub.publish import USERS_GROUP
from hubbub.publish.messages import LastFrame, OneFrame, Recheck, SeveralFrames, Undecodable, decode

logger = logging.getLogger(__name__)

# A join waits no longer for Redis. The subscription continues; missed events are read once it is active.
SUBSCRIBE_SECONDS = 0.5

RECEIVE_RETRY_SECONDS = 0.1

# Messages of the layer between two turns of the event loop.
MESSAGES_PER_TURN = 100


@dataclass(slots=True, eq=False)
class Subscription:
    """The subscription of one group. The lock keeps subscribing and unsubscribing apart."""

    group: Group
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_active: bool = False
    subscribing: asyncio.Task[None] | None = None


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


class Hub:
    """All groups of one event loop."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, Subscription] = {}
        self._layer: Any = get_channel_layer()
        self._channel: str | None = None
        self._opening = asyncio.Lock()
        self._reconciling: asyncio.Task[None] | None = None
        self._reconciler = Periodic(
            self._reconcile,
            seconds=lambda: conf.settings().reconcile_seconds,
            log=LogOnce("hub: reading positions failed"),
            quiet=(Refused,),  # The threads have logged it.
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._budget = WriteBudget()
        self.service = ServiceState()
        self._tracker = Tracker(self._send_current, url=settings.REDIS_URL)
        self._undecodable = LogOnce("hub: undecodable message dropped")
        self._access: AccessWatcher | None = None

    def watch(self, access: AccessWatcher) -> None:
        """Report access hints to `access`. Call it before `open`."""
        self._access = access

    async def open(self) -> None:
        """Start receiving from the channel layer; otherwise the first join does it."""
        async with self._opening:
            if self._channel is None:
                await site.wait_until_known()
                if (watch := getattr(self._layer, "watch", None)) is not None:
                    watch(self)
                channel = await self._layer.new_channel()
                self._spawn(self._receive(channel))
                self._spawn(self._tracker.run())
                self._channel = channel
                if self._access is not None:
                    for loop in self._access.loops():
                        self._spawn(loop)
                    # Not awaited: until it is active, and while Redis is away, the sweeps find changes.
                    self._spawn(self._layer.group_add(USERS_GROUP, channel))

    async def join(
        self,
        name: str,
        outbox: Outbox,
        recovery: Recovery | None = None,
        user_id: str | None = None,
        user_name: str = "",
        announce: Announce | None = None,
        socket: MemberSocket | None = None,
    ) -> Member:
        """Add a pending member to the group.

        When cancelled, the member is either in the group or not. With Redis away it is served through `recovery`.

        Args:
            name: of the group.
            outbox: of the socket.
            recovery: makes the group an ordered one.
            user_id: of the socket's user.
            user_name: of the socket's user.
            announce: makes the frames that announce joins and leaves; with it the group has presence.
            socket: the log names it when the member is evicted.
        """
        subscription = self._subscriptions.get(name)
        if subscription is None:
            people = None if announce is None else self._tracker.watch(name, announce)
            group = Group(
                name,
                recovery,
                self._spawn,
                self._budget,
                on_empty=partial(self._on_empty, name),
                on_evict=partial(self._on_evict, name),
                people=people,
            )
            subscription = self._subscriptions[name] = Subscription(group)
            if recovery is not None and self._reconciling is None:
                self._reconciling = self._spawn(self._reconciler.run())
        member = subscription.group.enter(outbox, user_id, user_name, socket)
        try:
            if not subscription.is_active:
                if subscription.subscribing is None:
                    subscription.subscribing = self._spawn(self._subscribe(subscription))
                await asyncio.wait([subscription.subscribing], timeout=SUBSCRIBE_SECONDS)
        except BaseException:
            self.leave(name, member)
            raise
        return member

    def has_everything_after(self, name: str, member: Member, position: int) -> bool:
        """See `Group.has_everything_after`."""
        return self._subscriptions[name].group.has_everything_after(member, position)

    def go_live(self, name: str, member: Member, position: int | None = None, epoch: str = "") -> None:
        """See `Group.go_live`."""
        self._subscriptions[name].group.go_live(member, position, epoch)

    def presence(self, name: str, member: Member, max_bytes: int | None = None) -> Presence | None:
        """The users present, as the members know them, and this member. None: no presence, or not known yet.

        Without names if they would take more than `max_bytes` of a frame.
        """
        people = self._subscriptions[name].group.people
        return None if people is None else people.presence_for(Person(member.user_id, member.user_name), max_bytes)

    def presence_bytes(self, name: str, member: Member) -> int:
        """An upper bound of the bytes of `presence` in a frame."""
        people = self._subscriptions[name].group.people
        return 0 if people is None else people.size_for(Person(member.user_id, member.user_name))

    def is_active(self, name: str) -> bool:
        """Whether the group has members here and its subscription is active."""
        subscription = self._subscriptions.get(name)
        return subscription is not None and subscription.is_active

    def leave(self, name: str, member: Member) -> None:
        """Remove the member. The last one unsubscribes from the group, in the background."""
        subscription = self._subscriptions.get(name)
        if subscription is None:
            return
        subscription.group.remove(member)
        if subscription.group.is_empty:
            self._on_empty(name)

    @property
    def groups(self) -> list[str]:
        """Names of the groups with members in this process."""
        return list(self._subscriptions)

    def groups_by_name(self) -> dict[str, Group]:
        """The groups with members in this process."""
        return {name: subscription.group for name, subscription in self._subscriptions.items()}

    def rename_user(self, user_id: str, name: str) -> None:
        """Correct the name of a present user."""
        for subscription in self._subscriptions.values():
            if subscription.group.people is not None:
                subscription.group.people.rename(user_id, name)

    async def close(self) -> None:
        """End the hub's tasks (for tests: a process keeps its hub for life)."""
        for subscription in self._subscriptions.values():
            subscription.group.end()
        self._subscriptions.clear()
        while tasks := [task for task in self._tasks if not task.done()]:
            # Repeated: redis-py sometimes swallows a cancellation.
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.1)
        await self.service.close()
        await self._tracker.close()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _send_current(self, name: str, current: Callable[[], str | None]) -> None:
        """Send to the group's members in this process only: see `Group.send_current`."""
        if (subscription := self._subscriptions.get(name)) is not None:
            subscription.group.send_current(current)

    def _on_evict(self, name: str, member: Member) -> None:
        if self._access is not None:
            self._access.evicted(name, member)

    # Subscriptions

    async def _subscribe(self, subscription: Subscription) -> None:
        began = asyncio.get_running_loop().time()
        try:
            await self.open()
            async with subscription.lock:
                if self._channel is None or subscription.is_active or subscription.group.is_empty:
                    return
                await self._layer.group_add(subscription.group.name, self._channel)
                subscription.is_active = True
        except Exception as error:  # noqa: BLE001 - raised only by layers other than ours
            logger.warning("hub: subscribe to %s failed: %s", subscription.group.name, cause_of(error))
        finally:
            subscription.subscribing = None
        if asyncio.get_running_loop().time() - began > SUBSCRIBE_SECONDS:
            self._reconciler.wake()  # Members did not wait: they may have missed events.

    def _on_empty(self, name: str) -> None:
        if (subscription := self._subscriptions.get(name)) is not None:
            self._spawn(self._unsubscribe(subscription))

    async def _unsubscribe(self, subscription: Subscription) -> None:
        group = subscription.group
        async with subscription.lock:
            # A member that joins while this waits for the lock, or for Redis, finds the group and subscribes again.
            if not group.is_empty or self._subscriptions.get(group.name) is not subscription:
                return
            if subscription.is_active:
                subscription.is_active = False
                try:
                    await self._layer.group_discard(group.name, self._channel)
                except Exception as error:  # noqa: BLE001 - the subscription ends with its connection
                    logger.warning("hub: unsubscribe from %s failed: %s", group.name, cause_of(error))
            if group.is_empty:
                del self._subscriptions[group.name]
                group.end()
                if group.people is not None:
                    self._tracker.unwatch(group.name)
                return
        # A member joined meanwhile and may have seen the subscription active.
        if subscription.subscribing is None:
            subscription.subscribing = self._spawn(self._subscribe(subscription))

    # Events of the channel layer: see hubbub.delivery.layer.Watcher

    def lost(self) -> None:
        self.service.lost()

    def regained(self) -> None:
        self.service.regained()
        self._check_all()

    def overflowed(self) -> None:
        self._check_all()

    def _check_all(self) -> None:
        self._reconciler.wake()
        if self._access is not None:
            self._access.check_all()

    # Reconciliation with the record

    async def _reconcile(self) -> None:
        """Compare all ordered groups with their record."""
        by_recovery: dict[Recovery, dict[str, tuple[Sequence, StreamPosition]]] = {}
        for name, subscription in self._subscriptions.items():
            sequence = subscription.group.sequence
            if sequence is not None and (local := sequence.local) is not None:
                by_recovery.setdefault(sequence.recovery, {})[name] = (sequence, local)
        for recovery, sequences in by_recovery.items():
            COUNTERS.comparisons += 1
            recorded = await recovery.read_positions([*sequences])
            for name, (sequence, local) in sequences.items():
                if name in recorded and self._access is not None:
                    self._access.access_version(name, recorded[name].access)
                sequence.compare(local, recorded.get(name))

    # Messages from the channel layer

    async def _receive(self, channel: str) -> None:
        receive = getattr(self._layer, "receive_payload", self._layer.receive)
        while True:
            for _ in range(MESSAGES_PER_TURN):
                try:
                    payload = await receive(channel)
                except Exception:
                    # Raised only by layers other than ours: receiving or decryption fails.
                    logger.exception("hub: receiving from the channel layer failed")
                    await asyncio.sleep(RECEIVE_RETRY_SECONDS)
                    continue
                try:
                    self._dispatch(payload)
                except Exception:
                    logger.exception("hub: message dropped")
            await give_turn()

    def _dispatch(self, payload: bytes | dict[str, Any]) -> None:
        try:
            message = decode(payload)
        except Undecodable as error:
            # From another release or another program.
            COUNTERS.dropped_messages += 1
            self._undecodable.failed(error)
            return
        if message.group == USERS_GROUP:
            if isinstance(message, Recheck) and self._access is not None:
                self._access.users_changed(None if message.recheck == "all" else message.recheck)
            return
        subscription = self._subscriptions.get(message.group)
        if subscription is None:
            return
        group = subscription.group
        match message:
            case OneFrame():
                group.receive(message.text, message.position, message.version)
            case SeveralFrames():
                for position, text in message.frames:
                    group.receive(text, position, None)
            case LastFrame():
                group.close(message.text, None if message.evicted == "all" else set(message.evicted))
            case Recheck():
                if self._access is not None:
                    self._access.access_changed(message.group)
