"""The Redis channel layer: channels_redis' pub/sub layer with connections of its own (see `shard`).

Each call has a time limit, the receive queue is bounded, and watchers are notified when Redis is lost and when it is
back.
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Any, Protocol

from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer
from channels_redis.serializers import MsgPackSerializer
from channels_redis.utils import _wrap_close, decode_hosts
from django.core.exceptions import ImproperlyConfigured

from hubbub import conf, site
from hubbub.delivery.layer_options import check_options
from hubbub.delivery.shard import Shard
from hubbub.process.metrics import COUNTERS
from hubbub.process.redis_errors import cause_of
from hubbub.publish.group_names import layer_group
from hubbub.publish.messages import Message, encode, to_dict

logger = logging.getLogger(__name__)

VALID_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,99}\Z")  # Channels' own rule, which the pub/sub layer does not check.


class Watcher(Protocol):
    """Receives events of the layer, in the event loop. Must not wait or raise."""

    def lost(self) -> None:
        """The connection to Redis is lost."""

    def regained(self) -> None:
        """All subscriptions are active (again). Messages published since the loss will not arrive."""

    def overflowed(self) -> None:
        """The receive queue was full; its messages were dropped."""


class RedisPubSubLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """Channel layer for `CHANNEL_LAYERS`.

    Options are those of channels_redis, and `capacity`: messages per receive queue, by default
    HUBBUB["LAYER_CAPACITY"]. Without `hosts` it uses
    HUBBUB["REDIS_URL"]. The option `prefix` is ignored: the prefix is the site's (hubbub.site).

    Subscribing does not raise while Redis is away: it takes effect when Redis is back. Sending raises.

    Raises:
        ImproperlyConfigured: a wrong option.
    """

    def __init__(self, **options: Any) -> None:
        check_options(options)
        super().__init__(**options)

    def watch(self, watcher: Watcher) -> None:
        """Notify `watcher` from now on, for this event loop."""
        self._get_layer().watchers.append(watcher)

    # Outside of a server that runs the services the first call reads the prefix of the site: in a view under WSGI, in a
    # script, in a router without `hubbub.asgi.application`.

    async def new_channel(self, prefix: str = "specific.") -> str:
        """Return the name of a new channel, which begins with the site's prefix and `prefix`. Raises PrefixUnknown."""
        await site.ready_to_publish()
        name: str = await self._get_layer().new_channel(prefix)
        return name

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Send the message to the channel. Raises the errors of redis-py while Redis is away."""
        await site.ready_to_publish()
        await self._get_layer().send(channel, message)

    async def group_add(self, group: str, channel: str) -> None:
        """Subscribe the `channel` to the `group`. Returns when Redis has confirmed it.

        It returns also when Redis cannot be reached: it takes effect when Redis is back.
        """
        await self._get_layer().group_add(_checked(group), channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """End the subscription of the `channel` to the `group`."""
        await self._get_layer().group_discard(_checked(group), channel)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send the message to all channels of the group. Raises the errors of redis-py while Redis is away."""
        await site.ready_to_publish()
        await self._get_layer().group_send(_checked(group), message)

    async def group_send_together(self, messages: Sequence[Message]) -> int:
        """Send messages in order, in one round trip. Returns how many; invalid ones are logged."""
        return await self._get_layer().group_send_together(messages)

    async def receive_payload(self, channel: str) -> bytes | dict[str, Any]:
        """As `receive` from this channel, but plain MessagePack is returned undecoded."""
        return await self._get_layer().receive_payload(channel)

    @property
    def is_plain(self) -> bool:
        """Whether messages are plain MessagePack: no encryption, no random prefix."""
        serializer = self._serializer
        is_msgpack = type(serializer) is MsgPackSerializer
        return is_msgpack and not serializer.crypter and not serializer.random_prefix_length

    def _get_layer(self) -> "LoopLayer":
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            self._layers[loop] = LoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)
        layer: LoopLayer = self._layers[loop]
        return layer


