"""Unpublished changes of a room, and sizes of answers."""

import asyncio
import json
from typing import Any
from uuid import uuid4

from tests.support.client import Client, Frame, merged
from tests.support.cluster import Cluster

FRAME_BYTES = 32 * 1024  # An answer that holds messages; one message alone is smaller.
LONGEST = "\U0001f642" * 4000  # Four bytes a character.
NOWHERE = "unix:///nonexistent/redis.sock"


def fill(cluster: Cluster, room: str, count: int, body: str) -> None:
    """Post `count` messages in few transactions, from a process without Redis."""
    env, cluster.env = cluster.env, cluster.env | {"REDIS_URL": NOWHERE}
    try:
        cluster.shell(
            f"""
            from uuid import uuid4
            from django.contrib.auth import get_user_model
            from chat.posting import Post, post_messages
            user = get_user_model().objects.get(username="returner").pk
            for first in range(0, {count}, 100):
                number = min(100, {count} - first)
                post_messages([Post(user, {room!r}, uuid4(), {body!r}) for _ in range(number)])
            """
        )
    finally:
        cluster.env = env


def change_room(cluster: Cluster, room: str, **changes: Any) -> None:
    cluster.shell(
        f"""
        from chat import services
        from chat.models import Room
        services.change_room(room_id=Room.objects.get(slug={room!r}).pk, **{changes!r})
        """
    )


async def measured(client: Client, room: str, command: str, **fields: Any) -> tuple[Frame, int]:
    """The answer as from `Client.ask`, and the bytes of its frame."""
    await client.send({"type": command, "ref": "measured", "topic": f"room/{room}", **fields})
    while True:
        async with asyncio.timeout(10):
            text = await client.socket.recv()
        if (frame := json.loads(text)).get("ref") == "measured":
            return merged(frame), len(text.encode())


def new_room(cluster: Cluster) -> str:
    slug = f"room-{uuid4().hex[:12]}"
    return cluster.shell(f"from chat import services; print(services.create_room(slug={slug!r}, title='Test').slug)")
