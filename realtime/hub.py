"""The hub, one per process: which groups have members here, and what comes for them over the channel layer.

One layer channel carries all groups of the process. The first member of a group subscribes it, the last unsubscribes.
"""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

from realtime.group import Group, Member, Repair, Turn
from realtime.outbox import Outbox

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0

# A join waits no longer for Redis: the subscription goes on, and what was missed by then is read when it stands.
SUBSCRIBE_SECONDS = 0.5

# Messages of the layer before the event loop gets a turn.
MESSAGES_PER_TURN = 100


@dataclass(slots=True, eq=False)
class Subscription:
    """One group's place on the channel layer. The lock keeps subscribing and unsubscribing apart."""

    group: Group
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    stands: bool = False
    beginning: asyncio.Task[None] | None = None


class Hub:
    def __init__(self) -> None:
        self._subscriptions: dict[str, Subscription] = {}
        self._layer: Any = get_channel_layer()
        self._channel: str | None = None
        self._opening = asyncio.Lock()
        self._retrying: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = Turn()
        self._is_away = False

    async def join(self, name: str, outbox: Outbox, repair: Repair | None = None) -> Member:
        """Enter `outbox` into the group as pending. `repair` makes the group an ordered one.

        Cancelled, or with Redis away, the member is in the group all the same, or not at all.
        """
        subscription = self._subscriptions.get(name)
        if subscription is None:
            group = Group(name, repair, self._spawn, self._turn)
            subscription = self._subscriptions[name] = Subscription(group)
        member = subscription.group.enter(outbox)
        try:
            if not subscription.stands:
                if subscription.beginning is None:
                    subscription.beginning = self._spawn(self._begin(subscription))
                await asyncio.wait([subscription.beginning], timeout=SUBSCRIBE_SECONDS)
        except BaseException:
            self.leave(name, member)
            raise
        return member

    def go_live(self, name: str, member: Member, position: int = 0, epoch: str = "") -> None:
        """See `Group.go_live`."""
        self._subscriptions[name].group.go_live(member, position, epoch)

    def leave(self, name: str, member: Member) -> None:
        """Take the member out of the group; the last one out unsubscribes this process, which nobody waits for."""
        subscription = self._subscriptions.get(name)
        if subscription is None:
            return
        subscription.group.remove(member)
        if subscription.group.is_empty:
            self._spawn(self._end(subscription))

    @property
    def groups(self) -> list[str]:
        """Names of the groups that have members in this process."""
        return list(self._subscriptions)

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

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Subscriptions

    async def _begin(self, subscription: Subscription) -> None:
        """Subscribe the group; whatever fails is tried again by `_retry`, with what was missed read afterwards."""
        began = asyncio.get_running_loop().time()
        try:
            if self._retrying is None:
                self._retrying = self._spawn(self._retry())
            await self._open_channel()
            async with subscription.lock:
                if self._channel is None or subscription.stands or subscription.group.is_empty:
                    return
                await self._layer.group_add(subscription.group.name, self._channel)
                subscription.stands = True
                self._is_away = False
        except Exception as error:  # noqa: BLE001 - whatever Redis raises
            if not self._is_away:
                logger.warning("Redis is away, live updates wait for it: %r", error)
            self._is_away = True
        finally:
            subscription.beginning = None
        if asyncio.get_running_loop().time() - began > SUBSCRIBE_SECONDS:
            subscription.group.begin_repair()

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
                    logger.warning("could not unsubscribe from %s: %r", group.name, error)
            if group.is_empty:
                del self._subscriptions[group.name]
                group.end()
                return
        # Somebody came in meanwhile, and may have seen it stand.
        if subscription.beginning is None:
            subscription.beginning = self._spawn(self._begin(subscription))

    async def _retry(self) -> None:
        """Subscribe what could not be subscribed, then read what was missed meanwhile."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            for subscription in [*self._subscriptions.values()]:
                if not subscription.stands and subscription.beginning is None:
                    await self._begin(subscription)
                    if subscription.stands:
                        subscription.group.begin_repair()

    # What comes from the channel layer

    async def _open_channel(self) -> None:
        async with self._opening:
            if self._channel is None:
                channel = await self._layer.new_channel()
                self._spawn(self._receive(channel))
                self._channel = channel

    async def _receive(self, channel: str) -> None:
        messages = 0
        while True:
            message = await self._layer.receive(channel)
            try:
                self._take(message)
            except Exception:
                # Another release's, or somebody else's: it must not make this process deaf.
                logger.exception("a message of the channel layer was dropped")
            messages += 1
            if messages % MESSAGES_PER_TURN == 0:
                await asyncio.sleep(0)

    def _take(self, message: dict[str, Any]) -> None:
        subscription = self._subscriptions.get(message["group"])
        if subscription is None:
            return
        for position, text in message.get("frames") or [(message.get("position"), message["text"])]:
            subscription.group.take(text, position, message.get("version"))


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The running event loop's hub; a server process has one loop."""
    loop = asyncio.get_running_loop()
    if (one := _hubs.get(loop)) is None:
        one = _hubs[loop] = Hub()
    return one
