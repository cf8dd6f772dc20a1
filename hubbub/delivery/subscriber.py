"""The subscriber of one event loop: it subscribes to each group that has members here.

The first member of a group subscribes to it, the last one unsubscribes. One layer channel carries all groups.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from hubbub.delivery.group import Group
from hubbub.delivery.sequence import Spawn
from hubbub.process.redis_errors import cause_of
from hubbub.publish.group_names import layer_group

logger = logging.getLogger(__name__)

# A join waits no longer for Redis. The subscription continues; missed events are read once it is active.
SUBSCRIBE_SECONDS = 0.5


@dataclass(slots=True, eq=False)
class Subscription:
    """The subscription of one group. The lock keeps subscribing and unsubscribing apart."""

    group: Group
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_active: bool = False
    subscribing: asyncio.Task[None] | None = None


class Subscriber:
    """Runs in one event loop.

    Args:
        layer: the channel layer.
        open_channel: returns the layer channel, opened by the first call.
        spawn: starts a task that the hub owns.
        on_late: called when members did not wait for a subscription: they may have missed events.
        on_end: called with each group that has ended.
    """

    def __init__(
        self,
        layer: Any,
        open_channel: Callable[[], Awaitable[str]],
        spawn: Spawn,
        on_late: Callable[[], None],
        on_end: Callable[[Group], None],
    ) -> None:
        self._layer = layer
        self._open_channel = open_channel
        self._spawn = spawn
        self._on_late = on_late
        self._on_end = on_end
        self.by_name: dict[str, Subscription] = {}
        # By name of the layer's group: how many of our groups are subscribed to it.
        self._users = Counter[str]()

    def add(self, group: Group) -> Subscription:
        """Add a group, which gets its first member now."""
        subscription = self.by_name[group.name] = Subscription(group)
        return subscription

    async def subscribe(self, subscription: Subscription) -> None:
        """Subscribe in the background, and wait for it at most SUBSCRIBE_SECONDS."""
        if subscription.subscribing is None:
            subscription.subscribing = self._spawn(self._subscribe(subscription))
        await asyncio.wait([subscription.subscribing], timeout=SUBSCRIBE_SECONDS)

    def end_if_empty(self, name: str) -> None:
        """Unsubscribe from the group in the background, unless it gets a member meanwhile."""
        subscription = self.by_name.get(name)
        if subscription is not None and subscription.group.is_empty:
            self._spawn(self._unsubscribe(subscription))

    def clear(self) -> None:
        """End all groups at once."""
        for subscription in self.by_name.values():
            subscription.group.end()
        self.by_name.clear()

    async def _subscribe(self, subscription: Subscription) -> None:
        began = asyncio.get_running_loop().time()
        try:
            channel = await self._open_channel()
            async with subscription.lock:
                if subscription.is_active or subscription.group.is_empty:
                    return
                await self._add(layer_group(subscription.group.name), channel)
                subscription.is_active = True
        except Exception as error:  # noqa: BLE001 - raised only by layers other than ours
            logger.warning("hub: subscribe to %s failed: %s", subscription.group.name, cause_of(error))
        finally:
            subscription.subscribing = None
        if asyncio.get_running_loop().time() - began > SUBSCRIBE_SECONDS:
            self._on_late()

    async def _add(self, name: str, channel: str) -> None:
        """Subscribe to a group of the layer; groups of topics of one user share some."""
        self._users[name] += 1
        try:
            await self._layer.group_add(name, channel)
        except BaseException:
            self._users[name] -= 1
            raise

    async def _discard(self, name: str, channel: str) -> None:
        self._users[name] -= 1
        if not self._users[name]:
            del self._users[name]
            await self._layer.group_discard(name, channel)

    async def _unsubscribe(self, subscription: Subscription) -> None:
        group = subscription.group
        async with subscription.lock:
            # A member that joins while this waits for the lock, or for Redis, finds the group and subscribes again.
            if not group.is_empty or self.by_name.get(group.name) is not subscription:
                return
            if subscription.is_active:
                subscription.is_active = False
                try:
                    await self._discard(layer_group(group.name), await self._open_channel())
                except Exception as error:  # noqa: BLE001 - the subscription ends with its connection
                    logger.warning("hub: unsubscribe from %s failed: %s", group.name, cause_of(error))
            if group.is_empty:
                if self.by_name.pop(group.name, None) is None:
                    return  # `clear` has ended it meanwhile.
                group.end()
                self._on_end(group)
                return
        # A member joined meanwhile and may have seen the subscription active.
        if subscription.subscribing is None:
            subscription.subscribing = self._spawn(self._subscribe(subscription))
