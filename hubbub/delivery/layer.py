"""The Redis channel layer: channels_redis' pub/sub layer, which tells when Redis is lost and when it is back.

Its own connections take the place of channels_redis': each call has a time limit, a hung connection is noticed by
pings, what is subscribed stays so over any number of losses, and what waits to be received is bounded.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer, RedisSingleShardConnection
from channels_redis.serializers import MsgPackSerializer
from channels_redis.utils import _wrap_close, create_pool, decode_hosts
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from redis.asyncio import Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hubbub import conf, site
from hubbub.process.metrics import COUNTERS
from hubbub.process.redis_errors import cause_of
from hubbub.publish.messages import Message, encode, to_dict
from hubbub.site.lease import on_connect

logger = logging.getLogger(__name__)

VALID_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,99}\Z")  # Channels' own rule, which the pub/sub layer does not check.

# Silence for so long is answered with a ping, and silence for as long again is a loss: four seconds in all.
PING_SECONDS = 2.0
CONNECT_SECONDS = 4.0
RECONNECT_SECONDS = 0.2
# A command of so many names keeps Redis from others for less than a millisecond.
NAMES_PER_COMMAND = 500
CANCEL_SECONDS = 0.1


class Watcher(Protocol):
    """Who is told of the layer's troubles. Called in the event loop; must not wait or raise."""

    def lost(self) -> None:
        """Nothing comes from Redis for now."""

    def regained(self) -> None:
        """Everything is subscribed (again): what was published since the loss has not come and will not come."""

    def overflowed(self) -> None:
        """More came than was received, and was dropped."""


class RedisPubSubLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """Channel layer for `CHANNEL_LAYERS`. Options as in channels_redis, and `capacity`: messages that may wait.

    Without `hosts` it uses settings.REDIS_URL.

    Its prefix is the site's own (hubbub.site); the option `prefix` is ignored.

    What is asked for while Redis is away is done when it is back: subscribing does not raise for that. Sending does.
    """

    def watch(self, watcher: Watcher) -> None:
        """From now on tell `watcher`, for this event loop."""
        self._get_layer().watchers.append(watcher)

    async def group_add(self, group: str, channel: str) -> None:
        """Returns when Redis has confirmed it, or cannot be reached; it is subscribed as soon as it can be."""
        await self._get_layer().group_add(_checked(group), channel)

    async def group_discard(self, group: str, channel: str) -> None:
        await self._get_layer().group_discard(_checked(group), channel)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await self._get_layer().group_send(_checked(group), message)

    async def group_send_together(self, messages: Sequence[Message]) -> int:
        """Send each to its group, in this order, in one round trip: how many. What is no group is logged."""
        return await self._get_layer().group_send_together(messages)

    async def receive_payload(self, channel: str) -> bytes | dict[str, Any]:
        """Like `receive`, but what is plain MessagePack is returned as it came, to be decoded by the caller."""
        return await self._get_layer().receive_payload(channel)

    @property
    def is_plain(self) -> bool:
        """Whether messages are MessagePack and nothing else: no encryption, no prefix."""
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

    def __init__(self, hosts: Any = None, *, capacity: int = 10_000, **options: Any) -> None:
        hosts = hosts or _default_hosts()
        super().__init__(hosts, **options)
        self._capacity = capacity
        self._is_stranger_told = False
        self._shards = [Shard(host, self) for host in decode_hosts(hosts)]
        self._lost: set[Shard] = set()
        self._is_plain = self.channel_layer.is_plain
        self.watchers: list[Watcher] = []

    @property
    def prefix(self) -> str:
        """What all names begin with. PrefixUnknown before the site is known."""
        return site.prefix()

    @prefix.setter
    def prefix(self, _: str) -> None:
        """channels_redis assigns one."""

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        await self._get_shard(channel).publish(channel, self._payload(message))

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        channel = self._get_group_channel_name(group)
        await self._get_shard(channel).publish(channel, self._payload(message))

    async def group_send_together(self, messages: Sequence[Message]) -> int:
        by_shard: dict[Shard, list[tuple[str, bytes]]] = {}
        for message in messages:
            try:
                channel = self._get_group_channel_name(_checked(message.group))
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

    def take(self, name: str, payload: bytes) -> None:
        """A message has come. One with the mark of another database is dropped: a copy of ours has the same prefix."""
        mark, payload = payload[: site.MARK_BYTES], payload[site.MARK_BYTES :]
        if mark != (ours := site.current().mark) and site.NO_MARK not in (mark, ours):
            self._drop_strange()
            return
        for channel in (name,) if name in self.channels else self.groups.get(name, ()):
            if (queue := self.channels.get(channel)) is None:
                continue
            try:
                queue.put_nowait(payload)
            except asyncio.QueueFull:
                # In part it would be of no more use than not at all: the receiver has to look for what it has missed.
                COUNTERS.layer_overflows += 1
                logger.warning("channel layer: queue full, %d messages dropped", queue.qsize())
                while not queue.empty():
                    queue.get_nowait()
                for watcher in self.watchers:
                    watcher.overflowed()

    def _drop_strange(self) -> None:
        COUNTERS.foreign_frames += 1
        if not self._is_stranger_told:
            self._is_stranger_told = True
            logger.error("channel layer: frames of another site dropped, it uses the same prefix %s", self.prefix)

    def _payload(self, message: dict[str, Any]) -> bytes:
        payload: bytes = self.channel_layer.serialize(message)
        return site.current().mark + payload

    def lost(self, shard: "Shard", error: Exception) -> None:
        if shard in self._lost:
            return
        self._lost.add(shard)
        COUNTERS.layer_losses += 1
        logger.warning("channel layer: Redis connection lost: %s", cause_of(error))
        for watcher in self.watchers:
            watcher.lost()

    def regained(self, shard: "Shard") -> None:
        if shard in self._lost:
            self._lost.discard(shard)
            logger.warning("channel layer: Redis connection restored")
        if not self._lost:
            for watcher in self.watchers:
                watcher.regained()


