"""Alice loses rights: her sockets and rooms end within a time limit."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import uuid4

from tests.support.client import Client
from tests.support.cluster import Cluster
from tests.support.servers import Site

T = TypeVar("T")

# One second is promised; one more is for a busy machine.
SECONDS = 2.0
# Too rare to find a change in time, by a sweep or by a comparison with the database.
NO_SWEEP, NO_COMPARISON = {"HUBBUB_REVALIDATE_SECONDS": "600"}, {"HUBBUB_RECONCILE_SECONDS": "60"}
ENDED = (4003, "Session ended")
FORBIDDEN = (4005, "Forbidden")


def make_root(site: Site) -> str:
    """The session cookie of a new superuser."""
    name = f"root-{uuid4().hex[:8]}"
    site.shell(f"from django.contrib.auth import get_user_model as of; of().objects.create_superuser({name!r})")
    return site.make_user(name)["cookie"]


NAMES = """
import json, time
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.db import connection
from chat import services
from chat.models import Room
"""
MAKE = """
user = get_user_model().objects.get(username={name!r})
group = Group.objects.create(name={name!r})
group.permissions.add(Permission.objects.get(codename="view_dashboard"))
room = services.create_room(slug={name!r}, title="Room", is_private=True)
for member in (user, get_user_model().objects.get(username="mona")):
    membership = services.set_membership(room_id=room.pk, user_id=member.pk)
membership, token = user.memberships.get(), user.access_tokens.get()
"""
PRINT = "print(json.dumps({name: globals()[name].pk for name in ('user', 'group', 'room', 'membership', 'token')}))"

# Alice's access to the dashboard.
BY_PERMISSION = "user.user_permissions.set(group.permissions.all())"
BY_GROUP = "user.groups.add(group)"
# Alice is in the room without a membership.
BY_NOTHING = "services.change_room(room_id=room.pk, is_private=False); user.memberships.all().delete()"


@dataclass
class Alice:
    """A new user with a session, a token, a group (not yet hers) and a private room with Mona."""

    name: str
    cookie: str
    text: str  # Of the token.
    pks: dict[str, int]


async def make_alice(site: Site, more: str = "") -> Alice:
    name = f"alice-{uuid4().hex[:8]}"
    mine = await asyncio.to_thread(site.make_user, name)
    printed = await asyncio.to_thread(site.shell, NAMES + MAKE.format(name=name) + f"{more}\n{PRINT}")
    return Alice(name, mine["cookie"], mine["token"], json.loads(printed))


def filled(page: str, form: Mapping[str, str | None], alice: Alice) -> tuple[str, dict[str, str | None]]:
    return page.format(**alice.pks), {name: value and value.format(**alice.pks) for name, value in form.items()}


async def timed(what: Awaitable[T]) -> tuple[T, float]:
    """The result, and the monotonic time of its arrival."""
    return await what, time.monotonic()


async def all_end(clients: list[Client], change: Awaitable[float], seconds: float = SECONDS) -> set[tuple[int, str]]:
    """The closes of these sockets, each within `seconds` of the change."""
    closing = asyncio.gather(*(timed(client.closed(60)) for client in clients))
    changed_at = await change
    async with asyncio.timeout(seconds + 5):
        closes = await closing
    assert max(at for _, at in closes) - changed_at < seconds
    return {close for close, _ in closes}


async def are_alive(*clients: Client) -> bool:
    return [(await client.request("ping"))["type"] for client in clients] == ["pong"] * len(clients)


@asynccontextmanager
async def in_room(cluster: Cluster, alice: Alice, mona: str) -> AsyncIterator[tuple[Client, Client]]:
    """Alice's socket on web-2 and Mona's on web-1, both in the room."""
    async with (
        cluster.client(process="web-2", cookie=alice.cookie) as client,
        cluster.client(process="web-1", cookie=mona) as stays,
    ):
        for socket in (client, stays):
            assert (await socket.join(alice.name))["type"] == "ok"
        yield client, stays


async def see_out(
    client: Client, stays: Client, room: str, why: str, change: Awaitable[float], seconds: float = SECONDS
) -> None:
    """Assert that the change closes the room for `client` within `seconds`; `stays` goes on."""
    closing = asyncio.create_task(timed(client.event("closed", 60)))
    changed_at = await change
    async with asyncio.timeout(seconds + 5):
        closed, at = await closing
    assert closed == {"type": "closed", "topic": f"room/{room}", "code": why}
    assert at - changed_at < seconds
    assert (await client.post(room, "may I?"))["code"] == "not_found"
    if why != "deleted":
        assert (await stays.post(room, "not for everybody"))["type"] == "ok"
        await stays.event("message.posted")
    # All earlier frames have arrived before this answer.
    await client.request("ping")
    assert not [frame for frame in client.unread if frame.get("topic") == f"room/{room}"]


# Changes by a page of the admin: code of the close, page, changed fields of its form

TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
ROOM, MEMBERSHIP = "/admin/chat/room/", "/admin/chat/membership/"
# On the room's page Alice's row is the first: rows are sorted by name.
ROOM_ENDS: dict[str, tuple[str, str, dict[str, str | None]]] = {
    "removed in the room's page": ("removed", ROOM + "{room}/change/", {"memberships-0-DELETE": "on"}),
    "removed by its list": ("removed", MEMBERSHIP + "{membership}/delete/", {}),
    "banned in the room's page": (
        "banned",
        ROOM + "{room}/change/",
        {"memberships-0-banned_until_0": TOMORROW, "memberships-0-banned_until_1": "12:00:00"},
    ),
    "banned by the action": ("banned", MEMBERSHIP, {"action": "ban", "_selected_action": "{membership}", "index": "0"}),
    "made private": ("removed", ROOM, {"action": "make_private", "_selected_action": "{room}", "index": "0"}),
    "room deleted": ("deleted", ROOM + "{room}/delete/", {}),
    "room deleted by the action": (
        "deleted",
        ROOM,
        {"action": "delete_selected", "_selected_action": "{room}", "index": "0"},
    ),
}
