"""The pages of another team's site (see tests/foreign/models.py) in a real browser, against real processes."""

import asyncio
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, expect

from tests.support.cluster import Cluster
from tests.support.visitor import TIMEOUT_MS, Visitor, visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

ADA, BEN = "ada@example.org", "ben@example.org"
NAMES = ".people .person bdi"
MESSAGE = ".message .message-body"
QUICK = {"HUBBUB_SAMPLE_SECONDS": "0.5", "HUBBUB_STALE_SECONDS": "2"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("foreign")
    with Cluster(folder, processes=2, is_new=True, DJANGO_SETTINGS_MODULE="tests.foreign.settings", **QUICK) as team:
        # The first user is made by the team's own manager.
        assert "admin@localhost / " in team.text
        yield team


def pages_opened(visitor: Visitor, address: str) -> int:
    """How often the page was loaded: a page that takes itself for another user's reloads for ever."""
    return [response.url for response in visitor.responses].count(f"{visitor.url}{address}")


async def test_the_chat_page_of_a_foreign_user_opens_posts_and_shows_without_reloading(
    browser: Browser, cluster: Cluster
) -> None:
    room = "/rooms/general/"
    async with visiting(browser, cluster, ADA) as ada, visiting(browser, cluster, BEN) as ben:
        for visitor in (ada, ben):
            await visitor.open(room)
            await visitor.page.wait_for_selector("html[data-state=open]")
        for visitor in (ada, ben):
            await expect(visitor.page.locator(NAMES)).to_have_text([ADA, BEN], timeout=TIMEOUT_MS)
        await ada.page.locator("#body").fill("Hello from a UUID.")
        await ada.page.keyboard.press("Enter")
        for visitor in (ada, ben):
            await expect(visitor.page.locator(MESSAGE)).to_have_text(["Hello from a UUID."], timeout=TIMEOUT_MS)
            await expect(visitor.page.locator(".message-name")).to_have_text([ADA])
        # It is hers: she may edit it, and nobody else may.
        await ada.page.locator("#body").press("ArrowUp")
        await expect(ada.page.locator(".message [data-role=cancel]")).to_be_visible()
        await ben.page.locator("#body").press("ArrowUp")
        await expect(ben.page.locator(".message [data-role=cancel]")).to_have_count(0)
        await expect(ada.page.locator(".person", has_text=ADA).locator("[data-role=you]")).to_have_count(1)
        for visitor in (ada, ben):
            assert pages_opened(visitor, room) == 1
            assert visitor.problems == []
        await ben.open("/")
        await expect(ben.page.locator(".lobby-author", has_text=ADA)).to_be_visible()
        await ada.page.get_by_role("button", name="Account of").click()
        await ada.page.get_by_role("button", name="Sign out").click()
        await ada.page.wait_for_url("**/sign-in/**")
        assert ada.problems == ben.problems == []


async def test_the_dashboard_of_a_foreign_user_moves_without_reloading(browser: Browser, cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.make_user, ADA, "view_dashboard")
    async with visiting(browser, cluster, ADA) as ada:
        await ada.open("/monitor/")
        await ada.page.wait_for_selector("#dashboard[data-freshness=live]")
        seq = ada.page.locator("[data-part=seq]")
        first = await seq.inner_text()
        await expect(seq).not_to_have_text(first, timeout=TIMEOUT_MS)
        assert pages_opened(ada, "/monitor/") == 1
        assert ada.problems == []


async def test_a_foreign_user_without_the_permission_sees_no_dashboard(browser: Browser, cluster: Cluster) -> None:
    async with visiting(browser, cluster, BEN) as ben:
        await ben.open("/monitor/", status=403)
