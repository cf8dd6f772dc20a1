"""The list of rooms beside a room: what others do shows on an open page, without a reload."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.chat_page import cookie_of, in_shell, make_room, ready
from tests.support.cluster import Cluster

pytestmark = pytest.mark.browser


@asynccontextmanager
async def room_of(browser: Browser, cluster: Cluster, name: str) -> AsyncIterator[Page]:
    context = await browser.new_context()
    await context.add_cookies([{"name": "sessionid", "value": cookie_of(cluster, name), "url": cluster.url}])
    page = await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.goto(f"{cluster.url}/rooms/general/")
    await ready(page)
    yield page
    assert problems == []
    await context.close()


async def test_rooms_come_change_and_go_on_an_open_page(browser: Browser, cluster: Cluster) -> None:
    slug, name = f"new-{uuid4().hex[:6]}", f"amara-{uuid4().hex[:6]}"
    async with room_of(browser, cluster, name) as page:
        links = page.locator(f".rooms-link[href='/rooms/{slug}/']")
        await expect(links).to_have_count(0)
        await make_room(cluster, slug)
        await expect(links).to_have_count(1)
        titles = page.locator("#rooms [data-section=rooms] [data-role=room-title]")
        for title in ("Project 10", "Project 2", "aardvarks"):
            change = "from chat import services; from chat.models import Room\n"
            change += f"services.change_room(room_id=Room.objects.get(slug={slug!r}).pk, title={title!r})"
            await in_shell(cluster, change)
            await expect(links.locator("[data-role=room-title]")).to_have_text(title)
        shown = await titles.all_inner_texts()
        assert shown.index("aardvarks") < shown.index("General")  # In its place.
        archive = "from chat import services; from chat.models import Room\n"
        archive += f"services.change_room(room_id=Room.objects.get(slug={slug!r}).pk, is_archived=True)"
        await in_shell(cluster, archive)
        archived = page.locator("#rooms [data-section=archived]")
        await archived.locator("summary").click()
        await expect(archived.locator(f"[data-slug={slug}] [data-role=room-title]")).to_have_text("aardvarks")
        await expect(links.get_by_role("img", name="archived")).to_be_visible()
        await in_shell(cluster, f"from chat.models import Room; Room.objects.get(slug={slug!r}).delete()")
        await expect(links).to_have_count(0)
        # The page's own room is marked, and the link of a new room leads there.
        here = page.locator(".rooms-link[aria-current=page] [data-role=room-title]")
        await expect(here).to_have_text("General")


async def test_the_lobby_shows_last_words_and_new_rooms_as_they_come(browser: Browser, cluster: Cluster) -> None:
    slug, name = f"talk-{uuid4().hex[:6]}", f"amara-{uuid4().hex[:6]}"
    await make_room(cluster, slug)
    async with room_of(browser, cluster, name) as page:
        await page.goto(cluster.url)
        await page.wait_for_selector("html[data-state=open]")
        row = page.locator(f".lobby li[data-slug={slug}]")
        await expect(row).to_contain_text("No messages yet")
        fetches: list[str] = []
        page.on("request", lambda request: fetches.append(request.url))
        async with cluster.client(cookie=cookie_of(cluster, "bert")) as bert:
            assert (await bert.post(slug, "**Hello** there"))["type"] == "ok"
            await expect(row).to_contain_text("bert: Hello there", timeout=3_000)
            for number in range(3):
                assert (await bert.post(slug, f"Number {number}"))["type"] == "ok"
                await expect(row).to_contain_text(f"bert: Number {number}", timeout=3_000)
            assert fetches == []
            new = f"new-{uuid4().hex[:6]}"
            await make_room(cluster, new)
            await expect(page.locator(f".lobby li[data-slug={new}]")).to_have_count(1, timeout=3_000)
        await in_shell(cluster, f"from chat.models import Room; Room.objects.get(slug={new!r}).delete()")
        await expect(page.locator(f".lobby li[data-slug={new}]")).to_have_count(0, timeout=3_000)
