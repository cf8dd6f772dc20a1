"""Signing out: it asks about unsent text, and leaves nothing behind, neither in storage nor behind the Back button."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.browser.conftest import FLAGS
from tests.support.chat_page import no_connection
from tests.support.cluster import Cluster
from tests.support.visitor import TIMEOUT_MS

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

KEPT = "[...Object.keys(localStorage), ...Object.keys(sessionStorage)].filter(name => name.startsWith('hubbub.'))"
DIALOG = "#sign-out[open]"


@pytest.fixture
async def room(cluster: Cluster) -> str:
    slug = f"hall-{uuid4().hex[:8]}"
    code = f"from chat import services; services.create_room(slug={slug!r}, title='Hall')"
    await asyncio.to_thread(cluster.shell, code)
    return slug


async def let_in(context: BrowserContext, cluster: Cluster, name: str) -> None:
    cookie = (await asyncio.to_thread(cluster.make_user, name))["cookie"]
    host = urlsplit(cluster.url).hostname
    await context.add_cookies([{"name": "sessionid", "value": cookie, "domain": host, "path": "/"}])


@asynccontextmanager
async def signed_in(browser: Browser, cluster: Cluster, name: str) -> AsyncIterator[tuple[Page, list[str]]]:
    """A signed-in page, and its problems."""
    context = await browser.new_context()
    await let_in(context, cluster, name)
    page = await context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    try:
        yield page, problems
    finally:
        await context.close()


async def enter(page: Page, cluster: Cluster, slug: str) -> None:
    await page.goto(f"{cluster.url}/rooms/{slug}/")
    await ready(page)


async def ready(page: Page) -> None:
    await page.wait_for_selector("html[data-state=open] #room[data-ready=true]")


async def click_sign_out(page: Page) -> None:
    await page.get_by_role("button", name="Account of").click()
    await page.locator("#account-menu").get_by_role("button", name="Sign out", exact=True).click()


async def is_evicted(page: Page) -> None:
    await page.wait_for_url("**/account/sign-in/")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def end_session(page: Page, cluster: Cluster) -> None:
    [cookie] = [cookie["value"] for cookie in await page.context.cookies() if cookie["name"] == "sessionid"]
    end = f"from django.contrib.sessions.models import Session; Session.objects.get(pk={cookie!r}).delete()"
    await asyncio.to_thread(cluster.shell, end)


async def post(page: Page, text: str) -> None:
    await page.locator("#body").fill(text)
    await page.keyboard.press("Enter")
    saved = page.locator(".message:not(.is-pending) .message-body", has_text=text)
    await expect(saved).to_have_count(1, timeout=TIMEOUT_MS)


async def test_without_unsent_text_nothing_is_asked(browser: Browser, cluster: Cluster, room: str) -> None:
    async with signed_in(browser, cluster, "alice") as (page, problems):
        await enter(page, cluster, room)
        await post(page, "all is said")
        await click_sign_out(page)
        await is_evicted(page)
        assert await page.evaluate(KEPT) == []
        await page.goto(f"{cluster.url}/rooms/{room}/")
        await page.wait_for_url("**/account/sign-in/?next=**")
        assert problems == []


async def test_a_draft_of_another_room_is_asked_about_in_the_lobby_and_cleared(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    async with signed_in(browser, cluster, "alice") as (page, problems):
        await enter(page, cluster, room)
        await page.locator("#body").fill("begun and not sent")
        await page.goto(f"{cluster.url}/")
        await click_sign_out(page)
        dialog = page.locator(DIALOG)
        await expect(dialog.get_by_role("listitem")).to_have_text(["Hall: a draft begun and not sent"])
        await dialog.get_by_role("button", name="Stay signed in").click()
        await expect(dialog).to_have_count(0)
        # Nothing has happened.
        await enter(page, cluster, room)
        await expect(page.locator("#body")).to_have_value("begun and not sent")

        await click_sign_out(page)
        await dialog.get_by_role("button", name="Discard and sign out").click()
        await is_evicted(page)
        assert await page.evaluate(KEPT) == []
        # Neither the next user of this browser, nor the same one, finds it.
        for name in ("bob", "alice"):
            await let_in(page.context, cluster, name)
            await enter(page, cluster, room)
            await expect(page.locator("#body")).to_have_value("")
        assert problems == []


async def test_posts_that_are_not_acknowledged_and_an_open_edit_are_asked_about(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    async with signed_in(browser, cluster, "alice") as (page, _):
        await enter(page, cluster, room)
        await post(page, "first")
        await no_connection(page)
        await page.locator("#body").press("ArrowUp")
        await page.locator(".editor textarea").fill("first, but better")
        # The end of the connection, as a tunnel makes it: the page itself goes on.
        await page.evaluate("dispatchEvent(new Event('offline'))")
        await page.wait_for_selector("html[data-state=offline], html[data-state=connecting]")
        await page.locator("#body").fill("written in a tunnel")
        await page.locator("#body").press("Enter")
        await expect(page.locator(".message.is-pending")).to_have_count(1)
        await click_sign_out(page)
        rows = page.locator(DIALOG).get_by_role("listitem")
        await expect(rows).to_have_text(["Hall: 1 unsent message, 1 unsaved edit written in a tunnel"])
        await page.get_by_role("button", name="Discard and sign out").click()
        await is_evicted(page)
        assert await page.evaluate(KEPT) == []


async def test_unsent_text_of_another_tab_is_asked_about_and_that_tab_is_left(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    async with signed_in(browser, cluster, "alice") as (page, _):
        await enter(page, cluster, room)
        await post(page, "first")
        await page.locator("#body").press("ArrowUp")
        await page.locator(".editor textarea").fill("first, but better")
        lobby = await page.context.new_page()
        await lobby.goto(f"{cluster.url}/")
        await click_sign_out(lobby)
        rows = lobby.locator(DIALOG).get_by_role("listitem")
        await expect(rows).to_have_text(["Hall: 1 unsaved edit first, but better"])
        await lobby.get_by_role("button", name="Discard and sign out").click()
        await is_evicted(lobby)
        await page.wait_for_url("**/account/sign-in/**")
        assert await page.evaluate(KEPT) == []


async def test_signing_out_of_the_admin_asks_as_well(browser: Browser, cluster: Cluster, room: str) -> None:
    code = "from django.contrib.auth import get_user_model as of; of().objects.update_or_create(username='root', "
    await asyncio.to_thread(cluster.shell, f"{code}defaults={{'is_staff': True, 'is_superuser': True}})")
    async with signed_in(browser, cluster, "root") as (page, problems):
        await enter(page, cluster, room)
        await page.locator("#body").fill("begun and not sent")
        await page.goto(f"{cluster.url}/admin/")
        await page.get_by_role("button", name="Log out").click()
        await page.locator(DIALOG).get_by_role("button", name="Discard and sign out").click()
        await is_evicted(page)
        assert await page.evaluate(KEPT) == []
        assert problems == []


async def test_a_session_that_ends_elsewhere_keeps_the_text_for_its_user_alone(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    name = f"alice-{uuid4().hex[:8]}"
    async with signed_in(browser, cluster, name) as (page, _):
        await enter(page, cluster, room)
        await post(page, "first")
        await page.locator("#body").press("ArrowUp")
        await page.locator(".editor textarea").fill("first, but better")
        await page.locator("#body").fill("begun and not sent")
        await end_session(page, cluster)
        await page.wait_for_url("**/account/sign-in/?next=**")

        await let_in(page.context, cluster, "bob")
        await enter(page, cluster, room)
        await expect(page.locator("#body")).to_have_value("")
        await expect(page.locator(".editor")).to_have_count(0)
        # Bob's signing out asks about nothing of Alice's, and takes nothing of it away.
        await click_sign_out(page)
        await is_evicted(page)

        await let_in(page.context, cluster, name)
        await enter(page, cluster, room)
        await expect(page.locator("#body")).to_have_value("begun and not sent")
        await expect(page.locator(".editor textarea")).to_have_value("first, but better")
        await page.locator(".editor textarea").press("Enter")
        await expect(page.locator(".message-body", has_text="first, but better")).to_have_count(1)
        await expect(page.locator(".editor")).to_have_count(0)


@pytest.fixture
async def browser_with_page_cache() -> AsyncIterator[Browser]:
    """With the cache of whole pages as people have it, which Playwright switches off."""
    flags = [*FLAGS, "--no-sandbox"] if os.getuid() == 0 else FLAGS
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=flags,
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        await browser.close()


async def back_to_sign_in(page: Page, address: str) -> str:
    """Go back to where that address was shown, and be asked to sign in. What the page then has, as text and markup."""
    await page.evaluate("history.back()")
    await page.wait_for_url(f"**/account/sign-in/?next={address}")
    return await page.content()


async def post_secret(page: Page, cluster: Cluster, room: str) -> str:
    """Words in the room that the lobby shows then."""
    secret = f"secret {uuid4().hex[:8]}"
    await enter(page, cluster, room)
    await post(page, secret)
    await page.goto(f"{cluster.url}/")
    await expect(page.locator(".lobby").get_by_text(secret)).to_be_visible()
    return secret


async def test_back_after_signing_out_shows_no_text_of_a_room(
    browser_with_page_cache: Browser, cluster: Cluster, room: str
) -> None:
    async with signed_in(browser_with_page_cache, cluster, "alice") as (page, _):
        secret = await post_secret(page, cluster, room)
        await enter(page, cluster, room)
        await page.get_by_role("link", name="Hubbub").click()
        await page.wait_for_url(f"{cluster.url}/")
        await click_sign_out(page)
        await is_evicted(page)
        for address in (f"/rooms/{room}/", "/", f"/rooms/{room}/"):
            assert secret not in await back_to_sign_in(page, address)


async def test_back_after_the_session_has_ended_elsewhere_shows_no_text_of_a_room(
    browser_with_page_cache: Browser, cluster: Cluster, room: str
) -> None:
    """No cookie of this browser has changed, by which it would know that the page is not to be shown again."""
    async with signed_in(browser_with_page_cache, cluster, "alice") as (page, _):
        secret = await post_secret(page, cluster, room)
        # As a browser says that it keeps the page whole, and that it shows it again.
        await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
        await expect(page.locator(".lobby").get_by_text(secret)).to_be_hidden()
        async with page.expect_navigation():
            await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
        await expect(page.locator(".lobby").get_by_text(secret)).to_be_visible()
        await page.goto(f"{cluster.url}/nothing/")
        await end_session(page, cluster)
        assert secret not in await back_to_sign_in(page, "/")
