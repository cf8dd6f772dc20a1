"""Tabs of one browser behind a proxy that lets no WebSocket through: they share one stream."""

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.support.cluster import Cluster
from tests.support.proxy import Proxy

pytestmark = [pytest.mark.cluster, pytest.mark.browser, pytest.mark.timeout(300)]

TABS = 8  # A browser opens six connections to a host.
READY = "html[data-state=open] #room[data-ready=true]"
NAMES = ".people .person bdi"


@pytest.fixture
def link(mended: Cluster) -> Iterator[Proxy]:
    """To one process."""
    with Proxy(mended.sockets["web-1"]) as link:
        link.drops_upgrades = True
        yield link


async def sign_in(context: BrowserContext, cluster: Cluster, name: str) -> None:
    user = await asyncio.to_thread(cluster.make_user, name)
    await context.add_cookies([{"name": "sessionid", "value": user["cookie"], "domain": "127.0.0.1", "path": "/"}])


async def new_room(cluster: Cluster) -> str:
    slug = f"room-{uuid4().hex[:8]}"
    create = f"from chat import services; services.create_room(slug={slug!r}, title='Room')"
    await asyncio.to_thread(cluster.shell, create)
    return f"/rooms/{slug}/"


async def open_tab(context: BrowserContext, link: Proxy, room: str) -> Page:
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{link.port}{room}")
    await page.wait_for_selector(READY)
    return page


async def say(page: Page, text: str) -> None:
    await page.locator("#body").fill(text)
    await page.keyboard.press("Enter")


async def have(pages: list[Page], texts: list[str]) -> None:
    """Each page shows these messages, once and in this order, and no other."""
    for page in pages:
        saved = page.locator(".message:not(.is-pending) .message-body")
        await expect(saved).to_have_text(texts, timeout=60_000)


async def streams(cluster: Cluster) -> int:
    found = [await cluster.counters(name) for name in cluster.sockets]
    return sum(int(counters["streams"]) for counters in found)


async def wait_for_streams(cluster: Cluster, number: int) -> None:
    async with asyncio.timeout(30):
        while await streams(cluster) != number:
            await asyncio.sleep(0.1)


async def test_tabs_share_a_stream_and_any_of_them_may_close(browser: Browser, mended: Cluster, link: Proxy) -> None:
    room, other = await new_room(mended), await new_room(mended)
    ada, bob = await browser.new_context(), await browser.new_context()
    await sign_in(ada, mended, f"ada-{uuid4().hex[:6]}")
    await sign_in(bob, mended, "bob")
    first = await open_tab(ada, link, room)
    await say(first, "one")
    second, third = [await open_tab(ada, link, room) for _ in range(2)]
    elsewhere = await open_tab(ada, link, other)
    assert await streams(mended) == 1
    targets = await (await browser.new_browser_cdp_session()).send("Target.getTargets")
    workers = [target["url"] for target in targets["targetInfos"] if target["type"] == "shared_worker"]
    assert [re.sub("[0-9a-f]{12}", "HASH", url) for url in workers] == [
        f"http://127.0.0.1:{link.port}/static/hubbub/js/stream-worker.HASH.js"
    ]
    guest = await open_tab(bob, link, room)
    assert await streams(mended) == 2
    tabs = [first, second, third]
    await say(guest, "two")
    await have(tabs, ["one", "two"])
    for number, page in enumerate((second, first, third, guest)):
        await say(page, f"text {number}")
        await have([*tabs, guest], ["one", "two", *(f"text {n}" for n in range(number + 1))])
    for page in tabs:
        await expect(page.locator(NAMES)).to_have_count(2)
    await have([elsewhere], [])
    # The tab that began the stream closes, then one that came later.
    await first.close()
    await second.close()
    await say(guest, "after")
    await say(third, "that")
    texts = ["one", "two", *(f"text {n}" for n in range(4))]
    await expect(third.locator(".message-body", has_text="that")).to_have_count(1)
    await expect(guest.locator(".message-body", has_text="that")).to_have_count(1)
    shown = await third.locator(".message-body").all_inner_texts()
    assert sorted(shown) == sorted([*texts, "after", "that"])
    assert await guest.locator(".message-body").all_inner_texts() == shown
    assert await streams(mended) == 2
    # The last tab of the room leaves it, though the stream goes on.
    await third.close()
    await expect(guest.locator(NAMES)).to_have_text(["bob"], timeout=60_000)
    assert await streams(mended) == 2
    await elsewhere.close()
    await wait_for_streams(mended, 1)