class Shard(RedisSingleShardConnection):  # type: ignore[misc]
    """One Redis: publishes on pooled connections, listens on one of its own, which is made anew when it fails."""

    def __init__(self, host: Any, layer: LoopLayer) -> None:
        # RESP2: with it a listening connection answers in lists, pings too. One retry, at once: a pooled connection
        # dies with each restart of Redis.
        options = {"protocol": 2, "retry": Retry(NoBackoff(), 1), "redis_connect_func": on_connect}
        super().__init__({**host, **options}, layer)
        self._redis: Redis | None = None
        self._layer = layer
        self._wanted: set[str] = set()
        # Of names that were asked for and not confirmed yet.
        self._unconfirmed: dict[str, asyncio.Future[None]] = {}
        self._connection: Connection | None = None
        self._listening: asyncio.Task[None] | None = None

    async def publish(self, channel: str, message: bytes) -> None:
        """Raises what redis-py raises; the connection's own time limits apply."""
        await self.publish_together([(channel, message)])

    async def publish_together(self, messages: Sequence[tuple[str, bytes]]) -> None:
        site.check()
        if self._redis is None:
            self._redis = Redis(connection_pool=create_pool(self.host))
        if len(messages) == 1:
            await self._redis.publish(*messages[0])
            return
        async with self._redis.pipeline(transaction=False) as pipeline:
            for channel, message in messages:
                pipeline.publish(channel, message)
            await pipeline.execute()

    async def subscribe(self, channel: str) -> None:
        if channel not in self._wanted:
            self._wanted.add(channel)
            self._unconfirmed[channel] = asyncio.get_running_loop().create_future()
            if self._listening is None:
                self._listening = asyncio.create_task(self._listen())
            await self._send("SUBSCRIBE", [channel])
        if (confirmed := self._unconfirmed.get(channel)) is not None:
            await asyncio.wait([confirmed])

    async def unsubscribe(self, channel: str) -> None:
        if channel in self._wanted:
            self._wanted.discard(channel)
            self._confirm(channel)
            await self._send("UNSUBSCRIBE", [channel])

    async def flush(self) -> None:
        # Repeated: redis-py has been seen to swallow a cancellation.
        while self._listening is not None and not self._listening.done():
            self._listening.cancel()
            await asyncio.wait([self._listening], timeout=CANCEL_SECONDS)
        self._listening = None
        self._wanted.clear()
        await super().flush()

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (RedisError, OSError, TimeoutError) as error:
                self._layer.lost(self, error)
            except Exception as error:
                logger.exception("channel layer: receiving from Redis failed")
                self._layer.lost(self, error)
            finally:
                # Who waits goes on: all there is to know is that `regained` will be told.
                for name in [*self._unconfirmed]:
                    self._confirm(name)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        site.check()
        connection = create_pool({**self.host, "retry": Retry(NoBackoff(), 0)}).make_connection()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.connect()
                self._connection = connection
                missing = {*self._wanted}
                await self._send("SUBSCRIBE", missing)
            await self._receive(connection, missing)
        finally:
            self._connection = None
            await connection.disconnect(nowait=True)

    async def _receive(self, connection: Connection, missing: set[str]) -> None:
        """Read until the connection fails. `missing`: not confirmed on it yet; then all is as it was before a loss."""
        silent = False
        if not missing:
            self._layer.regained(self)
        while True:
            answer = await connection.read_response(timeout=PING_SECONDS, disconnect_on_error=False)
            site.check()
            if answer is None:
                if silent:
                    raise TimeoutError(f"no answer for {2 * PING_SECONDS:g} s")
                silent = True
                await connection.send_command("PING", check_health=False)
                continue
            silent = False
            if not isinstance(answer, list):
                continue  # A pong where nothing is subscribed.
            kind, name, *rest = answer
            if kind == b"message":
                self._layer.take(name.decode(), rest[0])
            elif kind == b"subscribe":
                self._confirm(name.decode())
                if missing:
                    missing.discard(name.decode())
                    if not missing:
                        self._layer.regained(self)

    async def _send(self, command: str, names: Iterable[str]) -> None:
        """Nothing when there is no connection: the next one begins with all that is wanted."""
        names = list(names)
        connection = self._connection
        for start in range(0, len(names), NAMES_PER_COMMAND):
            if connection is None:
                return
            try:
                await connection.send_command(command, *names[start : start + NAMES_PER_COMMAND], check_health=False)
            except (RedisError, OSError):
                return  # Whoever reads from it finds out as well.

    def _confirm(self, name: str) -> None:
        if (waiting := self._unconfirmed.pop(name, None)) is not None and not waiting.done():
            waiting.set_result(None)


def _default_hosts() -> list[dict[str, Any]]:
    """The Redis of settings.REDIS_URL. Explicit time limits: redis-py's own default of 5 s ends idle connections."""
    url = getattr(django_settings, "REDIS_URL", "")
    if not url:
        raise ImproperlyConfigured("CHANNEL_LAYERS has no hosts and REDIS_URL is not set: set one of them.")
    seconds = conf.settings().layer_timeout_seconds
    return [{"address": url, "socket_timeout": seconds, "socket_connect_timeout": seconds}]


def _checked(group: str) -> str:
    if not VALID_NAME.match(group):
        raise ValueError(f"Invalid group name {group!r}: use 1 to 99 letters, digits, hyphens, underscores or dots.")
    return group
