"""The page of rooms in all its states is judged by axe, in light, dark, forced colours and on a phone."""

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.accessible import Audit, audited, modes
from tests.support.chat_page import in_shell, ready
from tests.support.cluster import Cluster
from tests.support.room_states import Rooms, make_rooms

pytestmark = [pytest.mark.browser, pytest.mark.cluster]


@pytest.fixture
async def rooms(cluster: Cluster) -> Rooms:
    return await make_rooms(cluster)


async def enter(page: Page, cluster: Cluster, slug: str) -> None:
    await page.goto(f"{cluster.url}/rooms/{slug}/")
    await ready(page)


async def open_tools(page: Page, audit: Audit, row: Locator) -> None:
    """The toolbar of a message under the pointer; under a finger its sheet."""
    await row.scroll_into_view_if_needed()
    if not audit.is_phone:
        await row.hover()
        await expect(row.get_by_role("toolbar")).to_be_visible()
        await audit.look(page, "the tools of a message")
        return
    box = await row.bounding_box()
    assert box is not None
    touch = await page.context.new_cdp_session(page)
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    await expect(page.get_by_role("dialog", name="Message")).to_be_visible()
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    await audit.look(page, "the sheet of a message")
    await page.keyboard.press("Escape")


async def send(page: Page, text: str) -> None:
    await page.locator("#body").fill(text)
    await page.get_by_role("button", name="Send", exact=True).click()


async def look_at_messages(page: Page, audit: Audit) -> None:
    """The open room as it is, and what its messages can show."""
    await expect(page.locator("[data-role=news]")).to_be_visible()
    await audit.look(page, "new messages, and the bar")
    await page.locator("[data-role=news-latest]").click()
    log = page.locator("[data-role=log]")
    await log.evaluate("log => { log.scrollTop = 0; }")
    await expect(page.get_by_role("button", name="Latest")).to_be_visible()
    await audit.look(page, "old messages, code, folds, deleted runs, right-to-left text")
    await page.locator(".unfold").first.click()
    await audit.look(page, "an unfolded text")
    await open_tools(page, audit, page.locator(".message", has_text="New words, number 23."))
    await page.locator("#body").focus()
    await page.keyboard.press("ArrowUp")  # Shows the last own message, which is out of sight.
    await expect(page.locator(".message", has_text="My own first words.")).to_be_in_viewport()
    await page.keyboard.press("ArrowUp")
    editor = page.locator(".editor textarea")
    await expect(editor).to_be_focused()
    await audit.look(page, "an edit")
    await editor.fill("My own first words, changed.")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("group", name="Discard changes?")).to_be_visible()
    await audit.look(page, "the question about an edit")
    await page.get_by_role("button", name="Discard", exact=True).click()
    await page.locator(".message", has_text="New words, number 23.").focus()
    await page.keyboard.press("Delete")
    await audit.look(page, "the question about a message of somebody else")
    await page.get_by_role("button", name="Cancel").click()


async def look_at_writing(page: Page, audit: Audit) -> None:
    """The field, posts that wait or were refused, and the band."""
    field = page.locator("#body")
    await field.fill("x" * 4005)
    await expect(page.locator("[data-role=counter]")).to_be_visible()
    await audit.look(page, "a text that is too long")
    await field.fill("a draft")
    if audit.is_phone:
        await page.get_by_role("button", name="Formats").click()
        await audit.look(page, "the formats")
        await page.get_by_role("button", name="Formats").click()
    await page.get_by_role("button", name="Emoji").click()
    await expect(page.get_by_role("dialog", name="Emoji")).to_be_visible()
    await audit.look(page, "the emoji")
    await page.get_by_role("combobox", name="Search emoji").fill("tree")
    await audit.look(page, "emoji that were found")
    await page.keyboard.press("Escape")
    await send(page, "z" + "\N{COMBINING ACUTE ACCENT}" * 60)
    await expect(page.locator(".is-failed")).to_be_visible()
    await page.context.set_offline(True)
    await send(page, "A post that waits.")
    await expect(page.locator(".is-pending .sending")).to_be_visible()
    await expect(page.locator("[data-role=strip]")).to_contain_text("Offline. 1 message waits.")
    await audit.look(page, "offline: the band, a post that waits, and one that was refused")
    await field.fill("A draft.")
    if audit.is_phone:
        await page.get_by_role("link", name="Rooms").click()
    await page.get_by_role("button", name="Account of").click()
    await page.locator("#account-menu").get_by_role("button", name="Sign out").click()
    await expect(page.locator("#sign-out")).to_be_visible()
    await audit.look(page, "the question about text that is not sent")
    await page.get_by_role("button", name="Stay signed in").click()
    await page.context.set_offline(False)


