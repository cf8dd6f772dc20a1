"""Concurrent posts in one room, on two processes: one order without a hole for all members."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from tests.support.client import Client
from tests.support.cluster import Cluster

pytestmark = pytest.mark.cluster

MEMBERS = 50
POSTS = 20


@pytest.fixture(scope="module")
def cluster(on_each_database: Cluster) -> Cluster:
    return on_each_database


async def test_fifty_members_with_twenty_posts_each_see_one_order(cluster: Cluster) -> None:
    room, *tokens = cluster.shell(PREPARE.format(members=MEMBERS, name=f"crowd-{uuid4().hex[:8]}")).split()
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(cluster.client(token=token, process=f"web-{1 + number % 2}"))
            for number, token in enumerate(tokens)
        ]
        await asyncio.gather(*(client.join(room) for client in clients))
        await asyncio.gather(*(post_at_once(client, room) for client in clients))
        seen = await asyncio.gather(*(hear_all(client) for client in clients))
        assert [position for position, _, _ in seen[0]] == list(range(1, MEMBERS * POSTS + 1))
        assert [seq for _, seq, _ in seen[0]] == list(range(1, MEMBERS * POSTS + 1))
        assert all(sample == seen[0] for sample in seen)
        # Nor did a socket's own posts overtake one another.
        by_author: dict[str, list[int]] = {}
        for _, _, body in seen[0]:
            author, number = body.split()
            by_author.setdefault(author, []).append(int(number))
        assert len(by_author) == MEMBERS
        assert all(numbers == list(range(POSTS)) for numbers in by_author.values())


PREPARE = """
    from django.contrib.auth import get_user_model
    from chat import services
    from hubbub.auth.tokens import create_token
    print(services.create_room(slug="{name}", title="Crowd").slug)
    for number in range({members}):
        user = get_user_model().objects.create_user(username=f"{name}-{{number}}")
        print(create_token(user=user, name="test", expires_at=None)[1])
"""


async def post_at_once(client: Client, room: str) -> None:
    author = uuid4().hex
    for number in range(POSTS):
        post = {"type": "message.post", "ref": f"post-{number}", "topic": f"room/{room}", "id": str(uuid4())}
        await client.send(post | {"body": f"{author} {number}"})
    for number in range(POSTS):
        assert (await client.answer(f"post-{number}"))["type"] == "ok"


async def hear_all(client: Client) -> list[tuple[int, int, str]]:
    """(position, seq, body) of every message, in the order they came."""
    events = [await client.event("message.posted") for _ in range(MEMBERS * POSTS)]
    return [(event["position"], event["message"]["seq"], event["message"]["body"]) for event in events]
