"""Menus, dialogs and the field that jumps to a room: by keyboard, and on a phone."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from tests.support.chat_page import Open, in_shell, make_room, ready, says, write_lines
from tests.support.cluster import Cluster
from tests.support.dialogs import dialog, open_menu_item, press, room_of

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 700},
    "has_touch": True,
    "is_mobile": True,
    "reduced_motion": "reduce",
}
STAYS = "globalThis.stays = true"  # Gone after a page load.


async def test_the_menu_and_its_dialogs_work_by_keyboard(cluster: Cluster, open_room: Open) -> None:
    _, page = await room_of(cluster, open_room)
    button = page.get_by_role("button", name="This room")
    await button.focus()
    await press(page, "ArrowUp")
    menu = page.get_by_role("menu", name="This room")
    await expect(menu.get_by_role("menuitem", name="Leave")).to_be_focused()
    await expect(button).to_have_attribute("aria-expanded", "true")
    await press(page, "ArrowDown")
    await expect(menu.get_by_role("menuitem", name="Members")).to_be_focused()
    await press(page, "r")
    await expect(menu.get_by_role("menuitem", name="Room settings")).to_be_focused()
    await press(page, "Escape")
    await expect(menu).to_have_count(0)
    await expect(button).to_be_focused()
    await expect(button).to_have_attribute("aria-expanded", "false")

    await open_menu_item(page, "Room settings")
    await expect(page.get_by_label("Title")).to_be_focused()
    await press(page, "Escape")
    await expect(page.locator("dialog[open]")).to_have_count(0)
    await expect(button).to_be_focused()

    # What was typed is discarded only when asked; a click beside the dialog asks as well.
    await open_menu_item(page, "Room settings")
    await page.keyboard.type(" and more")
    await expect(page.get_by_label("Title")).to_have_value(re.compile(r"^Dialog-.* and more$"))
    await press(page, "Escape")
    await expect(page.get_by_role("button", name="Keep writing")).to_be_focused()
    await press(page, "Enter")
    await page.mouse.click(5, 5)
    await press(page, "Escape")
    await expect(page.get_by_label("Title")).to_be_focused()
    await press(page, "Escape", "Tab", "Enter")
    await expect(page.locator("dialog[open]")).to_have_count(0)
    await expect(button).to_be_focused()


async def test_an_open_menu_stays_while_messages_come_and_scroll(cluster: Cluster, open_room: Open) -> None:
    slug, page = await room_of(cluster, open_room)
    await page.get_by_role("button", name="This room").press("Enter")
    first = page.get_by_role("menuitem", name="Members")
    await expect(first).to_be_focused()
    await write_lines(cluster, slug, range(60))
    await says(page, "line 59.")
    assert await page.evaluate("document.querySelector('[data-role=log]').scrollTop") > 0
    await expect(first).to_be_focused()


async def test_a_room_is_found_made_and_left_without_a_page_load(cluster: Cluster, open_room: Open) -> None:
    slug, page = await room_of(cluster, open_room)
    await page.evaluate(STAYS)
    title = f"Ärger {slug[-4:]}"
    await press(page, "Control+k")
    field = page.get_by_role("combobox", name="Jump to a room")
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-expanded", "true")
    await press(page, "ArrowUp")
    options = page.get_by_role("listbox").get_by_role("option")
    await expect(options.last).to_have_text("New room")
    await expect(options.last).to_have_attribute("aria-selected", "true")
    await press(page, "Enter")
    await page.keyboard.type(title)
    await press(page, "Enter")
    await expect(page.locator("[data-role=title]")).to_have_text(title)
    await expect(page.locator("#rooms [aria-current] bdi", has_text=title)).to_be_visible()

    # By the beginning of a word, without accents; Escape goes back.
    await press(page, "Control+k", "Escape")
    await expect(field).not_to_be_focused()
    await press(page, "Control+k")
    await page.keyboard.type(slug[-4:])
    await expect(options.first).to_have_text(title)
    await page.keyboard.type(" no such room")
    await expect(options).to_have_text(["Browse rooms", "New room"])
    await field.fill("arger " + slug[-4:])
    await expect(options.first).to_have_attribute("aria-selected", "true")
    await expect(field).to_have_attribute("aria-activedescendant", await options.first.get_attribute("id") or "")
    await press(page, "Enter")
    await expect(page.locator("[data-role=title]")).to_have_text(title)

    # Left, the room is found again among those to browse.
    row = page.locator("#rooms li", has_text=title)
    await open_menu_item(page, "Leave")
    await expect(page.get_by_role("button", name="Stay")).to_be_focused()
    await press(page, "Tab", "Enter")
    await expect(row).to_have_count(0)
    assert page.url == f"{cluster.url}/"
    await page.get_by_role("button", name="Browse rooms").press("Enter")
    await page.get_by_label("Search").fill("arger " + slug[-4:])
    await press(page, "Tab", "Enter")
    await expect(row).to_be_visible()
    await expect(page.locator("[data-role=title]")).to_have_text(title)
    assert await page.evaluate("globalThis.stays")


async def test_the_row_of_a_room_has_a_menu_that_enters_no_room(cluster: Cluster, open_room: Open) -> None:
    slug, page = await room_of(cluster, open_room)
    other = f"other-{uuid4().hex[:8]}"
    await make_room(cluster, other)
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda text: sent.append(str(text))))
    await page.reload()
    await ready(page)
    row = page.locator(f"#rooms li[data-slug={other}]")
    more = row.get_by_role("button", name="Actions")
    await more.press("Enter")
    await page.get_by_role("menuitem", name="Add to favourites").press("Enter")
    favourites = page.locator("#rooms [data-section=favourites]")
    await expect(favourites.locator(f"li[data-slug={other}]")).to_be_visible()
    await more.press("Enter")
    await page.get_by_role("menuitem", name="Mute").press("Enter")
    await expect(row.get_by_role("img", name="muted")).to_be_visible()
    await more.press("Enter")
    await expect(page.get_by_role("menuitem", name="Unmute")).to_be_visible()
    await page.get_by_role("menuitem", name="Leave").press("Enter")
    await dialog(page, "leave").get_by_role("button", name="Leave").press("Enter")
    await expect(row).to_have_count(0)
    assert page.url.endswith(f"/rooms/{slug}/"), "the room that is shown stays"
    commands = [(frame["type"], frame.get("topic")) for frame in map(json.loads, sent)]
    assert ("room.mute", f"room/{other}") in commands
    assert ("join", f"room/{other}") not in commands


async def test_members_come_in_pages_and_are_managed(cluster: Cluster, open_room: Open) -> None:
    slug, page = await room_of(cluster, open_room, members=110)
    await open_menu_item(page, "Members")
    rows = dialog(page, "members").locator(".member")
    await expect(rows).to_have_count(100)
    await expect(rows.first).to_contain_text("mona")
    await expect(rows.first).to_contain_text("moderator")
    search = page.get_by_label("Search")
    await expect(search).to_be_focused()
    await page.keyboard.type("member-109")
    await expect(rows).to_have_count(0)
    await expect(dialog(page, "members")).to_contain_text("Only the loaded part")
    await page.get_by_role("button", name="More", exact=True).press("Enter")
    await expect(rows).to_have_count(1)
    await rows.get_by_role("button").press("Enter")
    await page.get_by_role("menuitem", name="Make moderator").press("Enter")
    await expect(rows).to_contain_text("moderator")
    await search.fill("member-108")
    await rows.get_by_role("button").press("Enter")
    await page.get_by_role("menuitem", name="Remove").press("Enter")
    await expect(rows.get_by_role("button", name="Keep")).to_be_focused()
    await press(page, "Escape")
    await expect(rows.get_by_role("button", name="member-108")).to_be_focused()
    await press(page, "Enter")
    await page.get_by_role("menuitem", name="Remove").press("Enter")
    await press(page, "Tab", "Enter")
    await expect(rows).to_have_count(0)
    await search.fill("")
    await expect(rows).to_have_count(110)
    await page.get_by_label("Invite by name").fill("member-108")
    await press(page, "Enter")
    await expect(dialog(page, "members")).to_contain_text("Invited: member-108")
    await expect(rows).to_have_count(111)
    code = f"""
        from chat.models import Membership
        moderators = Membership.objects.filter(room__slug={slug!r}, role="moderator")
        print(*sorted(moderators.values_list("user__username", flat=True)))
        """
    assert cluster.shell(code).split() == ["member-109", "mona"]


async def test_settings_show_what_somebody_else_changes_and_keep_it(cluster: Cluster, open_room: Open) -> None:
    slug, page = await room_of(cluster, open_room)
    await open_menu_item(page, "Room settings")
    title, description = page.get_by_label("Title"), page.get_by_label("Description")
    await title.fill("Ours")
    change = f"""
        from chat import services
        from chat.models import Room
        services.change_room(room_id=Room.objects.get(slug={slug!r}).pk, title="Theirs", description="Of others")
        """
    await in_shell(cluster, change)
    await expect(description).to_have_value("Of others")
    await expect(title).to_have_value("Ours")
    await expect(title).to_have_accessible_description("Somebody else has changed this just now, to: Theirs")
    await description.press("Enter")
    await expect(page.locator("dialog[open]")).to_have_count(0)
    await expect(page.locator("[data-role=title]")).to_have_text("Ours")
    await expect(page.locator("[data-role=description]")).to_have_text("Of others")


async def test_on_a_phone_menus_and_dialogs_are_sheets(cluster: Cluster, open_room: Open) -> None:
    _, page = await room_of(cluster, open_room, 12, **PHONE)
    button = page.get_by_role("button", name="This room")
    await button.tap()
    item = page.get_by_role("menuitem", name="Members")
    place = await item.bounding_box()
    assert place is not None
    assert place["height"] >= 44
    sheet = await page.locator(".popup-box").bounding_box()
    assert sheet is not None
    assert (sheet["x"], sheet["width"], sheet["y"] + sheet["height"]) == (0, 360, 700)
    await expect(page.get_by_role("heading", name="This room")).to_be_visible()
    await page.touchscreen.tap(180, 30)
    await expect(item).to_have_count(0)
    await button.tap()
    await item.tap()
    found = dialog(page, "members")
    await expect(found.locator(".member")).to_have_count(13)
    await expect(found.get_by_role("button", name="Close")).to_be_focused()
    sheet = await found.bounding_box()
    assert sheet is not None
    assert (sheet["x"], sheet["width"], sheet["y"] + sheet["height"]) == (0, 360, 700)
    for each in await found.get_by_role("button").all():
        box = await each.bounding_box()
        assert box is not None
        assert box["height"] >= 40, await each.inner_text()
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    await found.locator(".member").last.get_by_role("button").tap()
    await page.get_by_role("menuitem", name="Remove").tap()
    await found.get_by_role("button", name="Keep").tap()
    await expect(found.locator(".member")).to_have_count(13)
    await page.touchscreen.tap(180, 10)
    await expect(page.locator("dialog[open]")).to_have_count(0)
    await back_closes_what_lies_over_the_room(page)


async def back_closes_what_lies_over_the_room(page: Page) -> None:
    await page.locator(".rooms-back").tap()
    await page.locator(".rooms-link").first.tap()
    address = page.url
    for name in ("This room", "People here"):
        await page.get_by_role("button", name=name).tap()
        over = page.locator("#popup, #people:not([hidden])")
        await expect(over).to_be_visible()
        await page.go_back()
        await expect(over).to_have_count(0)
        await expect(page.locator(".talk")).to_be_visible()
        assert page.url == address
    await open_menu_item(page, "Members")
    await page.go_back()
    await expect(page.locator("dialog[open]")).to_have_count(0)
    assert page.url == address
    await page.go_back()
    await expect(page.locator(".talk")).to_be_hidden()
