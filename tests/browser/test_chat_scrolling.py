"""The chat page in a browser: older messages, and new ones below the visible part."""

import json

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.support.chat_page import (
    FIRST_SEEN,
    PLACE,
    SECONDS,
    Open,
    make_room,
    no_connection,
    post,
    ready,
    says,
    write_lines,
)
from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.browser, pytest.mark.cluster]


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
    asked: list[str | bytes] = []  # Of the room, by the page that is back; the server has not heard it yet.

    def hold(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        lines.append((socket, server))
        socket.on_message(lambda text: asked.append(text) if "room/absence" in str(text) else server.send(text))

    await page.route_web_socket("**/ws/chat/", lambda socket: lines.append((socket, socket.connect_to_server())))
    await page.reload()
    await ready(page)
    await no_connection(page)
    await lines[-1][0].close(code=1012)
    await write_lines(cluster, "absence", range(130, 480))  # More than a page that comes back is told one by one.
    await page.route_web_socket("**/ws/chat/", hold)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await until(lambda: asked)
    log = page.locator(".log")
    await log.evaluate("log => log.scrollTop = 0")
    await until(lambda: len(asked) == 2)
    assert [json.loads(text)["type"] for text in asked] == ["join", "history"]
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


async def test_a_reader_of_old_messages_is_notified_and_not_moved(cluster: Cluster, open_room: Open) -> None:
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


async def test_the_key_up_shows_the_own_last_message_before_it_edits(cluster: Cluster, open_room: Open) -> None:
    await make_room(cluster, "far-up")
    page = await open_room(cluster, "alice", "far-up")
    await post(page, "mine")
    await says(page, "mine")
    await write_lines(cluster, "far-up", range(40))
    await says(page, "line 39.")
    row, field = page.locator(".message", has_text="mine"), page.locator("#body")
    await expect(row).not_to_be_in_viewport()
    await field.press("ArrowUp")
    await expect(row).to_be_in_viewport()
    await expect(page.locator(".editor")).to_have_count(0)
    await field.press("ArrowUp")
    await expect(page.locator(".editor textarea")).to_be_focused()
    await expect(page.locator(".editor textarea")).to_be_in_viewport()
