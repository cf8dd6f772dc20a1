"""Redis pub/sub for peers that have none of their own. One task publishes in order, waiting messages in one pipeline.

REDIS_URL, BENCH_CHANNEL.
"""

import asyncio
import os
from collections.abc import Callable

import redis.asyncio as redis


class Relay:
    """`publish` sends a text to every process; `deliver` is called with each text that comes from Redis."""

    def __init__(self, deliver: Callable[[bytes], object]) -> None:
        self._deliver = deliver
        self._channel = os.environ["BENCH_CHANNEL"]
        self._client = redis.from_url(os.environ["REDIS_URL"], socket_timeout=None)
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()

    def publish(self, text: bytes) -> None:
        self._waiting.put_nowait(text)

    async def run(self) -> None:
        await asyncio.gather(self._send(), self._listen())

    async def _send(self) -> None:
        while True:
            texts = [await self._waiting.get()]
            while not self._waiting.empty():
                texts.append(self._waiting.get_nowait())
            async with self._client.pipeline(transaction=False) as pipeline:
                for text in texts:
                    pipeline.publish(self._channel, text)
                await pipeline.execute()

    async def _listen(self) -> None:
        async with self._client.pubsub() as pubsub:
            await pubsub.subscribe(self._channel)
            async for message in pubsub.listen():
                if message["type"] == "message":
                    self._deliver(message["data"])