class LoopLayer(RedisPubSubLoopLayer):  # type: ignore[misc]
    """The layer of one event loop."""

    def __init__(self, hosts: Any = None, *, capacity: int | None = None, **options: Any) -> None:
        hosts = hosts or _default_hosts()
        super().__init__(hosts, **options)
        self._capacity = conf.settings().layer_capacity if capacity is None else capacity
        self._is_foreign_logged = False
        self._shards = [Shard(host, self) for host in decode_hosts(hosts)]
        self._lost: set[Shard] = set()
        self._is_plain = self.channel_layer.is_plain
        self.watchers: list[Watcher] = []

    @property
    def prefix(self) -> str:
        """The prefix of all names. Raises PrefixUnknown before the site is identified."""
        return site.prefix()

    @prefix.setter
    def prefix(self, _: str) -> None:
        """Ignored: channels_redis assigns one."""

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        await self._get_shard(channel).publish(channel, self._payload(message))

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        channel = self._get_group_channel_name(group)
        await self._get_shard(channel).publish(channel, self._payload(message))

    async def group_send_together(self, messages: Sequence[Message]) -> int:
        by_shard: dict[Shard, list[tuple[str, bytes]]] = {}
        for message in messages:
            try:
                channel = self._get_group_channel_name(_checked(layer_group(message.group)))
                payload = encode(message) if self._is_plain else self.channel_layer.serialize(to_dict(message))
                by_shard.setdefault(self._get_shard(channel), []).append((channel, site.current().mark + payload))
            except (TypeError, ValueError):
                logger.exception("channel layer: message not published")
        for shard, ready in by_shard.items():
            await shard.publish_together(ready)
        return sum(len(ready) for ready in by_shard.values())

    async def receive_payload(self, channel: str) -> bytes | dict[str, Any]:
        if not self._is_plain or (queue := self.channels.get(channel)) is None:
            message: dict[str, Any] = await self.receive(channel)
            return message
        payload: bytes = await queue.get()
        return payload

    async def _subscribe_to_channel(self, channel: str) -> None:
        self.channels[channel] = asyncio.Queue(self._capacity)
        await self._get_shard(channel).subscribe(channel)

    async def flush(self) -> None:
        self._lost.clear()
        await super().flush()

    # Called by the shards

    def deliver(self, name: str, payload: bytes) -> None:
        """Queue a message. One with another database's mark is dropped: a copy of this site has the same prefix."""
        mark, payload = payload[: site.MARK_BYTES], payload[site.MARK_BYTES :]
        if mark != (own_mark := site.current().mark) and site.NO_MARK not in (mark, own_mark):
            self._count_foreign()
            return
        for channel in (name,) if name in self.channels else self.groups.get(name, ()):
            if (queue := self.channels.get(channel)) is None:
                continue
            try:
                queue.put_nowait(payload)
            except asyncio.QueueFull:
                # Dropped as a whole: the receiver has to reconcile in any case.
                COUNTERS.layer_overflows += 1
                logger.warning("channel layer: queue full, %d messages dropped", queue.qsize())
                while not queue.empty():
                    queue.get_nowait()
                for watcher in self.watchers:
                    watcher.overflowed()

    def _count_foreign(self) -> None:
        COUNTERS.foreign_frames += 1
        if not self._is_foreign_logged:
            self._is_foreign_logged = True
            logger.error("channel layer: frames of another site dropped, it uses the same prefix %s", self.prefix)

    def _payload(self, message: dict[str, Any]) -> bytes:
        payload: bytes = self.channel_layer.serialize(message)
        return site.current().mark + payload

    def lost(self, shard: Shard, error: Exception) -> None:
        if shard in self._lost:
            return
        self._lost.add(shard)
        COUNTERS.layer_losses += 1
        logger.warning("channel layer: Redis connection lost: %s", cause_of(error))
        for watcher in self.watchers:
            watcher.lost()

    def regained(self, shard: Shard) -> None:
        if shard in self._lost:
            self._lost.discard(shard)
            logger.warning("channel layer: Redis connection restored")
        if not self._lost:
            for watcher in self.watchers:
                watcher.regained()


def _default_hosts() -> list[dict[str, Any]]:
    """The Redis of HUBBUB["REDIS_URL"], with time limits: redis-py's default of 5 s would end idle connections."""
    engine = conf.settings()
    url, seconds = engine.redis_url, engine.layer_timeout_seconds
    if not url:
        raise ImproperlyConfigured('HUBBUB["REDIS_URL"] is not set, and CHANNEL_LAYERS has no hosts: set one of them.')
    return [{"address": url, "socket_timeout": seconds, "socket_connect_timeout": seconds}]


def _checked(group: str) -> str:
    if not VALID_NAME.match(group):
        raise ValueError(f"Invalid group name {group!r}: use 1 to 99 letters, digits, hyphens, underscores or dots.")
    return group
