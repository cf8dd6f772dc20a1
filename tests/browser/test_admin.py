"""The admin in a real browser: it works under the strict content security policy, and open pages follow it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from realtime.auth import TOKEN_PREFIX
from tests.cluster.running import Cluster

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

SECONDS = 15_000  # For what is waited for, in milliseconds.


@dataclass
class Staff:
    """Root's browser, and what its console complained of."""

    page: Page
    url: str
    problems: list[str]

    async def open(self, address: str) -> None:
        await self.page.goto(f"{self.url}/admin/{address}")

    async def act(self, name: str, row: str) -> None:
        """Run an action on one row of the list that is open."""
        await self.page.locator("#result_list tbody tr", has_text=row).locator(".action-select").check()
        await self.page.locator("select[name=action]").select_option(name)
        await self.page.locator("button[name=index]").click()

    async def choose_user(self, name: str) -> None:
        await self.page.locator(".select2-selection").last.click()
        await self.page.locator(".select2-search__field").fill(name)
        await self.page.locator(".select2-results__option", has_text=name).click()


@pytest.fixture
async def root(browser: Browser, cluster: Cluster) -> AsyncIterator[Staff]:
    await asyncio.to_thread(
        cluster.shell,
        "from django.contrib.auth import get_user_model as of; "
        "of().objects.update_or_create(username='root', defaults={'is_staff': True, 'is_superuser': True})",
    )
    page = await page_of(browser, cluster, "root")
    problems: list[str] = []
    page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield Staff(page, cluster.url, problems)
    assert problems == []


async def page_of(browser: Browser, cluster: Cluster, name: str) -> Page:
    cookie = (await asyncio.to_thread(cluster.make_user, name))["cookie"]
    context = await browser.new_context()
    host = urlsplit(cluster.url).hostname
    await context.add_cookies([{"name": "sessionid", "value": cookie, "domain": host, "path": "/"}])
    page = await context.new_page()
    page.set_default_timeout(SECONDS)
    return page


async def test_an_open_page_follows_a_room_through_the_admin(browser: Browser, cluster: Cluster, root: Staff) -> None:
    title = f"Garden {uuid4().hex[:8]}"
    slug = title.lower().replace(" ", "-")
    alice = await page_of(browser, cluster, "alice")

    await root.open("chat/room/add/")
    await root.page.locator("#id_title").fill(title)
    await root.page.keyboard.press("Tab")
    await expect(root.page.locator("#id_slug")).to_have_value(slug)
    await root.page.locator("#id_is_private").check()
    await root.page.get_by_text("Add another Membership").click()
    await root.choose_user("alice")
    await root.page.locator("input[name=_continue]").click()
    await expect(root.page.locator(".messagelist .success")).to_contain_text("was added successfully")

    await alice.goto(f"{cluster.url}/rooms/{slug}/")
    await alice.wait_for_selector("html[data-state=open] #room[data-ready=true]")
    await root.page.locator("#id_title").fill("Orchard")
    await root.page.locator("input[name=_save]").click()
    await expect(alice.get_by_role("heading", name="Orchard")).to_be_visible(timeout=SECONDS)

    await root.act("archive", slug)
    await expect(root.page.locator(".messagelist .success")).to_have_text("1 room archived.")
    await expect(alice.get_by_text("This room is archived")).to_be_visible(timeout=SECONDS)

    await root.act("delete_selected", slug)
    await root.page.locator("input[type=submit][value^=Yes]").click()
    await expect(root.page.locator(".messagelist .success")).to_have_text("Successfully deleted 1 room.")


async def test_a_token_made_in_the_admin_is_shown_once_and_works(cluster: Cluster, root: Staff) -> None:
    await asyncio.to_thread(cluster.make_user, "alice")
    name = f"probe {uuid4().hex[:8]}"
    await root.open("realtime/accesstoken/add/")
    await root.choose_user("alice")
    await root.page.locator("#id_name").fill(name)
    await root.page.locator("input[name=_save]").click()
    token = await root.page.get_by_label("Token").input_value()
    assert token.startswith(f"{TOKEN_PREFIX}_")
    async with cluster.client(token=token) as client:
        assert client.hello["user"]["name"] == "alice"

    await root.page.get_by_text("I have copied it").click()
    await root.act("revoke", name)
    await expect(root.page.locator(".messagelist .success")).to_have_text("1 access token revoked.")
    assert token not in await root.page.content()
    async with cluster.client(token=token, wait_for_hello=False) as client:
        await client.event("auth.required")
        await client.send({"type": "auth", "token": token})
        assert (await client.closed())[0] == 4001
