"""Pages behind a proxy that lets no WebSocket through: they work over HTTP, and say so."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.cluster import Cluster
from tests.support.proxy import Proxy

pytestmark = [pytest.mark.cluster, pytest.mark.browser, pytest.mark.timeout(240)]

WORDS = "this network blocks WebSockets"


@pytest.fixture
def links(cluster: Cluster) -> Iterator[list[Proxy]]:
    """To each of the two processes."""
    with ExitStack() as stack:
        links = [stack.enter_context(Proxy(cluster.sockets[name])) for name in ("web-1", "web-2")]
        for link in links:
            link.drops_upgrades = True
        yield links


async def open_page(
    browser: Browser, cluster: Cluster, link: Proxy, name: str, path: str, permission: str = ""
) -> Page:
    user = await asyncio.to_thread(cluster.make_user, name, permission)
    context = await browser.new_context()
    await context.add_cookies([{"name": "sessionid", "value": user["cookie"], "domain": "127.0.0.1", "path": "/"}])
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{link.port}{path}")
    return page


async def say(page: Page, text: str) -> None:
    await page.locator("textarea").first.fill(text)
    await page.keyboard.press("Enter")


async def test_two_people_chat_over_http_on_two_processes(
    browser: Browser, cluster: Cluster, links: list[Proxy]
) -> None:
    ada = await open_page(browser, cluster, links[0], f"ada-{uuid4().hex[:6]}", "/rooms/general/")
    bob = await open_page(browser, cluster, links[1], f"bob-{uuid4().hex[:6]}", "/rooms/general/")
    for page in (ada, bob):
        await expect(page.locator("[data-role=strip-text]")).to_contain_text(WORDS)
        await expect(page.locator("[data-ready=true]")).to_be_attached()
    hello, answer = f"hello {uuid4().hex[:6]}", f"well {uuid4().hex[:6]}"
    await say(ada, hello)
    await expect(bob.locator(".message-body", has_text=hello)).to_have_count(1)
    await say(bob, answer)
    for page in (ada, bob):
        await expect(page.locator(".message-body", has_text=answer)).to_have_count(1)
        await expect(page.locator(".message-body", has_text=hello)).to_have_count(1)
    # A link that is lost and comes back: what was said meanwhile is there, and what was written is sent.
    links[0].go_away()
    await say(ada, f"{hello} again")
    await say(bob, f"{answer} again")
    links[0].pass_on()
    for page in (ada, bob):
        for text in (f"{hello} again", f"{answer} again"):
            await expect(page.locator(".message-body", has_text=text)).to_have_count(1, timeout=60_000)


async def test_the_dashboard_is_live_over_http(browser: Browser, cluster: Cluster, links: list[Proxy]) -> None:
    page = await open_page(browser, cluster, links[0], "watcher", "/monitor/", "view_dashboard")
    await expect(page.locator("[data-freshness=live]")).to_be_attached()
    await expect(page.locator("[data-part=detail]")).to_contain_text(WORDS)
