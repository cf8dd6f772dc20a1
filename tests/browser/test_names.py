"""A new name on pages that are open, in a real browser against real processes."""

import asyncio
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.cluster.test_names import OF, RENAME
from tests.support.cluster import Cluster
from tests.support.visitor import TIMEOUT_MS, visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

MANAGE = (
    "user = of().objects.get(username={name!r}); user.user_permissions.add(of_right.get(codename='view_dashboard'))"
)
RIGHTS = "from django.contrib.auth.models import Permission\nof_right = Permission.objects\n"


async def test_a_new_name_is_on_every_open_page(browser: Browser, cluster: Cluster) -> None:
    name, slug = f"ada-{uuid4().hex[:8]}", f"room-{uuid4().hex[:8]}"
    new, room = f"zoe-{name}", f"/rooms/{slug}/"
    create = f"from chat import services; services.create_room(slug={slug!r}, title='Room')"
    await asyncio.to_thread(cluster.shell, create)
    async with visiting(browser, cluster, name) as ada, visiting(browser, cluster, "bob") as bob:
        await asyncio.to_thread(cluster.shell, OF + RIGHTS + MANAGE.format(name=name))
        monitor = await ada.page.context.new_page()
        await monitor.goto(f"{cluster.url}/monitor/")
        for visitor in (ada, bob):
            await visitor.open(room)
            await visitor.page.wait_for_selector("html[data-state=open]")
        await ada.page.locator("#body").fill("Before.")
        await ada.page.keyboard.press("Enter")
        for visitor in (ada, bob):
            await expect(visitor.page.locator(".message-name")).to_have_text([name])
            await visitor.page.get_by_role("button", name="People here").click()
            await expect(visitor.page.locator(".people .person bdi")).to_have_text([name, "bob"], timeout=TIMEOUT_MS)
        await asyncio.to_thread(cluster.shell, RENAME.format(name=name, new=new))
        for visitor in (ada, bob):
            await expect(visitor.page.locator(".message-name")).to_have_text([new], timeout=TIMEOUT_MS)
            await expect(visitor.page.locator(".people .person bdi")).to_have_text(["bob", new], timeout=TIMEOUT_MS)
        for page in (ada.page, monitor):
            await expect(page.get_by_role("button", name=f"Account of {new}")).to_have_text(new, timeout=TIMEOUT_MS)
        # New messages have the new name at once, and are grouped with the old ones.
        await ada.page.locator("#body").fill("After.")
        await ada.page.keyboard.press("Enter")
        for visitor in (ada, bob):
            await expect(visitor.page.locator(".message-body")).to_have_text(["Before.", "After."])
            await expect(visitor.page.locator(".message-name")).to_have_text([new])
            assert visitor.problems == []


async def test_a_room_that_is_renamed_has_the_new_title_on_its_page_and_in_the_lobby(
    browser: Browser, cluster: Cluster
) -> None:
    slug = f"room-{uuid4().hex[:8]}"
    create = f"from chat import services; services.create_room(slug={slug!r}, title='Old {slug}')"
    change = "from chat.models import Room\nfrom chat import services\n"
    change += (
        f"services.change_room(room_id=Room.objects.get(slug={slug!r}).pk, title='New {slug}', description='Talk')"
    )
    await asyncio.to_thread(cluster.shell, create)
    async with visiting(browser, cluster, "alice") as alice, visiting(browser, cluster, "bob") as bob:
        await alice.open(f"/rooms/{slug}/")
        await alice.page.wait_for_selector("#room[data-ready=true]")
        await bob.open("/")
        row = bob.page.locator(f"a[href='/rooms/{slug}/'] .lobby-title")
        await expect(row).to_have_text(f"Old {slug}")
        await bob.page.locator(f".lobby a[href='/rooms/{slug}/']").focus()
        await asyncio.to_thread(cluster.shell, change)
        await expect(alice.page.locator("#room-title")).to_have_text(f"New {slug}")
        await expect(alice.page.locator("[data-role=description]")).to_have_text("Talk")
        await expect(alice.page.locator("[aria-current=page] [data-role=room-title]")).to_have_text(f"New {slug}")
        await expect(row).to_have_text(f"New {slug}", timeout=TIMEOUT_MS)
        await expect(bob.page.locator(f".lobby a[href='/rooms/{slug}/']")).to_be_focused()
        assert alice.problems == bob.problems == []
