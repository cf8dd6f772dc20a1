"""Alice, whose rights are taken away, and how her sockets and rooms end then, each within a time."""

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

# One second is promised; the other is for a busy machine.
SECONDS = 2.0
# Too rare to find anything in time: neither does a sweep, nor a comparison of the rooms with the database.
NO_SWEEP, NO_COMPARISON = {"HUBBUB_REVALIDATE_SECONDS": "600"}, {"HUBBUB_RECONCILE_SECONDS": "60"}
ENDED = (4003, "Session ended")
FORBIDDEN = (4005, "Forbidden")


def make_root(site: Site) -> str:
    """A superuser's session."""
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
for one in (user, get_user_model().objects.get(username="mona")):
    membership = services.set_membership(room_id=room.pk, user_id=one.pk)
membership, token = user.memberships.get(), user.access_tokens.get()
"""
PRINT = "print(json.dumps({one: globals()[one].pk for one in ('user', 'group', 'room', 'membership', 'token')}))"

# What she may watch the dashboard by.
BY_PERMISSION = "user.user_permissions.set(group.permissions.all())"
BY_GROUP = "user.groups.add(group)"
# And how she is in the room without being a member.
BY_NOTHING = "services.change_room(room_id=room.pk, is_private=False); user.memberships.all().delete()"


@dataclass
class Alice:
    """A new user with a session, a token, a group (not hers yet) and a private room, where Mona is as well."""

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
    """Its result, and when it came."""
    return await what, time.monotonic()


async def all_end(clients: list[Client], change: Awaitable[float], seconds: float = SECONDS) -> set[tuple[int, str]]:
    """How these sockets are closed by the change, each within that time of it."""
    closing = asyncio.gather(*(timed(one.closed(60)) for one in clients))
    changed_at = await change
    async with asyncio.timeout(seconds + 5):
        closes = await closing
    assert max(at for _, at in closes) - changed_at < seconds
    return {close for close, _ in closes}


async def are_alive(*clients: Client) -> bool:
    return [(await one.request("ping"))["type"] for one in clients] == ["pong"] * len(clients)


@asynccontextmanager
async def in_room(cluster: Cluster, alice: Alice, mona: str) -> AsyncIterator[tuple[Client, Client]]:
    """Alice's socket on web-2 and Mona's on web-1, both in the room."""
    async with (
        cluster.client(process="web-2", cookie=alice.cookie) as client,
        cluster.client(process="web-1", cookie=mona) as stays,
    ):
        for one in (client, stays):
            assert (await one.join(alice.name))["type"] == "ok"
        yield client, stays


async def see_out(
    client: Client, stays: Client, room: str, why: str, change: Awaitable[float], seconds: float = SECONDS
) -> None:
    """The change closes the room for the client, within that time of it; the other one goes on alone."""
    closing = asyncio.create_task(timed(client.event("room.closed", 60)))
    changed_at = await change
    async with asyncio.timeout(seconds + 5):
        closed, at = await closing
    assert closed == {"type": "room.closed", "room": room, "code": why}
    assert at - changed_at < seconds
    assert (await client.post(room, "may I?"))["code"] == "not_found"
    if why != "deleted":
        assert (await stays.post(room, "not for everybody"))["type"] == "ok"
        await stays.event("message.posted")
    # Whatever was sent before the answer to this has come by then.
    await client.request("ping")
    assert not [frame for frame in client.kept if frame.get("room") == room]


# By a page of the admin, each: what the client is told, the page, and what is changed in its form

TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
ROOM, MEMBERSHIP = "/admin/chat/room/", "/admin/chat/membership/"
# In the room's own page hers is the first row: they stand by name.
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
