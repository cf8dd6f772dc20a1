"""The chat page in a browser: two users on two processes, faults of the network and of processes."""

import asyncio
import os
import signal
from typing import Any

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.support.chat_page import (
    CONNECTION,
    MESSAGE,
    MOVED,
    SECONDS,
    Open,
    in_shell,
    make_room,
    no_connection,
    post,
    process_of,
    ready,
    says,
)
from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 4


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
    await mine.focus()
    await mine.locator("[data-role=delete]").focus()
    await alice.keyboard.press("Enter")
    await expect(bob.locator(MESSAGE, has_text="A typo.")).to_have_count(0, timeout=SECONDS)
    await expect(bob.locator(MESSAGE).last).to_have_text("message deleted")
    await post(alice, "Not Bob's.")
    await bob.locator(".message", has_text="Not Bob's.").hover()
    await expect(bob.locator(".message-actions [data-role=link]")).to_be_visible()
    await expect(bob.locator(".message-actions [data-role=delete]")).to_have_count(0)


async def test_a_long_press_shows_what_can_be_done(cluster: Cluster, open_room: Open) -> None:
    phone = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
    page = await open_room(cluster, "alice", **phone)
    await page.locator("#body").fill("Press me.")
    await page.get_by_role("button", name="Send").tap()
    await says(page, "Press me.")
    row = page.locator(".message", has_text="Press me.")
    box = await row.bounding_box()
    assert box is not None
    touch = await page.context.new_cdp_session(page)
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    sheet = page.get_by_role("dialog", name="Message")
    await expect(sheet).to_be_visible()
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    await sheet.get_by_role("button", name="Edit").tap()
    await expect(sheet).to_have_count(0)
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
    assert await body.locator("*:not(p)").count() == 0


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
    change = "from chat import services; from chat.models import Room; "
    change += "services.change_room(room_id=Room.objects.get(slug='closing').pk, is_archived=True, title='Closed')"
    await in_shell(cluster, change)
    await expect(strip).to_be_visible(timeout=SECONDS)
    await expect(page.locator("#body")).to_be_hidden()
    await expect(page.get_by_role("heading", name="Closed")).to_be_visible()
    await page.reload()
    await expect(strip).to_be_visible()
    await says(page, "line 0.")


async def test_an_empty_room_invites_to_write(cluster: Cluster, open_room: Open) -> None:
    await make_room(cluster, "empty")
    page = await open_room(cluster, "alice", "empty")
    await expect(page.get_by_text("No messages yet. Write")).to_be_visible()
    await expect(page.locator("#body")).to_be_focused()
    await page.keyboard.type("The first word.")
    await page.keyboard.press("Enter")
    await says(page, "The first word.")
    await expect(page.get_by_text("No messages yet. Write")).to_be_hidden()


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
    assert await page.locator(".editor textarea").evaluate("area => area.offsetWidth") > 300
    await page.keyboard.press("Escape")
    await page.get_by_role("link", name="Rooms").click()
    await expect(page.get_by_role("link", name="Operations")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_messages_written_offline_are_sent_once_even_after_a_reload(cluster: Cluster, open_room: Open) -> None:
    page, bob = await open_room(cluster, "alice"), await open_room(cluster, "bob")
    await no_connection(page)
    await page.reload()
    await page.wait_for_selector("html[data-state=offline]")
    await post(page, "Written in a tunnel.")
    await expect(page.locator(".message.is-pending", has_text="Written in a tunnel.")).to_be_visible()
    await expect(page.locator("[data-role=strip]", has_text="1 message waits.")).to_be_visible()
    through = await page.context.new_page()  # Without the route; the tab's own memory goes with it.
    stored = await page.evaluate("JSON.stringify(sessionStorage)")
    await through.add_init_script(f"if (sessionStorage.length === 0) Object.assign(sessionStorage, {stored})")
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
    for count in range(1, number + 1):
        await says(alice, f"word {count}.")


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