DIALOGS = ["Members", "Room settings", "Leave"]


async def look_at_dialogs(page: Page, audit: Audit) -> None:
    menu = page.get_by_role("button", name="This room")
    await menu.click()
    await audit.look(page, "the menu of the room")
    await page.keyboard.press("Escape")
    for name in DIALOGS:
        await menu.click()
        await page.get_by_role("menuitem", name=name).click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        if name == "Members":
            await expect(page.get_by_role("dialog").locator(".member")).to_have_count(4)
        await audit.look(page, f"the dialog {name}")
        if name == "Members":
            await page.get_by_role("dialog").get_by_role("button", name="bert").click()
            await audit.look(page, "the menu of a member")
            await page.get_by_role("menuitem", name="Remove").click()
            await audit.look(page, "the question about a member")
            await page.keyboard.press("Escape")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="People here").click()
    await expect(page.locator("#people li")).to_have_count(1)
    await audit.look(page, "the people")
    await page.get_by_role("button", name="Close the list of people").click()
    await page.locator("#log").focus()
    await page.keyboard.press("?")
    await audit.look(page, "the keys")
    await page.keyboard.press("Escape")


async def look_at_list(page: Page, audit: Audit, rooms: Rooms) -> None:
    await expect(page.locator(f"#rooms li[data-slug={rooms.full}]")).to_be_visible()
    await page.locator("#rooms summary").click()
    await audit.look(page, "the list of rooms")
    await page.get_by_role("combobox", name="Jump to a room").click()
    await expect(page.get_by_role("listbox")).to_be_visible()
    await audit.look(page, "the field that jumps to a room")
    await page.keyboard.type("no such room at all")
    await audit.look(page, "no room found")
    await page.keyboard.press("Escape")
    more = page.locator(f"#rooms li[data-slug={rooms.empty}]").get_by_role("button")
    await more.press("Enter")
    await audit.look(page, "the menu of a row")
    await page.get_by_role("menuitem", name="Mute").click()
    await expect(page.locator(f"#rooms li[data-slug={rooms.empty}]").get_by_role("img", name="muted")).to_be_visible()
    await more.press("Enter")
    await page.get_by_role("menuitem", name="Add to favourites").click()
    await expect(page.get_by_role("heading", name="Favourites")).to_be_visible()
    await audit.look(page, "a muted room, and a favourite")
    for button in ("Browse rooms", "New room"):
        await page.get_by_role("button", name=button).click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await audit.look(page, f"the dialog {button}")
        if button == "New room":
            await page.get_by_role("dialog").get_by_role("button", name="Make the room").click()
            await audit.look(page, "a room without a title")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="Account of").click()
    await audit.look(page, "the menu of the account")
    await page.keyboard.press("Escape")


@pytest.mark.parametrize("mode", modes("light", "phone"))
async def test_axe_finds_nothing_in_any_state_of_an_open_room(
    browser: Browser, cluster: Cluster, rooms: Rooms, mode: str
) -> None:
    async with audited(browser, cluster, mode, rooms.cookie) as (audit, page):
        await enter(page, cluster, rooms.full)
        await look_at_messages(page, audit)
        await look_at_dialogs(page, audit)
        await look_at_writing(page, audit)


@pytest.mark.parametrize("mode", modes("light", "phone"))
async def test_axe_finds_nothing_in_lists_and_rooms_without_a_talk(
    browser: Browser, cluster: Cluster, rooms: Rooms, mode: str
) -> None:
    async with audited(browser, cluster, mode, rooms.cookie) as (audit, page):
        await page.goto(f"{cluster.url}/")
        await look_at_list(page, audit, rooms)
        await enter(page, cluster, rooms.empty)
        await audit.look(page, "an empty room")
        await enter(page, cluster, rooms.archived)
        await audit.look(page, "an archived room")
        await enter(page, cluster, rooms.private)
        await audit.look(page, "a private room of others, for a reader")
        await enter(page, cluster, rooms.doomed)
        delete = f"from chat.models import Room; Room.objects.get(slug={rooms.doomed!r}).delete()"
        await in_shell(cluster, delete)
        await expect(page.get_by_text("This room was deleted.")).to_be_visible()
        await audit.look(page, "a room that was deleted")
