"""The chat pages in a real browser, against real processes."""

import asyncio
import functools
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, WebSocketRoute, expect

from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

SECONDS = 30_000  # For what is waited for, in milliseconds.
MESSAGE = ".message .message-body"
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 4
CONNECTION = "document.documentElement.dataset.connection"
MOVED = f"first => document.documentElement.dataset.state === 'open' && {CONNECTION} !== first"

Open = Callable[..., Awaitable[Page]]


@pytest.fixture
async def open_room(browser: Browser) -> AsyncIterator[Open]:
    """Opens a room as somebody, in a browser of their own. Whatever goes wrong in the page fails the test."""
    contexts, problems = [], []

    async def open_page(cluster: Cluster, name: str, slug: str = "general", **options: Any) -> Page:
        cookie = await asyncio.to_thread(cookie_of, cluster, name)
        context = await browser.new_context(**options)
        contexts.append(context)
        host = urlsplit(cluster.url).hostname
        await context.add_cookies([{"name": "sessionid", "value": cookie, "domain": host, "path": "/"}])
        page = await context.new_page()
        page.set_default_timeout(SECONDS)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"a dialog: {dialog.message}"))
        await page.goto(f"{cluster.url}/rooms/{slug}/")
        await ready(page)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert problems == []


@functools.cache
def cookie_of(cluster: Cluster, name: str) -> str:
    return cluster.make_user(name)["cookie"]


async def process_of(page: Page) -> str:
    """The process that serves the page's socket, such as web-2."""
    connection: str = await page.evaluate(CONNECTION)
    return connection.split(":")[0]


async def ready(page: Page) -> None:
    await page.wait_for_selector("html[data-state=open] #room[data-ready=true]")


async def post(page: Page, text: str) -> None:
    await page.locator("#body").fill(text)
    await page.keyboard.press("Enter")


async def says(page: Page, text: str) -> None:
    """The page shows the message, saved and once."""
    await expect(page.locator(".message:not(.is-pending) .message-body", has_text=text)).to_have_count(
        1, timeout=SECONDS
    )


async def in_shell(cluster: Cluster, code: str) -> None:
    await asyncio.to_thread(cluster.shell, code)


async def make_room(cluster: Cluster, slug: str, messages: int = 0) -> None:
    await in_shell(cluster, f"from chat import services; services.create_room(slug={slug!r}, title={slug.title()!r})")
    if messages:
        await write_lines(cluster, slug, range(messages))


async def write_lines(cluster: Cluster, slug: str, numbers: range) -> None:
    code = f"""
        from uuid import uuid4
        from django.contrib.auth import get_user_model
        from chat import posting, services
        author, _ = get_user_model().objects.get_or_create(username="scribe")
        for number in {numbers!r}:
            posting.post_message(user_id=author.pk, slug={slug!r}, client_id=uuid4(), body=f"line {{number}}.")
        """
    await in_shell(cluster, code)


async def test_two_people_on_two_processes_talk_both_ways(cluster: Cluster, open_room: Open) -> None:
    alice, bob = await open_room(cluster, "alice"), await open_room(cluster, "bob")
    for _ in range(40):
        if await process_of(alice) != await process_of(bob):
            break
        await bob.reload()
        await ready(bob)
    assert await process_of(alice) != await process_of(bob)
    await post(alice, "Hello from one process.")
    await says(bob, "Hello from one process.")
    await post(bob, "And back from another.")
    await says(alice, "And back from another.")
    await says(alice, "Hello from one process.")


