"""Revoked access ends without a hint too: no signal of Django, or a hung Redis.

The log names evicted and refused users.
"""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from tests.support.browsing import Browser, browser
from tests.support.cluster import Cluster, until
from tests.support.raw_client import TEXT, Raw, connected, frame, handshake
from tests.support.revocation import (
    BY_GROUP,
    BY_NOTHING,
    BY_PERMISSION,
    ENDED,
    FORBIDDEN,
    NAMES,
    NO_COMPARISON,
    NO_SWEEP,
    ROOM_ENDS,
    SECONDS,
    Alice,
    all_end,
    are_alive,
    filled,
    in_room,
    make_alice,
    make_root,
    see_out,
)
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

SWEEP_SECONDS = 1
# The promise for rooms while Redis is away; the rest is for a busy machine.
ROOM_SECONDS = 4.0 + 2.0


async def change(site: Site, alice: Alice, code: str) -> float:
    """Run the code in another process; when its change was made, at the latest."""
    known = "\n".join(f"{name} = {pk}" for name, pk in alice.pks.items())
    return float(await asyncio.to_thread(site.shell, NAMES + f"{known}\n{code}\nprint(time.monotonic())"))


# Changes without a signal


@pytest.fixture(scope="module")
def sweeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("sweeping")
    with Cluster(folder, processes=2, HUBBUB_REVALIDATE_SECONDS=str(SWEEP_SECONDS), **NO_COMPARISON) as cluster:
        cluster.make_user("mona", "view_dashboard")
        yield cluster


RIGHTS_END: dict[str, tuple[str, str]] = {
    "bulk removal of a permission's row": (
        BY_PERMISSION,
        "get_user_model().user_permissions.through.objects.filter(user=user).delete()",
    ),
    "raw removal of a permission's row": (
        BY_PERMISSION,
        "connection.cursor().execute('DELETE FROM accounts_user_user_permissions WHERE user_id = %s', [user])",
    ),
    "bulk removal of a group's member": (
        BY_GROUP,
        "get_user_model().groups.through.objects.filter(user=user).delete()",
    ),
    "raw removal of a group's member": (
        BY_GROUP,
        "connection.cursor().execute('DELETE FROM accounts_user_groups WHERE user_id = %s', [user])",
    ),
    "bulk removal of a group's permission": (
        BY_GROUP,
        "Group.permissions.through.objects.filter(group=group).delete()",
    ),
}


@pytest.mark.parametrize("how", RIGHTS_END)
async def test_a_right_taken_behind_djangos_back_is_found_by_the_sweep(sweeping: Cluster, how: str) -> None:
    by, code = RIGHTS_END[how]
    alice = await make_alice(sweeping, by)
    mona = (await asyncio.to_thread(sweeping.make_user, "mona"))["cookie"]
    async with (
        sweeping.client("/ws/monitor/", process="web-2", cookie=alice.cookie) as tab,
        sweeping.client("/ws/monitor/", process="web-2", token=alice.text) as robot,
        sweeping.client(process="web-2", cookie=alice.cookie) as chat,
        sweeping.client("/ws/monitor/", process="web-2", cookie=mona) as bystander,
    ):
        closes = await all_end([tab, robot], change(sweeping, alice, code), SWEEP_SECONDS + SECONDS)
        assert closes == {FORBIDDEN}
        assert await are_alive(chat, bystander)


ROOM_CHANGES: dict[str, tuple[str, str]] = {
    "bulk change to private": (BY_NOTHING, "Room.objects.filter(pk=room).update(is_private=True)"),
    "raw removal of a member": (
        "",
        "connection.cursor().execute('DELETE FROM chat_membership WHERE id = %s', [membership])",
    ),
}


@pytest.mark.parametrize("how", ROOM_CHANGES)
async def test_a_removal_from_a_room_without_a_signal_is_found_by_the_sweep(sweeping: Cluster, how: str) -> None:
    more, code = ROOM_CHANGES[how]
    alice = await make_alice(sweeping, more)
    mona = (await asyncio.to_thread(sweeping.make_user, "mona"))["cookie"]
    async with in_room(sweeping, alice, mona) as (client, stays):
        changing = change(sweeping, alice, code)
        await see_out(client, stays, alice.name, "removed", changing, SWEEP_SECONDS + SECONDS)


# While Redis hangs


@pytest.fixture(scope="module")
def unswept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("unswept")
    with Cluster(folder, processes=2, **NO_SWEEP) as cluster:
        cluster.make_user("mona")
        yield cluster


@pytest.fixture(scope="module")
def root(unswept: Cluster) -> Browser:
    return browser(unswept, make_root(unswept))


