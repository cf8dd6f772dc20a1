"""The admin in a real browser: it works under the strict content security policy, and open pages follow it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, Page, expect

from hubbub.auth.tokens import TOKEN_PREFIX
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

T = TypeVar("T")

SECONDS = 30_000  # For what is waited for, in milliseconds.
MINUTE = timedelta(minutes=1)
SAVED = ".ban .messagelist .success"


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
        # Others may have the name as a part of theirs.
        await self.page.get_by_role("option", name=name, exact=True).click()


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
    await root.page.locator("#content input[type=submit][value=Delete]").click()
    await expect(root.page.locator(".messagelist .success")).to_have_text("1 room deleted.")


async def test_a_token_made_in_the_admin_is_shown_once_and_works(cluster: Cluster, root: Staff) -> None:
    await asyncio.to_thread(cluster.make_user, "alice")
    name = f"probe {uuid4().hex[:8]}"
    await root.open("hubbub/accesstoken/add/")
    await root.choose_user("alice")
    await root.page.locator("#id_name").fill(name)
    await root.page.get_by_label("chat.read").check()
    await root.page.locator("input[name=_save]").click()
    token = await root.page.get_by_label("Token").input_value()
    assert token.startswith(f"{TOKEN_PREFIX}_")
    async with cluster.client(token=token) as client:
        assert client.hello["user"]["name"] == "alice"

    await root.page.get_by_role("button", name="Copy").click()
    await expect(root.page.get_by_text("Copied.")).to_be_visible()
    await root.page.get_by_text("I have copied it").click()
    await root.act("revoke", name)
    await expect(root.page.locator(".messagelist .success")).to_have_text("1 access token revoked.")
    assert token not in await root.page.content()
    async with cluster.client(token=token, wait_for_hello=False) as client:
        await client.event("auth.required")
        await client.send({"type": "auth", "token": token})
        assert (await client.closed())[0] == 4001


async def test_rights_removed_in_the_admin_end_within_a_second_on_other_processes(
    browser: Browser, cluster: Cluster, root: Staff
) -> None:
    name, slug = f"mallory-{uuid4().hex[:8]}", f"club-{uuid4().hex[:8]}"
    mine = await asyncio.to_thread(cluster.make_user, name)
    await asyncio.to_thread(
        cluster.shell,
        f"""
        from django.contrib.auth import get_user_model
        from chat import services
        room = services.create_room(slug={slug!r}, title="The Club", is_private=True)
        services.set_membership(room_id=room.pk, user_id=get_user_model().objects.get(username={name!r}).pk)
        """,
    )
    page = await page_of(browser, cluster, name)
    await page.goto(f"{cluster.url}/rooms/{slug}/")
    await page.wait_for_selector("html[data-state=open] #room[data-ready=true]")
    await page.get_by_label("Message", exact=True).fill("half a")
    # Wherever the admin's own pages come from, one of these is on another process.
    async with (
        cluster.client(cookie=mine["cookie"], process="web-1") as first,
        cluster.client(cookie=mine["cookie"], process="web-2") as second,
    ):
        for one in (first, second):
            await one.join(slug)
        await root.open(f"chat/membership/?q={name}")
        told = [asyncio.create_task(timed(one.event("closed"))) for one in (first, second)]
        await root.act("ban", name)
        await expect(root.page.locator(".messagelist .success")).to_be_visible()
        banned_at = time.monotonic()
        for one in told:
            frame, at = await one
            assert frame["code"] == "banned"
            assert at - banned_at < 1
        closed = page.get_by_text("You cannot enter this room for now.")
        await expect(closed).to_be_visible(timeout=SECONDS)
        # Lifted: the open page enters by itself, with the text that was not sent.
        await root.act("lift_ban", name)
        await expect(root.page.locator(".messagelist .success")).to_be_visible()
        await expect(closed).to_be_hidden(timeout=15_000)
        await expect(page.get_by_label("Message", exact=True)).to_have_value("half a")

        await root.open(f"accounts/user/?q={name}")
        await root.page.locator("#result_list th a", has_text=name).click()
        await root.page.locator("#id_is_active").uncheck()
        ended = [asyncio.create_task(timed(one.closed())) for one in (first, second)]
        await root.page.locator("input[name=_save]").click()
        await expect(root.page.locator(".messagelist .success")).to_be_visible()
        deactivated_at = time.monotonic()
        for end in ended:
            close, at = await end
            assert close == (4003, "Session ended")
            assert at - deactivated_at < 1
    # The page has tried once more, and has been told that nobody is signed in.
    await page.wait_for_url(f"**/sign-in/?next=*{slug}*", timeout=SECONDS)


COUNT_CLICKS = """
    document.addEventListener("pointerdown", () => {
      sessionStorage.clicks = Number(sessionStorage.clicks ?? 0) + 1;
    }, true);
