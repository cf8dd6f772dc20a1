"""The hub, one per process: which groups have members here, and what comes for them over the channel layer.

One layer channel carries all groups of the process. The first member of a group subscribes it, the last unsubscribes.
What the layer loses, the hub finds by comparing the ordered groups with their record.
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
from hubbub.delivery.member import Member
from hubbub.delivery.outbox import Outbox
from hubbub.delivery.pacing import WriteBudget
from hubbub.delivery.recovery import Recovery, StreamPosition
from hubbub.delivery.sequence import Sequence
from hubbub.delivery.service_state import ServiceState
from hubbub.presence.topic_presence import Announce
from hubbub.presence.tracker import Tracker
from hubbub.process.log_once import LogOnce
from hubbub.process.metrics import COUNTERS
from hubbub.process.periodic import Periodic
from hubbub.process.redis_errors import cause_of
from hubbub.protocol import Person, Presence, Refused
from hubbub.publish import USERS_GROUP
from hubbub.publish.messages import LastFrame, OneFrame, Recheck, SeveralFrames, Undecodable, decode

logger = logging.getLogger(__name__)

# A join waits no longer for Redis: the subscription goes on, and what was missed by then is read when it stands.
SUBSCRIBE_SECONDS = 0.5

RECEIVE_RETRY_SECONDS = 0.1

# Messages of the layer before the event loop gets a turn.
MESSAGES_PER_TURN = 100


@dataclass(slots=True, eq=False)
class Subscription:
    """One group's place on the channel layer. The lock keeps subscribing and unsubscribing apart."""

    group: Group
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    stands: bool = False
    beginning: asyncio.Task[None] | None = None


class AccessWatcher(Protocol):
    """Told by the hub of whatever may change who is let in."""

    def loops(self) -> Collection[Coroutine[Any, Any, None]]:
        """What has to run as long as the hub listens."""

    def users_changed(self, user_ids: list[str] | None) -> None:
        """Something about these users has changed, or about all for None."""

    def access_changed(self, group: str) -> None:
        """Who may be in the group has changed."""

    def access_version(self, group: str, version: int) -> None:
        """The record's version of who may be in the group, as just read."""

    def check_all(self) -> None:
        """Something may have been missed."""

    def evicted(self, group: str, member: Member) -> None:
        """The member was put out of the group, for whatever reason."""


