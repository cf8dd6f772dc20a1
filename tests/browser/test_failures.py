"""Each failure is said in one sentence, and nothing that was typed is lost."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.chat_page import Open, cookie_of, in_shell, make_room, post, ready, says
from tests.support.cluster import Cluster
from tests.support.dialogs import dialog, open_menu_item, room_of
from tests.support.mangling import MANGLE
from tests.support.tabs import Cut, is_saved, tabs_of

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

LOST = "The connection was lost; try again."
STRIP = "[data-role=strip-text]"
EDITOR = ".editor textarea"


async def act(page: Page, link: Cut, command: str, *, is_done: bool = False) -> None:
    """Let the connection end in the middle of the next command of this type."""
    await page.wait_for_selector("html[data-state=open]")
    link.arm(command, is_done=is_done)


async def tool(page: Page, body: str, name: str) -> None:
    row = page.locator(".message", has_text=body)
    await row.hover()
    await row.locator(f"[data-role={name}]").click()


async def edit_last(page: Page, text: str) -> None:
    await page.locator("#body").press("ArrowUp")
    await page.locator(EDITOR).fill(text)


async def write_and_edit(page: Page, link: Cut) -> None:
    await act(page, link, "message.post")
    await post(page, "one")
    await is_saved(page, "one")
    await act(page, link, "message.post", is_done=True)
    await post(page, "two")
    await is_saved(page, "one", "two")

    await act(page, link, "message.edit")
    await edit_last(page, "two, better")
    await page.keyboard.press("Enter")
    await expect(page.locator(".editor [data-role=problem]")).to_have_text(f"Not saved. {LOST}")
    await expect(page.locator(EDITOR)).to_have_value("two, better")
    await act(page, link, "message.edit", is_done=True)
    await page.keyboard.press("Enter")
    await is_saved(page, "one", "two, better (edited)")  # Its answer was lost: the page sees that it is saved.
    await expect(page.locator(EDITOR)).to_have_count(0)


async def mark(page: Page, link: Cut) -> None:
    strip = page.locator(STRIP)
    for command, name in (("room.favourite", "Add to favourites"), ("room.mute", "Mute")):
        await act(page, link, command)
        await open_menu_item(page, name)
        await expect(strip).to_have_text(LOST)
    await act(page, link, "room.unread")
    await tool(page, "two", "unread")
    await expect(strip).to_have_text(f"Not marked. {LOST}")


async def delete_and_undo(page: Page, link: Cut) -> None:
    strip = page.locator(STRIP)
    await act(page, link, "message.delete")
    await tool(page, "two", "delete")
    await expect(strip).to_have_text(f"Not deleted. {LOST}")
    await page.wait_for_selector("html[data-state=open]")
    await tool(page, "two", "delete")
    await act(page, link, "message.restore")
    await page.locator("#body").fill("three")
    await page.get_by_role("button", name="Undo").click()
    await expect(strip).to_have_text("Not restored. Your text is in the field for a new message.")
    await expect(page.locator("#body")).to_have_value("three\ntwo, better")


async def invite_and_remove(page: Page, link: Cut, name: str) -> None:
    await act(page, link, "member.invite", is_done=True)
    await open_menu_item(page, "Members")
    members = dialog(page, "members")
    await page.get_by_label("Invite by name").fill(name)
    await page.keyboard.press("Enter")
    await expect(members.locator("[data-role=problem]")).to_have_text(LOST)
    await expect(page.get_by_label("Invite by name")).to_have_value(name)
    await page.wait_for_selector("html[data-state=open]")
    await page.get_by_label("Invite by name").press("Enter")
    await expect(members).to_contain_text(f"Invited: {name}")
    await act(page, link, "member.remove", is_done=True)
    await members.locator(".member", has_text=name).get_by_role("button").click()
    await page.get_by_role("menuitem", name="Remove").click()
    await members.locator("[data-role=remove-now]").click()
    await expect(members.locator("[data-role=problem]")).to_have_text(LOST)
    await page.wait_for_selector("html[data-state=open]")
    await members.locator("[data-role=remove-now]").click()
    await expect(members.locator(".member")).to_have_count(1)
    await page.keyboard.press("Escape")


async def leave(page: Page, link: Cut) -> None:
    await act(page, link, "room.leave", is_done=True)
    await open_menu_item(page, "Leave")
    await dialog(page, "leave").get_by_role("button", name="Leave").click()
    await expect(dialog(page, "leave").locator("[data-role=problem]")).to_have_text(LOST)
    await page.wait_for_selector("html[data-state=open]")
    await dialog(page, "leave").get_by_role("button", name="Leave").click()


async def test_a_connection_that_ends_in_the_middle_of_each_command(cluster: Cluster, open_room: Open) -> None:
    _, page = await room_of(cluster, open_room)
    link = Cut()
    await page.route_web_socket("**/ws/chat/", link.begin)
    await page.reload()
    await ready(page)
    name = f"dave-{uuid4().hex[:6]}"
    await asyncio.to_thread(cookie_of, cluster, name)
    await write_and_edit(page, link)
    await mark(page, link)
    await delete_and_undo(page, link)
    await invite_and_remove(page, link, name)
    await leave(page, link)
    await page.wait_for_url(f"{cluster.url}/")


async def test_an_extension_that_mangles_the_page_loses_nothing(cluster: Cluster, open_room: Open) -> None:
    slug = f"mangled-{uuid4().hex[:8]}"
    await make_room(cluster, slug)
    page, other = await open_room(cluster, "alice", slug), await open_room(cluster, "bob", slug)
    for text in ("one", "two"):
        await post(page, text)
        await says(other, text)
    await edit_last(page, "two, but better")
    await page.locator("#body").fill("half a thought")
    await page.evaluate(MANGLE)
    await post(other, "three")
    await says(page, "three")
    await expect(page.locator(STRIP)).to_have_text(
        "An extension of the browser changes this page. Reload the page if something is missing."
    )
    await expect(page.locator(".message .message-body")).to_have_text(["one", "three"])
    await expect(page.locator("#body")).to_have_value("half a thought")
    await expect(page.locator(EDITOR)).to_have_value("two, but better")
    await page.evaluate(MANGLE)
    await page.locator(EDITOR).press("Enter")
    await page.locator("#body").press("Enter")
    for shown in (page, other):
        await is_saved(shown, "one", "two, but better (edited)", "three", "half a thought")

    # A dialog, too.
    await open_menu_item(page, "Leave")
    await page.keyboard.press("Escape")


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Cluster]:
    """A site where a user may have three sockets."""
    with Cluster(tmp_path, processes=1, HUBBUB_MAX_SOCKETS_PER_USER="3") as site:
        yield site


async def test_a_tab_too_many_says_so_and_keeps_what_is_typed(browser: Browser, narrow: Cluster) -> None:
    cookie = await asyncio.to_thread(cookie_of, narrow, "alice")
    async with AsyncExitStack() as stack, tabs_of(browser, narrow, "alice") as tabs:
        for _ in range(3):
            await stack.enter_async_context(narrow.client(cookie=cookie))
        page = await tabs.open("/rooms/general/")
        strip = page.locator(STRIP)
        await expect(strip).to_have_text("Too many pages are open. Close some of them.")
        await post(page, "typed in one tab too many")
        await expect(page.locator(".message.is-pending")).to_contain_text("typed in one tab too many")
        await expect(page.get_by_role("button", name="Connect again")).to_be_visible()
        await page.locator("#body").fill("half a thought")
        await page.reload()
        await expect(strip).to_have_text("Too many pages are open. Close some of them. 1 message waits.")
        await expect(page.locator("#body")).to_have_value("half a thought")
        await stack.aclose()
        again = page.get_by_role("button", name="Connect again")
        await again.click()
        await is_saved(page, "typed in one tab too many")
        await expect(page.locator("#body")).to_have_value("half a thought")


async def test_a_room_that_closes_under_an_edit_keeps_its_text(cluster: Cluster, open_room: Open) -> None:
    slug = f"closes-{uuid4().hex[:8]}"
    await make_room(cluster, slug)
    page = await open_room(cluster, "alice", slug)
    await post(page, "one")
    await is_saved(page, "one")
    await edit_last(page, "one, but better")
    await page.locator("#body").fill("half a thought")
    code = f"from chat import services; from chat.models import Room; room = Room.objects.get(slug={slug!r}); "
    await in_shell(cluster, f"{code} services.change_room(room_id=room.pk, is_archived=True)")
    archived = "This room is archived: you can read, but not write."
    await expect(page.locator(".editor [data-role=why]")).to_have_text(archived)
    await expect(page.locator(EDITOR)).to_have_value("one, but better")
    await expect(page.locator(".editor").get_by_role("button", name="Copy your text")).to_be_visible()
    await page.locator(EDITOR).press("Enter")
    await expect(page.locator(EDITOR)).to_have_value("one, but better")
    await in_shell(cluster, f"{code} room.delete()")
    await expect(page.locator("[data-role=closed-text]")).to_have_text("This room was deleted.")
    offer = page.locator(".edit-offer")
    await expect(offer).to_contain_text("one, but better")
    await expect(offer.get_by_role("button")).to_have_text(["Copy your text", "Discard your text"])
    await expect(page.locator(".composer [data-role=why]")).to_have_text("You cannot write here any more.")
    await expect(page.locator("#body")).to_have_value("half a thought")


async def end_session(page: Page, cluster: Cluster) -> None:
    [cookie] = [cookie for cookie in await page.context.cookies() if cookie["name"] == "sessionid"]
    end = f"from django.contrib.sessions.models import Session; Session.objects.get(pk={cookie['value']!r}).delete()"
    await in_shell(cluster, end)


async def sign_in(page: Page, cluster: Cluster, name: str) -> None:
    """As in another tab: the browser has a new session, and a new token for forms."""
    cookie = (await asyncio.to_thread(cluster.make_user, name))["cookie"]
    host = urlsplit(cluster.url).hostname
    await page.context.clear_cookies(name="csrftoken")
    await page.context.add_cookies([{"name": "sessionid", "value": cookie, "domain": host, "path": "/"}])


async def test_a_session_that_ends_under_a_dialog_keeps_what_was_typed(cluster: Cluster, open_room: Open) -> None:
    _, page = await room_of(cluster, open_room)
    await page.get_by_role("button", name="New room").press("Enter")
    create = dialog(page, "create")
    title = f"Tea {uuid4().hex[:6]}"
    await page.get_by_label("Title").fill(title)
    await end_session(page, cluster)
    await expect(create.locator("[data-role=problem]")).to_have_text(
        "You are signed out. Sign in in another tab. What you typed stays here."
    )
    await page.evaluate("dispatchEvent(new Event('focus'))")  # Back, but not signed in.
    await expect(create.locator("[data-role=problem]")).to_contain_text("You are signed out.")
    await sign_in(page, cluster, "mona")
    await page.evaluate("dispatchEvent(new Event('focus'))")
    await page.wait_for_selector("html[data-state=open]")
    await expect(create.locator("[data-role=problem]")).to_have_text("")
    await page.get_by_label("Title").press("Enter")
    await expect(page.locator("[data-role=title]")).to_have_text(title)


async def test_an_account_page_whose_form_cannot_be_sent_keeps_what_was_typed(
    browser: Browser, cluster: Cluster
) -> None:
    name = f"ada-{uuid4().hex[:6]}"
    async with tabs_of(browser, cluster, name) as tabs:
        page = await tabs.open("/account/")
        field, save = page.get_by_label("Status"), page.get_by_role("button", name="Save the profile")
        await field.fill("Back on Monday")
        await page.route("**/account/", lambda route: route.abort())
        await save.click()
        problem = page.locator("[data-role=unsent]")
        stays = "What you typed stays here:"
        await expect(problem).to_have_text(f"The server did not answer. {stays} try again in a moment.")
        await page.unroute("**/account/")
        await end_session(page, cluster)
        await save.click()
        await expect(problem).to_have_text(f"You are signed out. {stays} sign in again in another tab, then save it.")
        await sign_in(page, cluster, name)
        await expect(field).to_have_value("Back on Monday")
        await save.click()
        await expect(page.get_by_text("Your profile is saved.")).to_be_visible()
        await expect(field).to_have_value("Back on Monday")
