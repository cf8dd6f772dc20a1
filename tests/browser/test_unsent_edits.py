"""No unsaved edit is lost: by another edit, a reload, or a change or deletion of its message elsewhere."""

from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.chat_page import make_room, post, ready, says
from tests.support.cluster import Cluster
from tests.support.tabs import Slow, is_saved, tabs_of

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

OFFER = ".edit-offer"


@pytest.fixture
async def room(cluster: Cluster) -> str:
    slug = f"kept-{uuid4().hex[:8]}"
    await make_room(cluster, slug)
    return slug


async def edit(page: Page, body: str, text: str) -> None:
    row = page.locator(".message", has_text=body)
    await row.hover()
    await row.locator("[data-role=edit]").click()
    await page.locator(".editor textarea").fill(text)


async def test_another_edit_and_a_reload_keep_the_first_one(browser: Browser, cluster: Cluster, room: str) -> None:
    async with tabs_of(browser, cluster, "alice") as tabs:
        page = await tabs.enter(room)
        for body in ("alpha", "beta"):
            await post(page, body)
            await says(page, body)
        await edit(page, "alpha", "alpha, but better")
        await edit(page, "beta", "beta, but better")
        await expect(page.locator(OFFER)).to_contain_text("alpha, but better")
        await page.reload()
        await ready(page)
        assert tabs.questions == []
        await expect(page.locator(".editor textarea")).to_have_value("beta, but better")
        await page.locator(".editor textarea").press("Enter")
        await says(page, "beta, but better")
        await page.locator(OFFER).get_by_role("button", name="Go on editing").click()
        await expect(page.locator(".editor textarea")).to_have_value("alpha, but better")
        await expect(page.locator(OFFER)).to_have_count(0)
        await page.locator(".editor textarea").press("Enter")
        await is_saved(page, "alpha, but better (edited)", "beta, but better (edited)")
        await page.reload()
        await ready(page)
        assert tabs.questions == []


async def test_an_edit_of_a_closed_tab_goes_on_in_another_one_and_not_before(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    async with tabs_of(browser, cluster, "alice") as tabs:
        a, b = await tabs.enter(room), await tabs.enter(room)
        await post(a, "alpha")
        await says(b, "alpha")
        await edit(a, "alpha", "alpha, but better")
        await b.reload()
        await ready(b)
        await says(b, "alpha")
        await expect(b.locator(OFFER)).to_have_count(0)
        await expect(b.locator(".editor")).to_have_count(0)
        await a.close()
        await b.reload()
        await ready(b)
        await expect(b.locator(".editor textarea")).to_have_value("alpha, but better")


async def test_an_edit_of_a_message_that_changes_elsewhere_shows_both_texts(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    async with tabs_of(browser, cluster, "alice") as tabs:
        a = await tabs.enter(room)
        await post(a, "before")
        await says(a, "before")
        await edit(a, "before", "mine")
        b = await tabs.duplicate(a)
        await edit(b, "before", "theirs")
        await b.locator(".editor textarea").press("Enter")
        await expect(a.locator(f"{OFFER}[data-kind=changed]")).to_contain_text("theirs")
        await expect(a.locator(f"{OFFER}[data-kind=changed]")).to_contain_text("mine")
        await expect(a.locator(".editor textarea")).to_have_value("mine")
        await a.locator(OFFER).get_by_role("button", name="Go on with your text").click()
        await expect(a.locator(OFFER)).to_have_count(0)
        await a.locator(".editor textarea").press("Enter")
        await says(b, "mine")


async def test_two_edits_that_are_saved_at_the_same_moment_are_both_shown(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    async with tabs_of(browser, cluster, "alice") as tabs:
        link = Slow()
        a, b = await tabs.enter(room), await tabs.enter(room, link)
        await post(a, "before")
        await says(b, "before")
        await edit(a, "before", "by a")
        await edit(b, "before", "by b")
        link.is_slow = True
        await a.locator(".editor textarea").press("Enter")
        await is_saved(a, "by a (edited)")
        await b.locator(".editor textarea").press("Enter")
        await is_saved(a, "by b (edited)")
        link.go_on()
        await is_saved(b, "by b (edited)")
        offer = b.locator(f"{OFFER}[data-kind=changed]")
        await expect(offer.locator("blockquote")).to_have_text(["by b", "by a"])
        await offer.get_by_role("button", name="Go on with your text").click()
        await expect(b.locator(".editor textarea")).to_have_value("by a")


async def test_the_text_of_an_edit_whose_message_is_deleted_becomes_a_new_message(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    async with tabs_of(browser, cluster, "alice") as tabs:
        a, b = await tabs.enter(room), await tabs.enter(room)
        await post(a, "before")
        await says(b, "before")
        await edit(a, "before", "mine")
        row = b.locator(".message", has_text="before")
        await row.hover()
        await row.locator("[data-role=delete]").click()
        offer = a.locator(f"{OFFER}[data-kind=deleted]")
        await expect(offer).to_contain_text("mine")
        await offer.get_by_role("button", name="Make it a new message").click()
        await expect(a.locator("#body")).to_have_value("mine")
        await expect(a.locator(OFFER)).to_have_count(0)
