"""The account pages in a real browser: the cursor, tabs of before, and pages that come back by themselves."""

import asyncio
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.cluster import Cluster
from tests.support.visitor import TIMEOUT_MS, visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

PASSWORD, NEW = "correct horse 7", "battery staple 8"
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 800}


async def make_user(cluster: Cluster) -> str:
    name = f"alice-{uuid4().hex[:8]}"
    code = f"of().objects.create_user({name!r}, password={PASSWORD!r})"
    await asyncio.to_thread(cluster.shell, f"from django.contrib.auth import get_user_model as of; {code}")
    return name


async def fill(page: Page, **fields: str) -> None:
    for name, text in fields.items():
        await page.locator(f"main input[name={name}]:visible").fill(text)


async def submit(page: Page, words: str) -> None:
    await page.get_by_role("button", name=words, exact=True).click()


async def sign_in(page: Page, name: str) -> None:
    await fill(page, username=name, password=PASSWORD)
    await submit(page, "Sign in")


async def check_cursor(page: Page, field: str, words: str) -> None:
    """Assert that the cursor is in this field, and that its error is marked and described."""
    cursor = page.locator(f"input[name={field}]:visible")
    await expect(cursor).to_be_focused(timeout=TIMEOUT_MS)
    await expect(cursor).to_have_attribute("aria-invalid", "true")
    described = (await cursor.get_attribute("aria-describedby") or "").split()
    texts = [await page.locator(f"[id='{field}']").inner_text() for field in described]
    assert words in " ".join(texts)
    await expect(cursor).to_be_in_viewport()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_the_cursor_goes_to_the_field_that_is_wrong(
    browser: Browser, cluster: Cluster, size: dict[str, int]
) -> None:
    name = await make_user(cluster)
    async with visiting(browser, cluster) as visitor:
        page = visitor.page
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        await visitor.open("/account/sign-in/")
        await expect(page.locator("#id_username")).to_be_focused()
        await fill(page, username=name, password="wrong")
        await submit(page, "Sign in")
        await check_cursor(page, "password", "Wrong name or password")
        await expect(page.locator("#id_username")).to_have_value(name)
        await fill(page, username="", password=PASSWORD)
        await submit(page, "Sign in")
        await check_cursor(page, "username", "required")

        await visitor.open("/account/sign-up/")
        await fill(page, username=name, password1=PASSWORD, password2=PASSWORD)
        await submit(page, "Create the account")
        await check_cursor(page, "username", "This name is taken")
        await fill(page, username=f"new-{uuid4().hex[:8]}", password1=PASSWORD, password2="another")
        await submit(page, "Create the account")
        await check_cursor(page, "password1", "differ")

        await visitor.open("/account/sign-in/")
        await sign_in(page, name)
        await expect(page).to_have_title("Rooms · Hubbub")
        size_of_h1 = "getComputedStyle(document.querySelector('h1')).fontSize"
        of_rooms = await page.evaluate(size_of_h1)
        await visitor.open("/account/")
        assert await page.evaluate(size_of_h1) == of_rooms
        await expect(page.locator("body")).to_be_focused()
        await fill(page, old_password="wrong", new_password1=NEW, new_password2=NEW)
        await submit(page, "Change the password")
        await check_cursor(page, "old_password", "not your current password")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert visitor.problems == []


async def test_two_tabs_at_the_sign_in_and_a_page_of_before(browser: Browser, cluster: Cluster) -> None:
    name = await make_user(cluster)
    async with visiting(browser, cluster) as visitor:
        first, second = visitor.page, await visitor.page.context.new_page()
        await visitor.open("/account/sign-in/")
        await second.goto(f"{visitor.url}/rooms/general/")
        await sign_in(first, name)
        await expect(first).to_have_url(f"{visitor.url}/")
        await sign_in(second, name)
        await expect(second).to_have_url(f"{visitor.url}/rooms/general/")
        await second.wait_for_selector("html[data-state=open] #room[data-ready=true]")
        # Another sign-in: the token of the room's page is a former one.
        await visitor.open("/account/sign-in/")
        await sign_in(first, name)
        await expect(first).to_have_url(f"{visitor.url}/")
        await second.wait_for_selector("html[data-state=open]")
        await second.locator(".bar-button").click()
        await submit(second, "Sign out")
        for page in (second, first):  # The other tab is told.
            await expect(page.locator("h1:visible")).to_have_text("Sign in")


async def test_a_room_comes_back_by_itself_when_the_password_is_changed_beside_it(
    browser: Browser, cluster: Cluster
) -> None:
    name = await make_user(cluster)
    async with visiting(browser, cluster) as visitor, visiting(browser, cluster) as elsewhere:
        account, room = visitor.page, await visitor.page.context.new_page()
        await visitor.open("/account/sign-in/")
        await sign_in(account, name)
        await expect(account).to_have_title("Rooms · Hubbub")
        await room.goto(f"{visitor.url}/rooms/general/")
        await room.wait_for_selector("html[data-state=open] #room[data-ready=true]")
        before = await room.evaluate("document.documentElement.dataset.connection")
        await elsewhere.open("/account/sign-in/?next=/rooms/general/")
        await sign_in(elsewhere.page, name)
        await elsewhere.page.wait_for_selector("html[data-state=open] #room[data-ready=true]")

        await account.locator(".bar-button").click()
        await account.get_by_role("link", name="Your account").click()
        await expect(account.locator(".account-list > li")).to_have_count(2)
        await fill(account, old_password=PASSWORD, new_password1=NEW, new_password2=NEW)
        await submit(account, "Change the password")
        await expect(account.get_by_role("status")).to_contain_text("Your password is changed")
        await expect(account.locator(".account-list > li")).to_have_count(1)
        await room.wait_for_function(
            "before => document.documentElement.dataset.state === 'open'"
            " && document.documentElement.dataset.connection !== before",
            arg=before,
        )
        await expect(room.locator("#room")).to_have_attribute("data-user-name", name)
        text = f"still here {uuid4().hex}"
        await room.locator("#body").fill(text)
        await room.keyboard.press("Enter")
        await expect(room.locator(".message:not(.is-pending)", has_text=text)).to_have_count(1, timeout=TIMEOUT_MS)
        # The other browser is out, and its open page says why.
        await expect(elsewhere.page.locator("h1:visible")).to_have_text("Sign in", timeout=TIMEOUT_MS)
        await expect(elsewhere.page.get_by_role("status")).to_contain_text("the password of this account was changed")
