"""Chat and dashboard of a site below a path: their sockets have it, too."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect

from tests.support.chat_page import MESSAGE, post
from tests.support.cluster import Cluster
from tests.support.visitor import TIMEOUT_MS, Visitor, visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

QUICK = {"HUBBUB_SAMPLE_SECONDS": "0.5", "HUBBUB_STALE_SECONDS": "2"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("below")
    with Cluster(folder, processes=2, DJANGO_SETTINGS_MODULE="tests.support.prefixed_site", **QUICK) as team:
        yield team


def paths_of_sockets(*visitors: Visitor) -> list[str]:
    """The paths of all sockets that the pages open from now on."""
    paths: list[str] = []
    for visitor in visitors:
        visitor.page.on("websocket", lambda socket: paths.append(urlsplit(socket.url).path))
    return paths


async def test_two_users_talk_in_a_room_below_a_path(browser: Browser, cluster: Cluster) -> None:
    async with visiting(browser, cluster, "alice") as alice, visiting(browser, cluster, "bob") as bob:
        sockets = paths_of_sockets(alice, bob)
        for visitor in (alice, bob):
            await visitor.open("/team/")
            await visitor.page.locator(".lobby-row").first.click()
            await visitor.page.wait_for_url("**/team/rooms/*/")
            await visitor.page.wait_for_selector("html[data-state=open]")
        await post(alice.page, "Hello from below.")
        for visitor in (alice, bob):
            await expect(visitor.page.locator(MESSAGE)).to_have_text(["Hello from below."], timeout=TIMEOUT_MS)
        assert {*sockets} == {"/team/ws/chat/"}
        assert alice.problems == bob.problems == []


async def test_the_dashboard_below_a_path_moves(browser: Browser, cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.make_user, "mona", "view_dashboard")
    async with visiting(browser, cluster, "mona") as mona:
        sockets = paths_of_sockets(mona)
        await mona.open("/team/monitor/")
        await mona.page.wait_for_selector("#dashboard[data-freshness=live]")
        seq = mona.page.locator("[data-part=seq]")
        first = await seq.inner_text()
        await expect(seq).not_to_have_text(first, timeout=TIMEOUT_MS)
        assert {*sockets} == {"/team/ws/monitor/"}
        assert mona.problems == []