@contextmanager
def redis_hangs(cluster: Cluster) -> Iterator[None]:
    redis = next(pid for pid, line in cluster.pids().items() if "redis.sock" in line)
    os.kill(redis, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(redis, signal.SIGCONT)


@pytest.mark.parametrize(
    "how", ["removed in the room's page", "banned in the room's page", "made private", "room deleted"]
)
async def test_a_user_evicted_while_redis_hangs_gets_no_more_of_the_room(
    unswept: Cluster, root: Browser, how: str
) -> None:
    """Without hint and sweep: the version of the access, read with the room's position, reveals the change."""
    why, page, form = ROOM_ENDS[how]
    alice = await make_alice(unswept, BY_NOTHING if how == "made private" else "")
    mona = (await asyncio.to_thread(unswept.make_user, "mona"))["cookie"]
    async with in_room(unswept, alice, mona) as (client, stays):
        with redis_hangs(unswept):
            # This comes by a comparison, so by then web-2 has made its first one of the room: that looks in any case.
            assert (await stays.post(alice.name, "anybody there?"))["type"] == "ok"
            await client.event("message.posted")
            await see_out(client, stays, alice.name, why, root.submit(*filled(page, form, alice)), ROOM_SECONDS)


# The log


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("site"))
    site.make_user("mona")
    return site


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    """It stands behind a proxy, so that tests can come from any address."""
    with site.serving("hubbub", 1, HUBBUB_TRUSTED_PROXIES="127.0.0.1", HUBBUB_TOKEN_FAILURES_PER_MINUTE="0.1") as (
        server,
    ):
        yield server


@asynccontextmanager
async def opened_from(address: str, server: Server, cookie: str | None = None) -> AsyncIterator[tuple[Raw, Any]]:
    """A socket of a client there, and its first frame: `hello`, or `auth.required` without a cookie."""
    more = [] if cookie is None else [f"Cookie: sessionid={cookie}", f"Origin: {server.url}"]
    async with connected(server) as raw:
        raw.send(handshake(server, "/ws/chat/", f"X-Forwarded-For: {address}", *more))
        assert await raw.status() == 101
        yield raw, json.loads((await raw.frame())[1])


async def lines_of(server: Server, event: str, about: str) -> list[str]:
    """The lines of this event that say that; there is one at least."""

    def found() -> list[str]:
        said = re.findall(rf" WARNING \S+ hubbub\.security: ({event} .*)$", server.log.read_text(), re.MULTILINE)
        return [line for line in said if about in line]

    return list(await until(found))


async def test_a_socket_that_ends_with_its_session_is_one_line_of_the_log(site: Site, server: Server) -> None:
    alice = await make_alice(site)
    async with opened_from("203.0.113.1", server, alice.cookie) as (raw, hello):
        await change(site, alice, f"Session.objects.get(pk={alice.cookie!r}).delete()")
        assert await raw.close_code() == ENDED[0]
        line = (
            f"socket_ended address=203.0.113.1 user={alice.pks['user']}"
            f" connection={hello['connection']} 'Session ended'"
        )
        assert await lines_of(server, "socket_ended", "address=203.0.113.1 ") == [line]


PUT_OUT = {
    "removed": "services.remove_membership(room_id=room, user_id=user)",
    "room deleted": "Room.objects.get(pk=room).delete()",
}


@pytest.mark.parametrize("how", PUT_OUT)
async def test_an_eviction_is_one_line_of_the_log(site: Site, server: Server, how: str) -> None:
    alice = await make_alice(site)
    async with opened_from("203.0.113.2", server, alice.cookie) as (raw, hello):
        join = json.dumps({"type": "join", "ref": 1, "topic": f"room/{alice.name}"})
        raw.send(frame(TEXT, join.encode()))
        while b'"ok"' not in (await raw.frame())[1]:
            pass
        await change(site, alice, PUT_OUT[how])
        while b'"closed"' not in (await raw.frame())[1]:
            pass
        connection = hello["connection"]
        line = f"evicted address=203.0.113.2 user={alice.pks['user']} connection={connection} 'room/{alice.name}'"
        assert await lines_of(server, "evicted", connection) == [line]


@pytest.mark.parametrize("who", ["a user", "a stranger"])
async def test_garbage_is_one_line_of_the_log(site: Site, server: Server, who: str) -> None:
    alice = await make_alice(site)
    address, cookie, user = {
        "a user": ("203.0.113.3", alice.cookie, str(alice.pks["user"])),
        "a stranger": ("203.0.113.4", None, "-"),
    }[who]
    async with opened_from(address, server, cookie) as (raw, first):
        raw.send(*[frame(TEXT, b"garbage")] * 40)
        assert await raw.close_code() == 4008
        [line] = await lines_of(server, "protocol_abuse", f"address={address} ")
        said = re.fullmatch(r"protocol_abuse address=(\S+) user=(\S+) connection=(web-1:[0-9a-f]+)", line)
        assert said
        assert said[3] == first.get("connection", said[3])
        assert said.group(1, 2) == (address, user)


async def test_guesses_at_tokens_are_one_line_of_the_log(server: Server) -> None:
    codes: list[int] = []
    while 4102 not in codes:
        async with opened_from("203.0.113.5", server) as (raw, _):
            raw.send(frame(TEXT, b'{"type": "auth", "token": "hub_%d_guess"}' % (1000 + len(codes))))
            codes.append(await raw.close_code())
    assert codes == [4001] * 10 + [4102]
    limited = await lines_of(server, "token_limited", "address=203.0.113.5 ")
    refused = await lines_of(server, "token_refused", "address=203.0.113.5 ")
    # Whose token it would be is not looked at.
    connections = re.findall(
        r"^\w+ address=203\.0\.113\.5 user=- connection=(web-1:[0-9a-f]+)$", "\n".join(limited + refused), re.MULTILINE
    )
    assert (len(limited), len(refused), len({*connections})) == (1, 10, 11)