class Hub:
    def __init__(self) -> None:
        self._subscriptions: dict[str, Subscription] = {}
        self._layer: Any = get_channel_layer()
        self._channel: str | None = None
        self._opening = asyncio.Lock()
        self._comparing: asyncio.Task[None] | None = None
        self._reconcile = Periodic(
            self._compare,
            seconds=lambda: conf.settings().reconcile_seconds,
            log=LogOnce("hub: reading positions failed"),
            quiet=(Refused,),  # The threads have logged it.
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._budget = WriteBudget()
        self.service = ServiceState()
        self._tracker = Tracker(self._tell, url=settings.REDIS_URL)
        self._strays = LogOnce("hub: undecodable message dropped")
        self._access: AccessWatcher | None = None

    def watch(self, access: AccessWatcher) -> None:
        """Tell `access` of all that may change who is let in. To be called before `open`."""
        self._access = access

    async def open(self) -> None:
        """Begin to listen to the channel layer; otherwise the first join does."""
        async with self._opening:
            if self._channel is None:
                await site.known()
                if (watch := getattr(self._layer, "watch", None)) is not None:
                    watch(self)
                channel = await self._layer.new_channel()
                self._spawn(self._receive(channel))
                self._spawn(self._tracker.run())
                self._channel = channel
                if self._access is not None:
                    for loop in self._access.loops():
                        self._spawn(loop)
                    # Until it stands, and while Redis is away, the sweeps do its work.
                    self._spawn(self._layer.group_add(USERS_GROUP, channel))

    async def join(
        self,
        name: str,
        outbox: Outbox,
        recovery: Recovery | None = None,
        user_id: str | None = None,
        user_name: str = "",
        announce: Announce | None = None,
    ) -> Member:
        """Enter `outbox` into the group as pending. `recovery` makes the group an ordered one.

        With `announce` the group knows who is present, and tells its members who comes and goes in these frames.

        Cancelled, the member is in the group all the same, or not at all. With Redis away it hears through `recovery`.
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
            if recovery is not None and self._comparing is None:
                self._comparing = self._spawn(self._reconcile.run())
        member = subscription.group.enter(outbox, user_id, user_name)
        try:
            if not subscription.stands:
                if subscription.beginning is None:
                    subscription.beginning = self._spawn(self._begin(subscription))
                await asyncio.wait([subscription.beginning], timeout=SUBSCRIBE_SECONDS)
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

    def presence(self, name: str, member: Member, most_bytes: int | None = None) -> Presence | None:
        """Who is present in the group, as its members know it, and this member; None: not known (yet).

        Nobody is named when that would take more than `most_bytes` of a frame.
        """
        people = self._subscriptions[name].group.people
        return None if people is None else people.seen_by(Person(member.user_id, member.user_name), most_bytes)

    def presence_bytes(self, name: str, member: Member) -> int:
        """At least what `presence` takes in a frame."""
        people = self._subscriptions[name].group.people
        return 0 if people is None else people.size_for(Person(member.user_id, member.user_name))

    def is_active(self, name: str) -> bool:
        """Whether it has members here, and is subscribed to."""
        subscription = self._subscriptions.get(name)
        return subscription is not None and subscription.stands

    def leave(self, name: str, member: Member) -> None:
        """Take the member out of the group; the last one out unsubscribes this process, which nobody waits for."""
        subscription = self._subscriptions.get(name)
        if subscription is None:
            return
        subscription.group.remove(member)
        if subscription.group.is_empty:
            self._on_empty(name)

    @property
    def groups(self) -> list[str]:
        """Names of the groups that have members in this process."""
        return list(self._subscriptions)

    def groups_by_name(self) -> dict[str, Group]:
        """The groups that have members in this process."""
        return {name: subscription.group for name, subscription in self._subscriptions.items()}

    def rename_user(self, user_id: str, name: str) -> None:
        """Correct the name of somebody who is present."""
        for subscription in self._subscriptions.values():
            if subscription.group.people is not None:
                subscription.group.people.rename(user_id, name)

    async def close(self) -> None:
        """End the hub's tasks (for tests: a process keeps its hub for life)."""
        for subscription in self._subscriptions.values():
            subscription.group.end()
        self._subscriptions.clear()
        while tasks := [task for task in self._tasks if not task.done()]:
            # Repeated: redis-py has been seen to swallow a cancellation.
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

    def _tell(self, name: str, current: Callable[[], str | None]) -> None:
        """Tell the group's members in this process only: see `Group.tell`."""
        if (subscription := self._subscriptions.get(name)) is not None:
            subscription.group.send_current(current)

    def _on_evict(self, name: str, member: Member) -> None:
        if self._access is not None:
            self._access.evicted(name, member)

    # Subscriptions

    async def _begin(self, subscription: Subscription) -> None:
        began = asyncio.get_running_loop().time()
        try:
            await self.open()
            async with subscription.lock:
                if self._channel is None or subscription.stands or subscription.group.is_empty:
                    return
                await self._layer.group_add(subscription.group.name, self._channel)
                subscription.stands = True
        except Exception as error:  # noqa: BLE001 - of a layer other than ours, which does not raise here
            logger.warning("hub: subscribe to %s failed: %s", subscription.group.name, cause_of(error))
        finally:
            subscription.beginning = None
        if asyncio.get_running_loop().time() - began > SUBSCRIBE_SECONDS:
            self._reconcile.wake()  # Members have not waited so long.

    def _on_empty(self, name: str) -> None:
        if (subscription := self._subscriptions.get(name)) is not None:
            self._spawn(self._end(subscription))

    async def _end(self, subscription: Subscription) -> None:
        group = subscription.group
        async with subscription.lock:
            # Whoever comes in while this waits for the lock, or for Redis, finds the group and subscribes it again.
            if not group.is_empty or self._subscriptions.get(group.name) is not subscription:
                return
            if subscription.stands:
                subscription.stands = False
                try:
                    await self._layer.group_discard(group.name, self._channel)
                except Exception as error:  # noqa: BLE001 - whatever Redis raises: it ends with its connection
                    logger.warning("hub: unsubscribe from %s failed: %s", group.name, cause_of(error))
            if group.is_empty:
                del self._subscriptions[group.name]
                group.end()
                if group.people is not None:
                    self._tracker.unwatch(group.name)
                return
        # Somebody came in meanwhile, and may have seen it stand.
        if subscription.beginning is None:
            subscription.beginning = self._spawn(self._begin(subscription))

    # What the channel layer tells of itself: see hubbub.delivery.layer.Watcher

    def lost(self) -> None:
        self.service.lost()

    def regained(self) -> None:
        self.service.regained()
        self._look_at_all()

    def overflowed(self) -> None:
        self._look_at_all()

    def _look_at_all(self) -> None:
        self._reconcile.wake()
        if self._access is not None:
            self._access.check_all()

    # What was missed

    async def _compare(self) -> None:
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

    # What comes from the channel layer

    async def _receive(self, channel: str) -> None:
        receive = getattr(self._layer, "receive_payload", self._layer.receive)
        messages = 0
        while True:
            try:
                payload = await receive(channel)
            except Exception:
                # A layer other than ours, which cannot receive for now, or does not decrypt this.
                logger.exception("hub: receiving from the channel layer failed")
                await asyncio.sleep(RECEIVE_RETRY_SECONDS)
                continue
            try:
                self._take(payload)
            except Exception:
                logger.exception("hub: message dropped")
            messages += 1
            if messages % MESSAGES_PER_TURN == 0:
                await asyncio.sleep(0)

    def _take(self, payload: bytes | dict[str, Any]) -> None:
        try:
            message = decode(payload)
        except Undecodable as error:
            # Another release's, or somebody else's.
            COUNTERS.dropped_messages += 1
            self._strays.failed(error)
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
