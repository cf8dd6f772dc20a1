"""Revoked access ends sockets and memberships within a second, on any process.

The change is made by a process without sockets; the socket is on web-2.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from uuid import uuid4

import pytest

from tests.support.client import Client
from tests.support.cluster import Cluster
from tests.support.revocation import ENDED, NO_COMPARISON, NO_SWEEP, SECONDS, see_out, timed
from tests.support.revoking_code import (
    GROUP_ENDS,
    MEMBER_ENDS,
    PERMISSION_ENDS,
    READER_ENDS,
    SESSION_ENDS,
    TOKEN_ENDS,
    UNTOLD,
    change,
    ended_by,
)

pytestmark = pytest.mark.cluster

_names = count(1)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster without sweeps and comparisons: only hints, timers and commands reveal a change."""
    with Cluster(tmp_path_factory.mktemp("told"), processes=2, **NO_SWEEP, **NO_COMPARISON) as cluster:
        yield cluster


@pytest.fixture
def name() -> str:
    return f"mallory-{next(_names)}"


@pytest.mark.parametrize("how", SESSION_ENDS)
async def test_a_socket_by_session_ends_with_it(cluster: Cluster, name: str, how: str) -> None:
    async with ended_by(cluster, name, SESSION_ENDS[how]) as close:
        assert close == ENDED


@pytest.mark.parametrize("how", TOKEN_ENDS)
async def test_a_socket_by_token_ends_with_it(cluster: Cluster, name: str, how: str) -> None:
    async with ended_by(cluster, name, TOKEN_ENDS[how], by="token") as close:
        assert close == ENDED


@pytest.mark.parametrize("how", PERMISSION_ENDS)
async def test_the_loss_of_the_permission_ends_the_dashboard_socket(cluster: Cluster, name: str, how: str) -> None:
    async with ended_by(cluster, name, PERMISSION_ENDS[how], path="/ws/monitor/") as close:
        assert close == (4005, "Forbidden")


@pytest.mark.parametrize("how", GROUP_ENDS)
async def test_the_loss_of_a_groups_permission_ends_the_dashboard_socket(cluster: Cluster, name: str, how: str) -> None:
    mine = await asyncio.to_thread(cluster.make_user, name)
    await change(
        cluster,
        name,
        f"""
group = Group.objects.create(name={name!r})
group.permissions.add(Permission.objects.get(codename='view_dashboard'))
user.groups.add(group)
""",
    )
    async with cluster.client("/ws/monitor/", process="web-2", cookie=mine["cookie"]) as client:
        closing = asyncio.create_task(timed(client.closed(60)))
        changed_at = await change(cluster, name, GROUP_ENDS[how].format(name=name))
        close, at = await closing
        assert close == (4005, "Forbidden")
        assert at - changed_at < SECONDS


async def test_other_sessions_stay_signed_in(cluster: Cluster, name: str) -> None:
    first = await asyncio.to_thread(cluster.make_user, name)
    second = await asyncio.to_thread(cluster.make_user, name)
    async with (
        cluster.client(process="web-2", cookie=first["cookie"]) as ends,
        cluster.client(process="web-2", cookie=second["cookie"]) as stays,
        cluster.client(process="web-1", token=first["token"]) as machine,
    ):
        await change(cluster, name, f"Session.objects.get(pk={first['cookie']!r}).delete()")
        assert await ends.closed(SECONDS + 5) == ENDED
        for client in (stays, machine):
            assert (await client.request("ping"))["type"] == "pong"


async def test_a_session_that_expires_closes_its_socket_by_a_timer(cluster: Cluster, name: str) -> None:
    mine = await asyncio.to_thread(cluster.make_user, name)
    code = f"Session.objects.filter(pk={mine['cookie']!r}).update(expire_date=timezone.now() + timedelta(seconds=6))"
    changed_at = await change(cluster, name, code)
    async with cluster.client(process="web-2", cookie=mine["cookie"]) as client:
        close, at = await timed(client.closed(60))
        assert close == ENDED
        assert at - changed_at < 6 + SECONDS


