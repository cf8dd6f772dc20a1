"""The room's page over a slow link, and on a link that the browser says is gone."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.cluster import Cluster
from tests.support.proxy import Proxy

pytestmark = [pytest.mark.cluster, pytest.mark.browser, pytest.mark.timeout(240)]

LONG = "words and words " * 249  # 50 of them are a page of 200 KiB.


@pytest.fixture
def link(cluster: Cluster) -> Iterator[Proxy]:
    with Proxy(cluster.sockets["web-1"]) as proxy:
        yield proxy


async def open_page(browser: Browser, cluster: Cluster, link: Proxy, name: str, room: str) -> Page:
    cookie = (await asyncio.to_thread(cluster.make_user, name))["cookie"]
    context = await browser.new_context()
    await context.add_cookies([{"name": "sessionid", "value": cookie, "domain": "127.0.0.1", "path": "/"}])
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{link.port}/rooms/{room}/")
    return page


async def make_room(cluster: Cluster) -> str:
    slug = f"slow-{uuid4().hex[:8]}"
    code = f"""
        from uuid import uuid4
        from django.contrib.auth import get_user_model
        from chat import posting, services
        services.create_room(slug={slug!r}, title="Slow")
        user, _ = get_user_model().objects.get_or_create(username="writer")
        posting.post_messages([posting.Post(user.pk, {slug!r}, uuid4(), {LONG!r} + str(n)) for n in range(60)])
    """
    await asyncio.to_thread(cluster.shell, code)
    return slug


async def test_a_room_with_the_largest_page_is_entered_over_5_kb_a_second_and_stays_joined(
    browser: Browser, cluster: Cluster, link: Proxy
) -> None:
    room = await make_room(cluster)
    link.bytes_per_second = 5_000
    page = await open_page(browser, cluster, link, "alice", room)
    sockets: list[str] = []
    page.on("websocket", lambda websocket: sockets.append(websocket.url))
    # Before it is left, the page may have opened one.
    page.on("framenavigated", lambda _: sockets.clear())
    await page.reload()
    await expect(page.locator("html[data-state=open]")).to_be_attached(timeout=10_000)
    await expect(page.locator("[data-ready=true]")).to_be_attached(timeout=20_000)
    await expect(page.locator(".message-body").last).to_contain_text("words 59", timeout=5_000)
    # Older messages come in parts on scrolling.
    seqs = "[...document.querySelectorAll('[data-seq]')].map(({dataset}) => Number(dataset.seq))"
    first = (await page.evaluate(seqs))[0]
    async with asyncio.timeout(20):  # The page's policy forbids what `wait_for_function` does.
        while (await page.evaluate(seqs))[0] >= first:
            await page.evaluate("document.querySelector('[role=log]').scrollTop = 0")
            await asyncio.sleep(0.1)
    # Past the time after which a page takes a silent connection for dead.
    await asyncio.sleep(32)
    await expect(page.locator("html[data-state=open]")).to_be_attached()
    assert len(sockets) == 1
    async with cluster.client(cookie=(await asyncio.to_thread(cluster.make_user, "bob"))["cookie"]) as bob:
        await bob.post(room, "over the slow link")
        await expect(page.locator(".message-body").last).to_have_text("over the slow link", timeout=10_000)


async def test_an_offline_event_on_a_dead_link_is_noticed_at_once(
    browser: Browser, cluster: Cluster, link: Proxy
) -> None:
    room = await make_room(cluster)
    page = await open_page(browser, cluster, link, "alice", room)
    await expect(page.locator("html[data-state=open]")).to_be_attached(timeout=20_000)
    link.black_hole()
    # At once: soon it tries again.
    state = "dispatchEvent(new Event('offline')), document.documentElement.dataset.state"
    assert await page.evaluate(state) == "offline"
    link.reset()
    link.pass_on()
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.locator("html[data-state=open]")).to_be_attached(timeout=20_000)
