"""The hub, one per event loop: the groups with members here, and their messages from the channel layer.

`subscriber` connects the groups with the layer; `reconciler` finds messages that the layer lost.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from channels.layers import get_channel_layer

from hubbub import conf, site
from hubbub.delivery.access_watcher import AccessWatcher
from hubbub.delivery.feed import Feed, MakeFeed
from hubbub.delivery.group import Group
from hubbub.delivery.member import Member, MemberSocket
from hubbub.delivery.outbox import Outbox
from hubbub.delivery.reconciler import Reconciler
from hubbub.delivery.recovery import Recovery
from hubbub.delivery.service_state import ServiceState
from hubbub.delivery.subscriber import Subscriber, Subscription
from hubbub.presence.topic_presence import Announce, People
from hubbub.presence.tracker import Tracker
from hubbub.process.log_once import LogOnce
from hubbub.process.metrics import COUNTERS
from hubbub.process.pacing import WriteBudget, give_turn
from hubbub.protocol import Card, Presence
from hubbub.publish import USERS_GROUP
from hubbub.publish.messages import (
    LastFrame,
    Listed,
    Message,
    OneFrame,
    Reached,
    Recheck,
    SeveralFrames,
    StreamCommand,
    Told,
    Undecodable,
    decode,
)

logger = logging.getLogger(__name__)

RECEIVE_RETRY_SECONDS = 0.1
MESSAGES_PER_TURN = 100  # Of the layer, between two turns of the event loop.


class Hub:
    """All groups of one event loop."""

    def __init__(self) -> None:
        self._layer: Any = get_channel_layer()
        self._channel: str | None = None
        self._opening = asyncio.Lock()
        self._subscriber = Subscriber(
            self._layer, self.open, self._spawn, on_late=lambda: self._reconciler.wake(), on_end=self._on_end
        )
        self._subscriptions = self._subscriber.by_name
        self._reconciling: asyncio.Task[None] | None = None
        self._reconciler = Reconciler(self._subscriptions, self._on_access_version, lambda: self.service.may_miss)
        self._tasks: set[asyncio.Task[None]] = set()
        self._budget = WriteBudget()
        self.service = ServiceState()
        self._tracker = Tracker(self._send_current, url=conf.settings().redis_url)
        self._undecodable = LogOnce("hub: undecodable message dropped")
        self._access: AccessWatcher | None = None
        # Streams over HTTP by name: each takes the user id and the text of a command.
        self.streams: dict[str, Callable[[str, str], None]] = {}

    def watch(self, access: AccessWatcher) -> None:
        """Report access hints to `access`. Call it before `open`."""
        self._access = access

    async def open(self) -> str:
        """Start receiving from the channel layer; otherwise the first join does it. Returns the layer channel."""
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
            return self._channel

    async def join(
        self,
        name: str,
        outbox: Outbox,
        recovery: Recovery | None = None,
        user_id: str | None = None,
        user_card: Card = "",
        announce: Announce | None = None,
        socket: MemberSocket | None = None,
        make_feed: MakeFeed | None = None,
    ) -> Member:
        """Add a pending member to the group.

        When cancelled, the member is either in the group or not. With Redis away it is served through `recovery`.

        Args:
            name: of the group.
            outbox: of the socket.
            recovery: makes the group an ordered one.
            user_id, user_card: of the socket's user.
            announce: makes the frames that announce joins and leaves; with it the group has presence.
            socket: the log names it when the member is evicted.
            make_feed: gives the group a feed instead of ordered frames.
        """
        subscription = self._subscriptions.get(name) or self._add_group(name, recovery, announce, make_feed)
        member = subscription.group.enter(outbox, user_id, user_card, socket)
        try:
            if not subscription.is_active:
                await self._subscriber.subscribe(subscription)
        except BaseException:
            self.leave(name, member)
            raise
        return member

    def _add_group(
        self, name: str, recovery: Recovery | None, announce: Announce | None, make_feed: MakeFeed | None
    ) -> Subscription:
        group = Group(
            name,
            recovery,
            self._spawn,
            self._budget,
            on_empty=partial(self._subscriber.end_if_empty, name),
            on_evict=partial(self._on_evict, name),
            people=None if announce is None else self._tracker.watch(name, announce),
            make_feed=make_feed,
        )
        if group.tracked is not None and self._reconciling is None:
            self._reconciling = self._spawn(self._reconciler.run())
        return self._subscriber.add(group)

    def feed_of(self, name: str) -> Feed | None:
        """The feed of a group with members here."""
        return self._subscriptions[name].group.feed

    def has_everything_after(self, name: str, member: Member, position: int) -> bool:
        """See `Group.has_everything_after`."""
        return self._subscriptions[name].group.has_everything_after(member, position)

    def go_live(self, name: str, member: Member, position: int | None = None, epoch: str = "") -> None:
        """See `Group.go_live`."""
        self._subscriptions[name].group.go_live(member, position, epoch)

    def presence(self, name: str, member: Member, max_bytes: int | None = None) -> Presence | None:
        """The users present and this member, without names past `max_bytes`. None: no presence, or not known yet."""
        people = self._subscriptions[name].group.people
        return None if people is None else people.presence_for(member.person, max_bytes)

    def people(self, name: str) -> People | None:
        """The users present in the group; None: it has no presence."""
        return self._subscriptions[name].group.people

    def presence_bytes(self, name: str, member: Member) -> int:
        """An upper bound of the bytes of `presence` in a frame."""
        people = self._subscriptions[name].group.people
        return 0 if people is None else people.size_for(member.person)

    def is_active(self, name: str) -> bool:
        """Whether the group has members here and its subscription is active."""
        subscription = self._subscriptions.get(name)
        return subscription is not None and subscription.is_active

    def leave(self, name: str, member: Member) -> None:
        """Remove the member. The last one unsubscribes from the group, in the background."""
        if (subscription := self._subscriptions.get(name)) is not None:
            subscription.group.remove(member)
            if subscription.group.is_empty:
                self._subscriber.end_if_empty(name)

    @property
    def groups(self) -> list[str]:
        """Names of the groups with members in this process."""
        return list(self._subscriptions)

    def groups_by_name(self) -> dict[str, Group]:
        """The groups with members in this process."""
        return {name: subscription.group for name, subscription in self._subscriptions.items()}

    def rename_user(self, user_id: str, card: Card) -> None:
        """Correct what others see of a present user."""
        for subscription in self._subscriptions.values():
            if subscription.group.people is not None:
                subscription.group.people.rename(user_id, card)

    async def close(self) -> None:
        """End the hub's tasks (for tests: a process keeps its hub for life)."""
        self._subscriber.clear()
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

    def _on_end(self, group: Group) -> None:
        if group.people is not None:
            self._tracker.unwatch(group.name)

    def _on_access_version(self, name: str, version: int) -> None:
        if self._access is not None:
            self._access.access_version(name, version)

    def _on_evict(self, name: str, member: Member) -> None:
        if self._access is not None:
            self._access.evicted(name, member)

    # Events of the channel layer: see hubbub.delivery.layer.Watcher

    def lost(self) -> None:
        self.service.lost()

    def regained(self) -> None:
        self.service.regained()
        self.overflowed()

    def overflowed(self) -> None:
        self._reconciler.compare_all()
        if self._access is not None:
            self._access.check_all()

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
            elif isinstance(message, StreamCommand) and (take := self.streams.get(message.connection)) is not None:
                take(message.user_id, message.text)
            return
        if (subscription := self._subscriptions.get(message.group)) is not None:
            self._dispatch_to(subscription.group, message)

    def _dispatch_to(self, group: Group, message: Message) -> None:
        match message:
            case OneFrame():
                group.receive(message.text, message.position, message.version)
            case SeveralFrames():
                for position, text in message.frames:
                    group.receive(text, position, None)
            case LastFrame():
                group.close(message.text, None if message.evicted == "all" else set(message.evicted))
            case Told():
                group.tell(message.text)
            case Reached():
                if (tracked := group.tracked) is not None:
                    tracked.note(message.position)
            case Listed() if group.feed is not None:
                group.feed.note_listed(message.users, message.keys)
            case Recheck() if self._access is not None:
                self._access.access_changed(message.group)