async def test_a_reload_keeps_the_history_and_the_draft(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    await post(page, "Still here after a reload.")
    await says(page, "Still here after a reload.")
    await page.locator("#body").fill("half a thou")
    await page.reload()
    await says(page, "Still here after a reload.")
    await expect(page.locator("#body")).to_have_value("half a thou")


async def test_edit_and_delete_by_keyboard_reach_the_other(cluster: Cluster, open_room: Open) -> None:
    alice, bob = await open_room(cluster, "alice"), await open_room(cluster, "bob")
    await post(alice, "A tpyo.")
    await says(bob, "A tpyo.")
    await alice.keyboard.press("ArrowUp")
    await alice.locator(".editor textarea").fill("A typo.")
    await alice.keyboard.press("Enter")
    await says(bob, "A typo.")
    await expect(bob.locator(MESSAGE, has_text="A typo.")).to_contain_text("(edited)")
    await alice.keyboard.press("ArrowUp")
    await alice.keyboard.press("Escape")
    await expect(alice.locator(".editor")).to_have_count(0)
    mine = alice.locator(".message", has_text="A typo.")
    await mine.locator("[data-role=delete]").focus()
    await alice.keyboard.press("Enter")
    await alice.get_by_role("button", name="Delete", exact=True).last.press("Enter")
    await expect(bob.locator(MESSAGE, has_text="A typo.")).to_have_count(0, timeout=SECONDS)
    await expect(bob.locator(MESSAGE).last).to_have_text("message deleted")
    assert await bob.locator(".message:not(.is-own) [data-role=delete]:visible").count() == 0, (
        "others' are not Bob's to delete"
    )


async def test_a_long_press_shows_what_can_be_done(cluster: Cluster, open_room: Open) -> None:
    phone = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
    page = await open_room(cluster, "alice", **phone)
    await post(page, "Press me.")
    await says(page, "Press me.")
    row = page.locator(".message", has_text="Press me.")
    await expect(row.locator(".message-actions")).to_have_css("opacity", "0")
    box = await row.bounding_box()
    assert box is not None
    touch = await page.context.new_cdp_session(page)
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    await expect(row.locator(".message-actions")).to_have_css("opacity", "1")
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    await row.get_by_role("button", name="Edit").tap()
    await expect(page.locator(".editor textarea")).to_have_value("Press me.")


async def test_shift_enter_breaks_the_line(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    height = (await page.locator("#body").bounding_box() or {})["height"]
    await page.locator("#body").focus()
    await page.keyboard.type("first line")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("second line")
    assert (await page.locator("#body").bounding_box() or {})["height"] > height
    await page.keyboard.press("Enter")
    await says(page, "second line")
    assert await page.locator(MESSAGE).last.inner_text() == "first line\nsecond line"


async def test_script_injection_by_a_message_stays_text(cluster: Cluster, open_room: Open) -> None:
    alice, bob = await open_room(cluster, "alice"), await open_room(cluster, "bob")
    attack = """<img src=x onerror=alert(1)><script>alert(2)</script> javascript:alert(3) "><svg/onload=alert(4)>"""
    await post(alice, attack)
    await says(bob, attack)
    body = bob.locator(MESSAGE, has_text=attack)
    assert await body.locator("*").count() == 0


async def test_addresses_become_safe_links(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    await post(page, "See https://example.org/a_(b), please.")
    link = page.locator(f"{MESSAGE} a", has_text="example.org")
    await expect(link).to_have_attribute("href", "https://example.org/a_(b)")
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


async def test_an_archived_room_says_so_at_once(cluster: Cluster, open_room: Open) -> None:
    await make_room(cluster, "closing", 1)
    page = await open_room(cluster, "alice", "closing")
    strip = page.get_by_text("This room is archived")
    await expect(strip).to_be_hidden()
    invitation = "getComputedStyle(document.getElementById('body'), '::placeholder').opacity"
    assert await page.evaluate(invitation) == "1"
    change = "from chat import services; from chat.models import Room; "
    change += "services.change_room(room_id=Room.objects.get(slug='closing').pk, is_archived=True, title='Closed')"
    await in_shell(cluster, change)
    await expect(strip).to_be_visible(timeout=SECONDS)
    await expect(page.locator("#body")).to_be_disabled()
    assert await page.evaluate(invitation) == "0"
    await expect(page.get_by_role("heading", name="Closed")).to_be_visible()
    await page.reload()
    await expect(strip).to_be_visible()
    await says(page, "line 0.")


async def test_an_empty_room_invites_to_write(cluster: Cluster, open_room: Open) -> None:
    await make_room(cluster, "empty")
    page = await open_room(cluster, "alice", "empty")
    await expect(page.get_by_text("No messages yet")).to_be_visible()
    await expect(page.locator("#body")).to_be_focused()
    await page.keyboard.type("The first word.")
    await page.keyboard.press("Enter")
    await says(page, "The first word.")
    await expect(page.get_by_text("No messages yet")).to_be_hidden()


async def test_scrolling_back_reads_older_messages_and_keeps_the_place(cluster: Cluster, open_room: Open) -> None:
    await make_room(cluster, "archive", 130)
    page = await open_room(cluster, "alice", "archive")
    await says(page, "line 129.")
    log = page.locator(".log")
    assert await log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight") < 5, "opens at the end"
    await says(page, "line 80.")
    shift = """async log => {
        const row = log.querySelector('[data-seq="85"]');
        log.scrollTop = row.offsetTop - 100;
        const count = log.querySelectorAll('.message').length;
        const before = row.getBoundingClientRect().top;
        while (log.querySelectorAll('.message').length === count) await new Promise(requestAnimationFrame);
        await new Promise(requestAnimationFrame);
        return Math.abs(row.getBoundingClientRect().top - before);
    }"""
    assert await log.evaluate(shift) < 2
    while await page.get_by_text("This is the start of the room").count() == 0:
        await log.evaluate("log => log.scrollTop = 0")
    await says(page, "line 0.")
    assert await page.locator(".message").count() == 130


async def test_scrolling_back_before_a_long_absence_is_caught_up_with_leaves_no_hole(
    cluster: Cluster, open_room: Open
) -> None:
    await make_room(cluster, "absence", 130)
    # So low that the reader at the end is far from the top, where older messages are asked for at once.
    page = await open_room(cluster, "alice", "absence", viewport={"width": 900, "height": 400})
    lines: list[tuple[WebSocketRoute, WebSocketRoute]] = []  # The page's end of each, and the server's.
    asked: list[str | bytes] = []  # By the page that is back; the server has not heard it yet.

    def hold(socket: WebSocketRoute) -> None:
        lines.append((socket, socket.connect_to_server()))
        socket.on_message(lambda text: asked.append(text))

    await page.route_web_socket("**/ws/chat/", lambda socket: lines.append((socket, socket.connect_to_server())))
    await page.reload()
    await ready(page)
    await page.route_web_socket("**/ws/chat/", lambda socket: socket.close())
    await lines[-1][0].close(code=1012)
    await write_lines(cluster, "absence", range(130, 480))  # More than a page that comes back is told one by one.
    await page.route_web_socket("**/ws/chat/", hold)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await until(lambda: asked)
    log = page.locator(".log")
    await log.evaluate("log => log.scrollTop = 0")
    await until(lambda: len(asked) == 2)
    assert [json.loads(text)["type"] for text in asked] == ["room.join", "room.history"]
    await page.locator(".jump").click()
    socket, server = lines[-1]
    socket.on_message(lambda text: server.send(text))
    for text in asked:
        server.send(text)
    await says(page, "line 479.")
    while await page.get_by_text("This is the start of the room").count() == 0:
        await log.evaluate("log => log.scrollTop = 0")
    shown = "log => [...log.querySelectorAll('[data-seq]')].map(({dataset}) => Number(dataset.seq))"
    assert await log.evaluate(shown) == [*range(1, 481)]


FIRST_SEEN = """log => [...log.querySelectorAll(".message")]
    .find((one) => one.getBoundingClientRect().top >= log.getBoundingClientRect().top)
    .querySelector(".message-body").textContent"""
PLACE = "message => message.getBoundingClientRect().top"


async def test_who_reads_above_is_not_moved_but_told(cluster: Cluster, open_room: Open) -> None:
    await make_room(cluster, "long-log", 60)
    alice, bob = await open_room(cluster, "alice", "long-log"), await open_room(cluster, "bob", "long-log")
    await alice.locator(".log").evaluate("log => log.scrollTop -= 600")
    await expect(alice.locator(".jump")).to_have_text("Latest")
    # The place of a message that is seen: older ones may still come in above, and the log scrolls to keep it there.
    read = alice.locator(".message").filter(has_text=await alice.locator(".log").evaluate(FIRST_SEEN)).first
    top = await read.evaluate(PLACE)
    await post(bob, "Something new.")
    await post(bob, "And more.")
    await expect(alice.locator(".jump")).to_have_text("2 new messages", timeout=SECONDS)
    assert await alice.title() == "(2) Long-Log · Hubbub"
    assert "unread" in str(await alice.locator("link[rel=icon]").get_attribute("href"))
    assert abs(await read.evaluate(PLACE) - top) <= 1
    await alice.locator(".jump").click()
    await expect(alice.locator(".jump")).to_be_hidden()
    await expect(alice.locator(".day.is-new")).to_be_visible()
    assert await alice.title() == "Long-Log · Hubbub"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_at_360_px_nothing_is_wider_than_the_page(cluster: Cluster, open_room: Open, scheme: Any) -> None:
    size = {"width": 360, "height": 640}
    page = await open_room(cluster, "an.extraordinarily.long.name.that.goes.on", viewport=size, color_scheme=scheme)
    await post(page, f"{scheme}{LONG_WORD}")
    await says(page, f"{scheme}{LONG_WORD}")
    await post(page, f"https://{scheme}.example.org/{'x' * 300}")
    await says(page, f"https://{scheme}.example.org/xxx")
    widest = "Math.max(document.documentElement.scrollWidth, document.querySelector('.log').scrollWidth)"
    assert await page.evaluate(widest) <= 360
    composer = await page.locator("#body").bounding_box()
    assert composer is not None
    assert composer["y"] + composer["height"] <= 640
    await page.locator("#body").press("ArrowUp")
    assert await page.locator(".editor textarea").evaluate("one => one.offsetWidth") > 300
    await page.get_by_role("button", name="Rooms").click()
    await expect(page.get_by_role("link", name="Operations")).to_be_visible()


async def test_what_is_written_offline_is_sent_once_even_after_a_reload(cluster: Cluster, open_room: Open) -> None:
    page, bob = await open_room(cluster, "alice"), await open_room(cluster, "bob")
    # The page's sockets do not open while this holds: its HTTP does.
    await page.route_web_socket("**/ws/chat/", lambda socket: socket.close())
    await page.reload()
    await page.wait_for_selector("html[data-state=offline]")
    await post(page, "Written in a tunnel.")
    await expect(page.locator(".message.is-pending", has_text="Written in a tunnel.")).to_be_visible()
    await expect(page.get_by_text("your messages will be sent")).to_be_visible()
    through = await page.context.new_page()  # Without the route; the tab's own memory goes with it.
    kept = await page.evaluate("JSON.stringify(sessionStorage)")
    await through.add_init_script(f"if (sessionStorage.length === 0) Object.assign(sessionStorage, {kept})")
    await page.close()
    await through.goto(f"{cluster.url}/rooms/general/")
    await says(through, "Written in a tunnel.")
    await says(bob, "Written in a tunnel.")


async def test_a_restart_under_an_open_page_is_caught_up_with(mended: Cluster, open_room: Open) -> None:
    alice, bob = await open_room(mended, "alice"), await open_room(mended, "bob")
    first = await alice.evaluate(CONNECTION)
    mended.up.send_signal(signal.SIGHUP)
    number = 0

    async def talk() -> None:
        nonlocal number
        while await alice.evaluate(MOVED, first) is False:
            number += 1
            await post(bob, f"word {number}.")
            await asyncio.sleep(0.1)

    async with asyncio.timeout(60):
        await talk()
    await post(bob, "word last.")
    await says(alice, "word last.")
    for one in range(1, number + 1):
        await says(alice, f"word {one}.")


async def test_a_killed_process_is_caught_up_with(mended: Cluster, open_room: Open) -> None:
    alice = await open_room(mended, "alice")
    first = await alice.evaluate(CONNECTION)
    name = first.split(":")[0]
    pid = mended.pid_of(name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await post(alice, "Written while it was dead.")
    await until(lambda: mended.pid_of(name) not in (pid, None))
    await ready(alice)
    await says(alice, "Written while it was dead.")
    await alice.reload()
    await says(alice, "Written while it was dead.")


async def test_a_session_that_is_gone_shows_the_sign_in_at_once(cluster: Cluster, open_room: Open) -> None:
    page, sockets = await open_room(cluster, "alice"), []

    def pass_through(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    await page.route_web_socket("**/ws/chat/", pass_through)
    await page.reload()
    await ready(page)
    await page.context.clear_cookies()
    await sockets[-1].close(code=1012)
    await page.wait_for_url("**/account/sign-in/?next=%2Frooms%2Fgeneral%2F")