"""


async def focused(page: Page) -> str:
    """What names the element that has the cursor."""
    return str(await page.evaluate("document.activeElement.getAttribute('aria-labelledby')"))


async def take_clicks(page: Page) -> int:
    """The clicks since the last call."""
    return int(await page.evaluate("[sessionStorage.clicks ?? 0, sessionStorage.removeItem('clicks')][0]"))


async def ban_a_last_author_for_a_day(page: Page, name: str) -> None:
    await page.get_by_label(name).click()
    await page.locator("#id_reason").fill("loud")
    await page.get_by_role("button", name="Ban for a day").click()
    await expect(page.locator(SAVED)).to_contain_text(f"{name} is banned from The Hall until")
    await expect(page.locator(SAVED)).to_be_focused()


async def ban_until_a_date(page: Page, name: str) -> None:
    """The cursor is in the date when the user is chosen."""
    await expect(page.locator("[data-role=zone]")).to_have_text("Asia/Tokyo")
    proposed = datetime.now(ZoneInfo("Asia/Tokyo")) + timedelta(days=30)
    assert (await page.locator("#id_until").input_value())[:10] in {f"{proposed - MINUTE:%F}", f"{proposed:%F}"}
    await page.locator("[data-ban] .select2-selection").click()
    await page.locator(".select2-search__field").fill(name)
    await page.get_by_role("option", name=name, exact=True).click()
    await expect(page.locator("#id_until")).to_be_focused()
    await page.keyboard.type("01012099")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.type("0900AM")
    await page.get_by_role("button", name="Ban until the date").click()
    await expect(page.locator(SAVED)).to_contain_text(f"{name} is banned from The Hall until 2099-01-01 00:00 UTC")


async def ban_by_keyboard(page: Page, name: str) -> None:
    """The search opens by a letter, and Return chooses the only answer: one click."""
    await page.locator("[data-ban] .select2-selection").focus()
    await page.keyboard.type(name)
    # Before, the list is that of the first letters, and Return would choose another user.
    await expect(page.locator(".select2-results__option")).to_have_text([name])
    await page.keyboard.press("Enter")
    await expect(page.locator("#id_until")).to_be_focused()
    await page.get_by_role("button", name="Ban until the date").click()
    await expect(page.locator(SAVED)).to_contain_text(f"{name} is banned from The Hall until")


async def test_a_ban_from_the_page_of_a_room_takes_at_most_three_clicks(
    browser: Browser, cluster: Cluster, root: Staff
) -> None:
    talker, reader, slug = (f"{word}-{uuid4().hex[:8]}" for word in ("talker", "reader", "hall"))
    talks, reads = [await asyncio.to_thread(cluster.make_user, name) for name in (talker, reader)]
    code = f"from chat import services; print(services.create_room(slug={slug!r}, title='The Hall').pk)"
    pk = (await asyncio.to_thread(cluster.shell, code)).strip()
    context = await browser.new_context(timezone_id="Asia/Tokyo", viewport={"width": 360, "height": 740})
    await context.add_cookies(await root.page.context.cookies())
    page = await context.new_page()
    page.set_default_timeout(SECONDS)
    await page.add_init_script(COUNT_CLICKS)
    problems: list[str] = []
    page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    async with (
        cluster.client(cookie=talks["cookie"], process="web-1") as first,
        cluster.client(cookie=reads["cookie"], process="web-2") as second,
    ):
        for client in (first, second):
            await client.join(slug)
        await first.post(slug, "loud")
        # The page keeps the text that was typed into the room's own form.
        await page.goto(f"{cluster.url}/admin/chat/room/{pk}/change/")
        await page.locator("#id_description").fill("half a description")
        await page.get_by_role("button", name="Ban for a day").click()
        await expect(page.locator(".ban-row", has=page.locator("#id_user"))).to_contain_text("Choose a user.")
        assert await focused(page) == "ban-user select2-id_user-container"
        await take_clicks(page)
        await ban_a_last_author_for_a_day(page, talker)
        assert (await first.event("closed"))["code"] == "banned"
        assert await take_clicks(page) == 2
        await ban_until_a_date(page, reader)
        assert (await second.event("closed"))["code"] == "banned"
        assert await take_clicks(page) == 3
        await page.get_by_role("button", name=f"Lift the ban of {reader}").click()
        await expect(page.locator(SAVED)).to_have_text(f"The ban of {reader} is lifted.")
        await take_clicks(page)
        await ban_by_keyboard(page, reader)
        assert await take_clicks(page) == 1
        assert await page.locator("#id_description").input_value() == "half a description"
    assert await page.evaluate("document.querySelector('.ban').getBoundingClientRect().right <= innerWidth")
    assert problems == []
    await context.close()


async def test_signing_out_ends_the_other_tabs(browser: Browser, cluster: Cluster) -> None:
    page = await page_of(browser, cluster, "alice")
    await page.goto(f"{cluster.url}/rooms/general/")
    await page.wait_for_selector("html[data-state=open] #room[data-ready=true]")
    other = await page.context.new_page()
    await other.goto(f"{cluster.url}/")
    await other.get_by_role("button", name="Account of").click()
    await other.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/sign-in/?next=*general*", timeout=SECONDS)


async def timed(what: Awaitable[T]) -> tuple[T, float]:
    """Its result, and when it came."""
    return await what, time.monotonic()
