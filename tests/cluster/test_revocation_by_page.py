"""Access revoked on a page of one process ends on another within a second: sign-out, admin forms.

The pages are web-1's, sent as a browser sends them; the sockets are web-2's.
"""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.browsing import Browser, browser
from tests.support.cluster import Cluster
from tests.support.revocation import (
    BY_GROUP,
    BY_NOTHING,
    BY_PERMISSION,
    ENDED,
    FORBIDDEN,
    NO_COMPARISON,
    NO_SWEEP,
    ROOM_ENDS,
    all_end,
    are_alive,
    filled,
    in_room,
    make_alice,
    make_root,
    see_out,
)

pytestmark = pytest.mark.cluster

PASSWORD = "correct horse 7"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster without sweeps and comparisons: only hints reveal a change."""
    folder = tmp_path_factory.mktemp("told")
    with Cluster(folder, processes=2, **NO_SWEEP, **NO_COMPARISON) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def root(cluster: Cluster) -> Browser:
    return browser(cluster, make_root(cluster))


@pytest.fixture(scope="module")
def mona(cluster: Cluster) -> str:
    return cluster.make_user("mona", "view_dashboard")["cookie"]


# Sessions, tokens and rights


async def test_signing_out_ends_every_socket_of_that_session_and_no_other(cluster: Cluster, mona: str) -> None:
    alice = await make_alice(cluster, BY_PERMISSION)
    other = (await asyncio.to_thread(cluster.make_user, alice.name))["cookie"]
    async with (
        cluster.client(process="web-2", cookie=alice.cookie) as chat,
        cluster.client(process="web-2", cookie=alice.cookie) as second_tab,
        cluster.client("/ws/monitor/", process="web-2", cookie=alice.cookie) as dashboard,
        cluster.client(process="web-2", cookie=other) as elsewhere,
        cluster.client(process="web-2", token=alice.text) as robot,
        cluster.client(process="web-2", cookie=mona) as bystander,
    ):
        signing_out = browser(cluster, alice.cookie).submit("/", {}, action="/account/sign-out/")
        assert await all_end([chat, second_tab, dashboard], signing_out) == {ENDED}
        assert await are_alive(elsewhere, robot, bystander)
    async with cluster.client(process="web-2", cookie=alice.cookie, wait_for_hello=False) as again:
        assert (await again.receive())["type"] == "auth.required"


async def test_a_password_change_ends_the_sockets_of_the_old_password(cluster: Cluster, mona: str) -> None:
    alice = await make_alice(cluster, f"user.set_password({PASSWORD!r}); user.is_staff = True; user.save()")
    here, thief = [(await asyncio.to_thread(cluster.make_user, alice.name))["cookie"] for _ in range(2)]
    new = "battery staple 8"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    async with (
        cluster.client(process="web-2", cookie=here) as mine,
        cluster.client(process="web-2", cookie=thief) as stolen,
        cluster.client(process="web-2", cookie=mona) as bystander,
    ):
        page = browser(cluster, here)
        assert await all_end([mine, stolen], page.submit("/admin/password_change/", form)) == {ENDED}
        assert await are_alive(bystander)
    # The page where it was changed stays signed in, by a new session.
    assert page.cookies["sessionid"] != here
    async with cluster.client(process="web-2", cookie=page.cookies["sessionid"]) as again:
        assert await are_alive(again)


USER = "/admin/accounts/user/"
USER_ENDS: dict[str, tuple[str, dict[str, str | None]]] = {
    "a new password": (USER + "{user}/password/", {"password1": PASSWORD, "password2": PASSWORD}),
    "deactivated": (USER + "{user}/change/", {"is_active": None}),
    "deleted": (USER + "{user}/delete/", {}),
    "deleted by the action": (USER, {"action": "delete_selected", "_selected_action": "{user}", "index": "0"}),
}


@pytest.mark.parametrize("how", USER_ENDS)
async def test_changes_in_the_admin_end_the_sockets_of_a_user(
    cluster: Cluster, root: Browser, mona: str, how: str
) -> None:
    alice = await make_alice(cluster)
    other = (await asyncio.to_thread(cluster.make_user, alice.name))["cookie"]
    async with (
        cluster.client(process="web-2", cookie=alice.cookie) as client,
        cluster.client(process="web-2", cookie=other) as another,
        cluster.client(process="web-2", token=alice.text) as robot,
        cluster.client(process="web-2", cookie=mona) as bystander,
    ):
        # A token does not live by the password.
        staying, ending = ([robot], [client, another]) if "password" in how else ([], [client, another, robot])
        assert await all_end(ending, root.submit(*filled(*USER_ENDS[how], alice))) == {ENDED}
        assert await are_alive(bystander, *staying)


async def test_a_token_revoked_in_the_admin_ends_its_socket_and_no_other(cluster: Cluster, root: Browser) -> None:
    alice = await make_alice(cluster)
    other = (await asyncio.to_thread(cluster.make_user, alice.name))["token"]
    async with (
        cluster.client(process="web-2", token=alice.text) as leaked,
        cluster.client(process="web-2", token=other) as robot,
        cluster.client(process="web-2", cookie=alice.cookie) as tab,
    ):
        form = {"action": "revoke", "_selected_action": str(alice.pks["token"]), "index": "0"}
        assert await all_end([leaked], root.submit("/admin/hubbub/accesstoken/", form)) == {ENDED}
        assert await are_alive(robot, tab)


GROUP = "/admin/auth/group/"
RIGHTS_END: dict[str, tuple[str, str, dict[str, str | None]]] = {
    "permission taken from the user": (BY_PERMISSION, USER + "{user}/change/", {"user_permissions": None}),
    "group taken from the user": (BY_GROUP, USER + "{user}/change/", {"groups": None}),
    "permission taken from the group": (BY_GROUP, GROUP + "{group}/change/", {"permissions": None}),
    "group deleted": (BY_GROUP, GROUP + "{group}/delete/", {}),
}


@pytest.mark.parametrize("how", RIGHTS_END)
async def test_a_right_removed_in_the_admin_ends_the_dashboard_socket(
    cluster: Cluster, root: Browser, mona: str, how: str
) -> None:
    by, page, form = RIGHTS_END[how]
    alice = await make_alice(cluster, by)
    async with (
        cluster.client("/ws/monitor/", process="web-2", cookie=alice.cookie) as tab,
        cluster.client("/ws/monitor/", process="web-2", token=alice.text) as robot,
        cluster.client(process="web-2", cookie=alice.cookie) as chat,
        cluster.client("/ws/monitor/", process="web-2", cookie=mona) as bystander,
    ):
        assert await all_end([tab, robot], root.submit(*filled(page, form, alice))) == {FORBIDDEN}
        assert await are_alive(chat, bystander)


# Rooms


@pytest.mark.parametrize("how", ROOM_ENDS)
async def test_a_user_evicted_by_the_admin_gets_no_more_of_the_room(
    cluster: Cluster, root: Browser, mona: str, how: str
) -> None:
    why, page, form = ROOM_ENDS[how]
    alice = await make_alice(cluster, BY_NOTHING if how == "made private" else "")
    async with in_room(cluster, alice, mona) as (client, stays):
        await see_out(client, stays, alice.name, why, root.submit(*filled(page, form, alice)))
