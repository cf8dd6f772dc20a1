"""Rooms by people on the page: typing, undo, and the dialogs of a room. Two users on the processes of a site."""

from uuid import uuid4

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.chat_page import MESSAGE, SECONDS, Open, in_shell, make_room, post, process_of, ready, says
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.browser, pytest.mark.cluster]


async def allow(cluster: Cluster, name: str) -> None:
    code = f"""
        from django.contrib.auth import get_user_model
        from django.contrib.auth.models import Permission
        user = get_user_model().objects.get(username={name!r})
        user.user_permissions.add(Permission.objects.get(codename="add_room"))
        """
    await in_shell(cluster, code)


async def choose(page: Page, name: str) -> None:
    """Choose a command of the room's menu."""
    await page.get_by_role("button", name="This room").click()
    await page.get_by_role("menuitem", name=name).click()


async def on_another_process(page: Page, other: Page) -> None:
    for _ in range(40):
        if await process_of(page) != await process_of(other):
            return
        await other.reload()
        await ready(other)
    raise AssertionError("both pages stay on one process")


async def remove_last(page: Page) -> None:
    """By mouse: after a click Firefox does not show a focus that a script sets."""
    message = page.locator(".message.is-own").last
    await message.hover()
    await message.get_by_role("button", name="Delete").click()


async def test_typing_shows_on_another_process_and_ends_with_the_message(cluster: Cluster, open_room: Open) -> None:
    await make_room(cluster, "typing")
    alice, bob = await open_room(cluster, "alice", "typing"), await open_room(cluster, "bob", "typing")
    await on_another_process(alice, bob)
    line = bob.locator("[data-role=typing]")
    await expect(line).to_have_attribute("aria-live", "off")
    before = await bob.locator(".composer").bounding_box()
    await alice.locator("#body").press_sequentially("Hello")
    await expect(line).to_have_text("\u2068alice\u2069 is typing…")
    await expect(alice.locator("[data-role=typing]")).to_have_text("")
    assert await bob.locator(".composer").bounding_box() == before, "the line is reserved"
    await alice.keyboard.press("Enter")
    await says(bob, "Hello")
    await expect(line).to_have_text("", timeout=2_000)


async def test_a_deletion_is_undone(cluster: Cluster, open_room: Open) -> None:
    await make_room(cluster, "undo")
    alice, bob = await open_room(cluster, "alice", "undo"), await open_room(cluster, "bob", "undo")
    await post(alice, "Not so fast.")
    await says(bob, "Not so fast.")
    await remove_last(alice)
    await expect(bob.locator(MESSAGE).last).to_have_text("message deleted")
    undo = alice.locator("[data-role=undo-button]")
    await undo.click()
    await says(bob, "Not so fast.")
    await expect(bob.locator(MESSAGE).last).not_to_contain_text("(edited)")
    await remove_last(alice)
    await expect(undo).to_be_visible()
    await expect(undo).to_be_hidden(timeout=8_000)


async def to_members_instead_of_leaving(alone: Page) -> None:
    await choose(alone, "Leave")
    leave = alone.locator("[data-role=leave-dialog]")
    await expect(leave.get_by_role("button", name="Archive the room")).to_be_visible()
    await leave.get_by_role("button", name="Open members").click()
    await expect(leave).to_have_count(0)


async def invite(alone: Page, dialog: Locator, name: str, own: str) -> None:
    """By the way of the dialogs: an unknown name, closing without a question, leaving that is refused at once."""
    await dialog.get_by_label("Invite by name").fill("nobody-at-all")
    await dialog.get_by_role("button", name="Invite").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Nobody here has the name")
    await alone.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await to_members_instead_of_leaving(alone)
    suggestions = dialog.locator("#invite-people option")
    await expect(suggestions.and_(alone.locator(f"[value={name}]"))).to_have_count(1)
    await expect(suggestions.and_(alone.locator(f"[value={own}]"))).to_have_count(0)
    await dialog.get_by_label("Invite by name").fill(name)
    await dialog.get_by_role("button", name="Invite").click()


async def test_a_room_is_made_shared_renamed_and_left(cluster: Cluster, open_room: Open) -> None:
    number = uuid4().hex[:8]
    own, other = f"alice-{number}", f"bob-{number}"  # No other test allowed them anything, or renamed them.
    bob = await open_room(cluster, other)
    await expect(bob.locator("[data-role=create-open]:not([hidden])")).to_have_count(0)
    await post(bob, "Is there tea?")
    alice = await open_room(cluster, own)
    await allow(cluster, own)
    await alice.reload()
    await ready(alice)
    await alice.get_by_role("button", name="New room", exact=True).click()
    dialog = alice.locator("[data-role=create-dialog]")
    await dialog.get_by_label("Title").fill(f"Tea \u200b {number}")
    await dialog.get_by_label("Private").check()
    await dialog.get_by_role("button", name="Make the room").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("invisible character")
    await dialog.get_by_label("Title").fill(f"Tea {number}")
    await dialog.get_by_role("button", name="Make the room").click()
    await alice.wait_for_url(f"**/rooms/tea-{number}/", timeout=SECONDS)
    await ready(alice)

    await choose(alice, "Members")
    dialog = alice.locator("[data-role=members-dialog]")
    await expect(dialog.locator(".member")).to_have_count(1)
    await invite(alice, dialog, other, own)
    await expect(dialog.locator(".member")).to_have_count(2)
    await dialog.get_by_role("button", name="Close").click()
    await bob.goto(alice.url)
    await ready(bob)
    await bob.get_by_role("button", name="This room").click()
    await expect(bob.get_by_role("menuitem", name="Members")).to_be_visible()
    await expect(bob.get_by_role("menuitem", name="Room settings")).to_have_count(0)
    await bob.keyboard.press("Escape")

    await choose(alice, "Room settings")
    dialog = alice.locator("[data-role=settings-dialog]")
    await dialog.get_by_label("Title").fill(f"Coffee {number}")
    await dialog.get_by_role("button", name="Save").click()
    await expect(bob.locator("[data-role=title]")).to_have_text(f"Coffee {number}")

    await choose(alice, "Leave")
    dialog = alice.locator("[data-role=leave-dialog]")
    await expect(dialog).to_contain_text("You are its only moderator")
    await expect(dialog.get_by_role("button", name="Leave")).to_have_count(0)
    await dialog.get_by_role("button", name="Stay").click()
    await choose(bob, "Leave")
    await bob.locator("[data-role=leave-dialog]").get_by_role("button", name="Leave").click()
    await bob.wait_for_url(f"{cluster.url}/", timeout=SECONDS)
    await expect(bob.locator(".lobby-title", has_text=f"Coffee {number}")).to_have_count(0)