async def test_eight_tabs_load_pages_and_outlive_a_killed_process(
    browser: Browser, mended: Cluster, link: Proxy
) -> None:
    room = await new_room(mended)
    context = await browser.new_context()
    await sign_in(context, mended, f"ada-{uuid4().hex[:6]}")
    tabs = [await open_tab(context, link, room) for _ in range(TABS)]
    assert await streams(mended) == 1
    await say(tabs[-1], "all of us")
    await have(tabs, ["all of us"])
    pid, path = mended.pid_of("web-1"), mended.sockets["web-1"]
    assert pid is not None
    link.record = bytearray()
    os.kill(pid, signal.SIGKILL)
    await say(tabs[0], "meanwhile")
    async with asyncio.timeout(60):
        while mended.pid_of("web-1") in (pid, None) or mended.sockets.get("web-1", path) == path:
            await asyncio.sleep(0.1)
    link.target = mended.sockets["web-1"]
    await have(tabs, ["all of us", "meanwhile"])
    # The stream itself has joined the room: a POST may reach another process.
    assert re.search(rb"POST /live/events\?[^ ]*topic=room%2F", link.record), link.record[:20_000]
    assert b'{"type":"join"' not in link.record
    await say(tabs[1], "and later")
    await have(tabs, ["all of us", "meanwhile", "and later"])
    for page in tabs:
        await expect(page.locator("html")).to_have_attribute("data-state", "open")
    await wait_for_streams(mended, 1)


async def test_a_tab_that_crashes_is_noticed(browser: Browser, mended: Cluster, link: Proxy) -> None:
    room, other = await new_room(mended), await new_room(mended)
    context, guests = await browser.new_context(), await browser.new_context()
    await sign_in(context, mended, "ada")
    await sign_in(guests, mended, "bob")
    crashing, staying = await open_tab(context, link, room), await open_tab(context, link, other)
    guest = await open_tab(guests, link, room)
    await expect(guest.locator(NAMES)).to_have_text(["ada", "bob"])
    devtools = await context.new_cdp_session(crashing)
    crash = asyncio.create_task(devtools.send("Page.crash"))  # It is never answered.
    await expect(guest.locator(NAMES)).to_have_text(["bob"], timeout=60_000)
    await say(staying, "still here")
    await have([staying], ["still here"])
    crash.cancel()


async def test_the_next_user_of_the_browser_gets_a_stream_of_their_own(
    browser: Browser, mended: Cluster, link: Proxy
) -> None:
    room = await new_room(mended)
    context = await browser.new_context()
    await sign_in(context, mended, "ada")
    former = await open_tab(context, link, room)
    await say(former, "by ada")
    await have([former], ["by ada"])
    # The session of before has not ended, as where a sign-in of one's own replaces a cookie.
    await sign_in(context, mended, "bob")
    page = await open_tab(context, link, room)
    await say(page, "by bob")
    await have([page], ["by ada", "by bob"])
    for tab in (page, former):
        await expect(tab.locator("#room")).to_have_attribute("data-user-name", "bob", timeout=60_000)
        await have([tab], ["by ada", "by bob"])
        await expect(tab.locator(NAMES, has_text="bob")).to_have_count(1)
    assert await streams(mended) == 1
