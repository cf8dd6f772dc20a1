"""The users in a room, as its page shows them, in a real browser."""

import asyncio
import re
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.support.cluster import Cluster
from tests.support.visitor import visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

NAMES = ".people .person bdi"
TIMEOUT_MS = 15_000


async def new_room(cluster: Cluster) -> str:
    """Its address: who was in another test's room is still present in that for a while."""
    slug = f"room-{uuid4().hex[:8]}"
    create = f"from chat import services; services.create_room(slug={slug!r}, title='Room')"
    await asyncio.to_thread(cluster.shell, create)
    return f"/rooms/{slug}/"


async def test_two_users_see_themselves_and_each_other_join(browser: Browser, cluster: Cluster) -> None:
    room = await new_room(cluster)
    async with visiting(browser, cluster, "alice") as alice, visiting(browser, cluster, "bob") as bob:
        await alice.open(room)
        await alice.page.get_by_role("button", name="People here").click()
        await expect(alice.page.locator(NAMES)).to_have_text(["alice"], timeout=TIMEOUT_MS)
        await bob.open(room)
        await bob.page.get_by_role("button", name="People here").click()
        for visitor in (alice, bob):
            await expect(visitor.page.locator(NAMES)).to_have_text(["alice", "bob"], timeout=TIMEOUT_MS)
            await expect(visitor.page.get_by_role("heading", name="People here · 2")).to_be_visible()
        await expect(alice.page.locator(".person", has_text="alice").locator("[data-role=you]")).to_be_visible()
        await expect(alice.page.locator(".person", has_text="bob").locator("[data-role=you]")).to_have_count(0)
        assert alice.problems == bob.problems == []


async def test_on_a_phone_the_number_opens_the_list_and_the_keyboard_closes_it(
    browser: Browser, cluster: Cluster
) -> None:
    room = await new_room(cluster)
    async with visiting(browser, cluster, "charlie") as charlie:
        await charlie.page.set_viewport_size({"width": 360, "height": 640})
        await charlie.open(room)
        toggle = charlie.page.get_by_role("button", name="People here:")
        await expect(toggle).to_have_text(re.compile(r"[1-9]"), timeout=TIMEOUT_MS)
        await expect(charlie.page.locator(".people")).to_be_hidden()
        await expect(toggle).to_have_attribute("aria-expanded", "false")
        await toggle.click()
        await expect(charlie.page.locator(NAMES, has_text="charlie")).to_be_visible()
        await expect(toggle).to_have_attribute("aria-expanded", "true")
        await charlie.page.keyboard.press("Escape")
        await expect(charlie.page.locator(".people")).to_be_hidden()
        await expect(toggle).to_have_attribute("aria-expanded", "false")

        # The list of rooms is a view of its own, and the room is one click away.
        rooms = charlie.page.locator("#rooms")
        await expect(rooms).to_be_hidden()
        await charlie.page.get_by_role("link", name="Rooms").click()
        await expect(rooms).to_be_visible()
        await expect(charlie.page.locator(".talk")).to_be_hidden()
        await charlie.page.go_back()
        await expect(rooms).to_be_hidden()
        await expect(charlie.page.locator(".talk")).to_be_visible()
        assert charlie.problems == []
