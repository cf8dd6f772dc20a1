"""Pages work while the browser refuses texts as markup or as addresses of scripts: none breaks its policy."""

import asyncio
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.chat_page import make_room, post, ready, says
from tests.support.cluster import Cluster, until
from tests.support.proxy import Proxy
from tests.support.visitor import TIMEOUT_MS, Visitor, visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

REQUIRED = """() => { try { document.createElement("p").innerHTML = "<b>x</b>"; } catch { return "refused"; } }"""
OPENERS = "button[type=button]:visible:not(:disabled)"
OPEN = "dialog[open], [popover]:popover-open"


async def open_all(page: Page) -> set[str]:
    """Press each button of the page, and close what it opens. Returns the names of the opened dialogs and sheets."""
    opened: set[str] = set()
    buttons = page.locator(OPENERS)
    for number in range(await buttons.count()):
        button = buttons.nth(number)
        if not await button.is_visible():
            continue  # A former button has changed the page.
        await button.evaluate("button => button.click()")  # Some show only under the pointer.
        shown = page.locator(OPEN)
        if await shown.count():
            opened.add(await shown.first.evaluate("part => part.id || part.getAttribute('aria-labelledby')"))
            await page.keyboard.press("Escape")
            await expect(shown).to_have_count(0)
    return opened


@pytest.fixture
async def room(cluster: Cluster) -> str:
    slug = f"room-{uuid4().hex[:8]}"
    await make_room(cluster, slug, messages=3)
    return f"/rooms/{slug}/"


async def test_all_dialogs_of_a_room_open_under_the_policy(browser: Browser, cluster: Cluster, room: str) -> None:
    for permission in ("add_room", "change_room"):
        await asyncio.to_thread(cluster.make_user, "mona", permission)
    async with visiting(browser, cluster, "mona") as mona:
        await mona.open(room)
        await ready(mona.page)
        await post(mona.page, "See `this` and **that** at https://example.org/ there")
        await says(mona.page, "See this and that")
        await mona.page.locator("#body").press("ArrowUp")
        await expect(mona.page.locator(".editor textarea")).to_be_visible()
        await mona.page.keyboard.press("Escape")
        opened = await open_all(mona.page)
        assert len(opened) >= 4, opened
        assert mona.problems == []
        assert await mona.page.evaluate(REQUIRED) == "refused"


async def test_lobby_and_account_take_what_they_fetch(browser: Browser, cluster: Cluster) -> None:
    async with visiting(browser, cluster, "alice") as alice:
        page = alice.page
        await page.clock.install()
        await alice.open("/account/")
        await open_all(page)
        await page.clock.fast_forward(60_000)
        async with page.expect_response(f"{cluster.url}/"):
            await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await alice.open("/")
        await open_all(page)
        await page.clock.fast_forward(60_000)
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.locator("main")).to_be_visible()
        assert alice.problems == []


async def test_the_dashboard_draws_its_charts(browser: Browser, cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.make_user, "root", "view_dashboard")
    async with visiting(browser, cluster, "root") as root:
        await root.open("/monitor/")
        await expect(root.page.locator(".plot canvas").first).to_be_visible(timeout=TIMEOUT_MS)
        await open_all(root.page)
        assert root.problems == []


async def test_tabs_without_sockets_share_the_stream_of_a_worker(
    browser: Browser, mended: Cluster, room_of_mended: str
) -> None:
    with Proxy(mended.sockets["web-1"]) as link:
        link.drops_upgrades = True
        async with visiting(browser, mended, f"ada-{uuid4().hex[:6]}") as ada:
            page = await ada.page.context.new_page()
            other = Visitor(page, ada.url)
            ada.url = other.url = f"http://127.0.0.1:{link.port}"
            for visitor in (ada, other):
                await visitor.open(room_of_mended)
                await ready(visitor.page)
            await post(ada.page, "by one stream")
            await says(other.page, "by one stream")
            found = [await mended.counters(name) for name in mended.sockets]
            assert sum(int(counters["streams"]) for counters in found) == 1
            broken = [problem for visitor in (ada, other) for problem in visitor.problems if "WebSocket" not in problem]
            assert broken == []


@pytest.fixture
async def room_of_mended(mended: Cluster) -> str:
    slug = f"room-{uuid4().hex[:8]}"
    await make_room(mended, slug)
    return f"/rooms/{slug}/"


async def test_a_text_as_markup_or_as_a_script_is_reported(browser: Browser, cluster: Cluster) -> None:
    async with visiting(browser, cluster) as visitor:
        await visitor.open("/account/sign-in/")
        await visitor.page.evaluate(REQUIRED)
        await visitor.page.evaluate("() => { try { new SharedWorker('/static/x.js') } catch {} }")
        await visitor.page.evaluate("() => { try { trustedTypes.createPolicy('another', {}) } catch {} }")
        await until(lambda: len([said for said in visitor.problems if "policy violated" in said]) == 3)