async def test_a_token_that_expires_closes_its_socket_by_a_timer(cluster: Cluster, name: str) -> None:
    mine = await asyncio.to_thread(cluster.make_user, name)
    code = "user.access_tokens.update(expires_at=timezone.now() + timedelta(seconds=6))"
    changed_at = await change(cluster, name, code)
    async with cluster.client(process="web-2", token=mine["token"]) as client:
        close, at = await timed(client.closed(60))
        assert close == ENDED
        assert at - changed_at < 6 + SECONDS


async def test_a_session_that_is_said_to_end_soon_closes_its_socket_then(cluster: Cluster, name: str) -> None:
    mine = await asyncio.to_thread(cluster.make_user, name)
    async with cluster.client(process="web-2", cookie=mine["cookie"]) as client:
        closing = asyncio.create_task(timed(client.closed(60)))
        code = f"""
session = Session.objects.get(pk={mine["cookie"]!r})
session.expire_date = timezone.now() + timedelta(seconds=3)
session.save()
"""
        changed_at = await change(cluster, name, code)
        close, at = await closing
        assert close == ENDED
        assert 2 < at - changed_at < 3 + SECONDS


# Rooms


@asynccontextmanager
async def in_room(cluster: Cluster, name: str, *, private: bool) -> AsyncIterator[tuple[Client, Client, str]]:
    """The user's socket on web-2 and a moderator's on web-1, both in a new room."""
    mine = await asyncio.to_thread(cluster.make_user, name)
    other = await asyncio.to_thread(cluster.make_user, "moderator")
    slug = f"room-of-{name}-{uuid4().hex[:6]}"
    await change(
        cluster,
        name,
        f"""
room = services.create_room(slug={slug!r}, title="Room", is_private={private})
for member in (user, get_user_model().objects.get(username="moderator")):
    services.set_membership(room_id=room.pk, user_id=member.pk)
""",
    )
    async with (
        cluster.client(process="web-2", cookie=mine["cookie"]) as client,
        cluster.client(process="web-1", cookie=other["cookie"]) as moderator,
    ):
        for member in (client, moderator):
            assert (await member.join(slug))["type"] == "ok"
        yield client, moderator, slug


@pytest.mark.parametrize("how", MEMBER_ENDS)
async def test_an_evicted_socket_gets_no_more_of_the_room(cluster: Cluster, name: str, how: str) -> None:
    why, code = MEMBER_ENDS[how]
    async with in_room(cluster, name, private=True) as (client, moderator, slug):
        code = f"room = Room.objects.get(slug={slug!r})\n{code}"
        await see_out(client, moderator, slug, why, change(cluster, name, code))


async def test_a_room_made_private_keeps_only_its_members(cluster: Cluster, name: str) -> None:
    async with in_room(cluster, name, private=False) as (client, moderator, slug):
        await change(cluster, name, "user.memberships.all().delete()")
        assert (await client.post(slug, "anybody may"))["type"] == "ok"
        closing = asyncio.create_task(timed(client.event("closed")))
        code = f"services.change_room(room_id=Room.objects.get(slug={slug!r}).pk, is_private=True)"
        changed_at = await change(cluster, name, code)
        closed, at = await closing
        assert closed["code"] == "removed"
        assert at - changed_at < SECONDS
        assert (await moderator.post(slug, "among ourselves"))["type"] == "ok"


# Readers, who are in by a permission


@pytest.mark.parametrize("how", READER_ENDS)
async def test_a_reader_of_a_private_room_is_seen_writes_nothing_and_goes_with_the_permission(
    cluster: Cluster, name: str, how: str
) -> None:
    begin, end = (code.format(name=name) for code in READER_ENDS[how])
    async with in_room(cluster, "member", private=True) as (_, moderator, slug):
        mine = await asyncio.to_thread(cluster.make_user, name)
        await change(cluster, name, begin)
        async with cluster.client(process="web-2", cookie=mine["cookie"]) as reader:
            joined = await reader.join(slug)
            assert joined["viewer"]["role"] == "reader"
            came = await moderator.event("presence.changed")
            while name not in [user["name"] for user in came["joined"]]:
                came = await moderator.event("presence.changed")
            assert (await reader.post(slug, "may I?"))["code"] == "forbidden"
            await moderator.post(slug, "for those who are here")
            assert (await reader.event("message.posted"))["message"]["body"] == "for those who are here"
            await see_out(reader, moderator, slug, "removed", change(cluster, name, end))


