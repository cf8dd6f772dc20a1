"""One Redis of the channel layer: publishing, subscriptions, and the connection that receives.

Each call has a time limit, pings find hung connections, and subscriptions survive lost connections.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from channels_redis.pubsub import RedisSingleShardConnection
from channels_redis.utils import create_pool
from redis.asyncio import Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hubbub import site
from hubbub.process.pacing import slices
from hubbub.site.lease import on_connect

logger = logging.getLogger(__name__)

# A silent connection is pinged after this time and counts as lost after as long again: 4 s in all.
PING_SECONDS = 2.0
CONNECT_SECONDS = 4.0
RECONNECT_SECONDS = 0.2
# Bounds one command to less than a millisecond of Redis' time.
NAMES_PER_COMMAND = 500
CANCEL_SECONDS = 0.1


class Layer(Protocol):
    """The layer of one event loop, as its shards call it."""

    def deliver(self, name: str, payload: bytes) -> None:
        """Take a message that was published under this name."""

    def lost(self, shard: "Shard", error: Exception) -> None:
        """The shard has lost its connection."""

    def regained(self, shard: "Shard") -> None:
        """All subscriptions of the shard are active (again)."""


class Shard(RedisSingleShardConnection):  # type: ignore[misc]
    """One Redis: publishes on pooled connections and receives on one connection, replaced when it fails."""

    def __init__(self, host: Any, layer: Layer) -> None:
        # RESP2: a subscribed connection then answers in lists, also to pings. One immediate retry: pooled
        # connections die with each restart of Redis.
        options = {"protocol": 2, "retry": Retry(NoBackoff(), 1), "redis_connect_func": on_connect}
        super().__init__({**host, **options}, layer)
        self._redis: Redis | None = None
        self._layer = layer
        self._subscribed: set[str] = set()
        # By name: subscriptions that Redis has not confirmed yet.
        self._unconfirmed: dict[str, asyncio.Future[None]] = {}
        self._connection: Connection | None = None
        self._listening: asyncio.Task[None] | None = None

    async def publish(self, channel: str, message: bytes) -> None:
        """Raises the errors of redis-py; the time limits of the connection apply."""
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
        if channel not in self._subscribed:
            self._subscribed.add(channel)
            self._unconfirmed[channel] = asyncio.get_running_loop().create_future()
            if self._listening is None:
                self._listening = asyncio.create_task(self._listen())
            await self._send("SUBSCRIBE", [channel])
        if (confirmed := self._unconfirmed.get(channel)) is not None:
            await asyncio.wait([confirmed])

    async def unsubscribe(self, channel: str) -> None:
        if channel in self._subscribed:
            self._subscribed.discard(channel)
            self._confirm(channel)
            await self._send("UNSUBSCRIBE", [channel])

    async def flush(self) -> None:
        # Repeated: redis-py sometimes swallows a cancellation.
        while self._listening is not None and not self._listening.done():
            self._listening.cancel()
            await asyncio.wait([self._listening], timeout=CANCEL_SECONDS)
        self._listening = None
        self._subscribed.clear()
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
                # Release waiting subscribers: watchers are notified once everything is active.
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
                missing = {*self._subscribed}
                await self._send("SUBSCRIBE", missing)
            await self._receive(connection, missing)
        finally:
            self._connection = None
            await connection.disconnect(nowait=True)

    async def _receive(self, connection: Connection, missing: set[str]) -> None:
        """Read until the connection fails. `missing`: subscriptions not confirmed on it yet."""
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
                continue  # A pong without any subscription.
            kind, name, *rest = answer
            if kind == b"message":
                self._layer.deliver(name.decode(), rest[0])
            elif kind == b"subscribe":
                self._confirm(name.decode())
                if missing:
                    missing.discard(name.decode())
                    if not missing:
                        self._layer.regained(self)

    async def _send(self, command: str, names: Iterable[str]) -> None:
        """Send a command for many names. Skipped without a connection: the next one subscribes to all."""
        connection = self._connection
        for part in slices([*names], NAMES_PER_COMMAND):
            if connection is None:
                return
            try:
                await connection.send_command(command, *part, check_health=False)
            except (RedisError, OSError):
                return  # The reader of the connection finds the error as well.

    def _confirm(self, name: str) -> None:
        if (confirmed := self._unconfirmed.pop(name, None)) is not None and not confirmed.done():
            confirmed.set_result(None)
