"""The page of rooms by keyboard alone."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.chat_page import ready, says
from tests.support.cluster import Cluster
from tests.support.dialogs import press
from tests.support.keyboard import jump, title, without_pointer, write
from tests.support.room_states import Rooms, make_rooms

pytestmark = [pytest.mark.browser, pytest.mark.cluster]


@pytest.fixture
async def rooms(cluster: Cluster) -> Rooms:
    return await make_rooms(cluster)


@pytest.fixture
async def page(browser: Browser, cluster: Cluster, rooms: Rooms) -> AsyncIterator[Page]:
    async with without_pointer(browser, cluster, rooms) as page:
        yield page


def slugs_in(section: str) -> str:
    """A script that lists the rooms of a section of the list."""
    return f"[...document.querySelectorAll('#rooms {section} li')].map(({{ dataset }}) => dataset.slug)"


async def test_a_person_without_a_pointer_does_everything(page: Page, rooms: Rooms) -> None:
    field, status = page.locator("#body"), page.locator("p[data-role=status]")
    await jump(page, title("full", rooms))
    await expect(page.locator("[data-role=news]")).to_be_visible()
    await press(page, "Escape")
    await expect(page.locator("[data-role=news]")).to_be_hidden()
    for words in ("Words before.", "Last wrods."):
        await write(page, words)
    await expect(status).to_have_text(re.compile("^Sent"))

    # The last own message.
    await press(page, "ArrowUp")
    editor = page.locator(".editor textarea")
    await expect(editor).to_have_value("Last wrods.")
    await press(page, "Control+a")
    await page.keyboard.type("Last words.")
    await press(page, "Enter")
    await says(page, "Last words.")
    await expect(field).to_be_focused()

    # The log is one stop for Tab: itself, then the message that was left.
    log, row = page.locator("#log"), page.locator(".message", has_text="Last words.")
    await press(page, "Shift+F6")
    await expect(log).to_be_focused()
    await press(page, "ArrowUp")
    await expect(row).to_be_focused()
    await press(page, "ArrowUp")
    await expect(page.locator(".message", has_text="Words before.")).to_be_focused()
    await press(page, "ArrowDown")
    await expect(row).to_be_focused()
    await press(page, "Escape")
    await expect(field).to_be_focused()
    await press(page, "Shift+Tab", "Shift+Tab")
    await expect(row).to_be_focused()
    assert await log.get_attribute("tabindex") == "-1"


async def test_the_keys_of_a_message(page: Page, rooms: Rooms) -> None:
    field, row = page.locator("#body"), page.locator(".message", has_text="Last words.")
    await jump(page, title("empty", rooms))
    await write(page, "Last words.")
    await press(page, "Shift+F6", "ArrowUp")
    await expect(row).to_be_focused()

    # Its tools are one stop more, with arrow keys in it.
    await press(page, "Tab")
    await expect(row.get_by_role("button", name="Edit")).to_be_focused()
    await press(page, "ArrowRight")
    await expect(row.get_by_role("button", name="Copy link")).to_be_focused()
    await press(page, "Shift+Tab")
    await expect(row).to_be_focused()
    await press(page, "l")
    await expect(page.locator("[data-role=strip-text]")).to_have_text("Link copied.")
    assert re.search(rf"/rooms/{rooms.empty}/\?at=\d+$", await page.evaluate("navigator.clipboard.readText()"))
    await press(page, "e")
    await expect(page.locator(".editor textarea")).to_be_focused()
    await press(page, "Escape")
    await expect(field).to_be_focused()

    # Deleted, with a way back within reach: the band above the log is a pane.
    await press(page, "Shift+F6", "ArrowUp")
    await press(page, "Delete")
    await expect(page.locator("[data-role=undo]")).to_contain_text("Message deleted.")
    await expect(field).to_be_focused()
    await press(page, "Shift+F6", "Shift+F6")
    await expect(page.get_by_role("button", name="Undo")).to_be_focused()
    await press(page, "Enter")
    await says(page, "Last words.")
    await expect(field).to_be_focused()

    # Typing anywhere writes.
    await press(page, "Shift+F6")
    await expect(page.locator("#log")).to_be_focused()
    await page.keyboard.type("Typed in the log.")
    await expect(field).to_have_value("Typed in the log.")
    await press(page, "Enter")
    await says(page, "Typed in the log.")


async def test_panes_dialogs_and_rooms_by_keyboard(page: Page, rooms: Rooms, cluster: Cluster) -> None:
    field, log = page.locator("#body"), page.locator("#log")
    await jump(page, title("empty", rooms))
    await expect(field).to_be_focused()
    here = page.locator("#rooms .rooms-link[aria-current=page]")
    for key, stops in (("F6", (here, log, field)), ("Shift+F6", (log, here, field))):
        for stop in stops:
            await press(page, key)
            await expect(stop).to_be_focused()

    # People: from its button in the header, and it is a pane then.
    people = page.get_by_role("button", name="People here")
    await press(page, "Shift+F6", "Shift+Tab", "Shift+Tab")
    await expect(people).to_be_focused()
    await press(page, "Enter")
    await expect(people).to_have_attribute("aria-expanded", "true")
    close = page.get_by_role("button", name="Close the list of people")
    await press(page, "Shift+F6")
    await expect(close).to_be_focused()
    await press(page, "Escape")
    await expect(people).to_be_focused()
    await expect(people).to_have_attribute("aria-expanded", "false")

    await press(page, "?")
    keys = page.get_by_role("dialog", name="Keys")
    await expect(keys.get_by_role("row", name="Jump to a room")).to_be_visible()
    await press(page, "Escape")
    await expect(keys).to_have_count(0)
    await expect(people).to_be_focused()

    # Rooms, unread rooms, and the keys of rooms win over that of edits in an empty field.
    order = slugs_in("[data-section]:not([data-section=archived])")
    for key, step in (("ArrowDown", 1), ("ArrowUp", -1)):
        slugs: list[str] = await page.evaluate(order)
        before = page.url.split("/")[-2]
        await press(page, f"Alt+{key}")
        await page.wait_for_url(f"**/rooms/{slugs[(slugs.index(before) + step) % len(slugs)]}/")
        await ready(page)
    await expect(page.locator(".editor")).to_have_count(0)
    unread: list[str] = await page.evaluate(slugs_in("[data-section=unread]"))
    assert rooms.full in unread
    await press(page, "Alt+Shift+ArrowDown")
    await page.wait_for_url(re.compile("|".join(f"/rooms/{slug}/$" for slug in unread)))