# Hints that are not given, or lost


@pytest.fixture(scope="module")
def sweeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("sweeping"), processes=2, HUBBUB_REVALIDATE_SECONDS="1") as cluster:
        yield cluster


@pytest.mark.parametrize("how", UNTOLD)
async def test_changes_without_a_signal_are_found_by_the_sweep(sweeping: Cluster, name: str, how: str) -> None:
    by, code = UNTOLD[how]
    mine = await asyncio.to_thread(sweeping.make_user, name)
    async with sweeping.client(process="web-2", **{by: mine[by]}) as client:
        closing = asyncio.create_task(timed(client.closed(60)))
        changed_at = await change(sweeping, name, code.format(**mine))
        close, at = await closing
        assert close == ENDED
        assert at - changed_at < 1 + SECONDS


@pytest.mark.parametrize("how", UNTOLD)
async def test_nothing_is_taken_from_the_moment_of_the_change(cluster: Cluster, name: str, how: str) -> None:
    by, code = UNTOLD[how]
    mine = await asyncio.to_thread(cluster.make_user, name)
    async with cluster.client(process="web-2", **{by: mine[by]}) as client:
        await client.join("general")
        seq = (await client.post("general", "while I may"))["seq"]
        await change(cluster, name, code.format(**mine))
        # No sweep comes: each command looks for itself.
        posting = {"type": "message.post", "topic": "room/general", "id": str(uuid4()), "body": "and now?"}
        editing = {"type": "message.edit", "topic": "room/general", "seq": seq, "body": "changed"}
        deleting = {"type": "message.delete", "topic": "room/general", "seq": seq}
        for ref, command in enumerate([posting, editing, deleting], 100):
            await client.send({**command, "ref": ref})
        # The first refusal is also a reason to look at the socket, which then ends.
        assert await client.closed() == ENDED
        answers = {frame["ref"]: frame for frame in client.unread if frame["type"] in ("ok", "error")}
        assert answers
        assert {answer.get("code") for answer in answers.values()} == {"unauthorized"}
    left = await asyncio.to_thread(
        cluster.shell,
        f"""
        from chat.models import Message
        print(*Message.objects.filter(author__username={name!r}).values_list("body", flat=True), sep="|")
        """,
    )
    assert left == "while I may"


async def test_a_change_while_redis_hangs_reaches_rooms_and_sockets(sweeping: Cluster, name: str) -> None:
    redis = next(pid for pid, line in sweeping.pids().items() if "redis.sock" in line)
    async with in_room(sweeping, name, private=True) as (client, _, slug):
        os.kill(redis, signal.SIGSTOP)
        try:
            closing = asyncio.create_task(timed(client.event("closed")))
            code = f"services.remove_membership(room_id=Room.objects.get(slug={slug!r}).pk, user_id=user.pk)"
            changed_at = await change(sweeping, name, code)
            closed, at = await closing
            assert closed["code"] == "removed"
            assert at - changed_at < 3 + SECONDS
            ending = asyncio.create_task(timed(client.closed(60)))
            changed_at = await change(sweeping, name, "user.is_active = False; user.save()")
            close, at = await ending
            assert close == ENDED
            assert at - changed_at < 1 + SECONDS
        finally:
            os.kill(redis, signal.SIGCONT)


async def test_a_ban_that_no_signal_tells_of_is_found_by_the_sweep(sweeping: Cluster, name: str) -> None:
    async with in_room(sweeping, name, private=False) as (client, _, slug):
        closing = asyncio.create_task(timed(client.event("closed")))
        code = "user.memberships.update(banned_until=timezone.now() + timedelta(days=1))"
        changed_at = await change(sweeping, name, code)
        closed, at = await closing
        assert closed == {"type": "closed", "topic": f"room/{slug}", "code": "banned"}
        assert at - changed_at < 1 + SECONDS
