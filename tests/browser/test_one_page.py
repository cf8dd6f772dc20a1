"""One page for all rooms, in a real browser: a switch of rooms, addresses, what is new, keys, and places."""

from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from tests.support.chat_page import MESSAGE, SECONDS, Open, in_shell, make_room, post, ready, says, write_lines
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

DISTANCE = "log => log.scrollHeight - log.scrollTop - log.clientHeight"
TOP = "row => row.getBoundingClientRect().top - document.querySelector('.log').getBoundingClientRect().top"
NO_LOAD = "globalThis.sameDocument = true"


async def rooms(cluster: Cluster, *sizes: int) -> list[str]:
    """New rooms with so many messages each."""
    slugs = [f"room-{uuid4().hex[:8]}" for _ in sizes]
    for slug, size in zip(slugs, sizes, strict=True):
        await make_room(cluster, slug, size)
    return slugs


def link(page: Page, slug: str) -> str:
    return f"#rooms li[data-slug={slug}] a"


async def switch(page: Page, slug: str) -> None:
    await page.locator(link(page, slug)).click()
    await page.wait_for_url(f"**/rooms/{slug}/")
    await ready(page)


async def test_a_switch_of_rooms_loads_no_page_and_keeps_what_each_room_had(cluster: Cluster, open_room: Open) -> None:
    first, second = await rooms(cluster, 80, 3)
    page, bob = await open_room(cluster, "alice", first), await open_room(cluster, "bob", second)
    await page.evaluate(NO_LOAD)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    await says(page, "line 79.")
    await page.locator("#body").fill("for the first room")
    row = page.locator("article[data-seq='50']")
    await page.locator(".log").evaluate("log => log.scrollTop = log.querySelector('[data-seq=\"50\"]').offsetTop - 30")
    place = await row.evaluate(TOP)

    await switch(page, second)
    await says(page, "line 2.")
    assert await page.title() == f"{second.title()} · Hubbub"
    await expect(page.locator("#room-title")).to_have_text(second.title())
    await expect(page.locator("#body")).to_have_value("")
    await expect(page.locator(f"{link(page, first)} [aria-label=draft]")).to_be_visible()
    await expect(page.locator(link(page, second))).to_have_attribute("aria-current", "page")
    await post(page, "Hello from a switch.")
    await says(bob, "Hello from a switch.")
    await expect(page.locator(MESSAGE, has_text="line 79.")).to_have_count(0)

    await page.go_back()
    await page.wait_for_url(f"**/rooms/{first}/")
    await expect(page.locator("#body")).to_have_value("for the first room")
    await expect(row).to_be_visible()
    await ready(page)
    assert abs(await row.evaluate(TOP) - place) <= 2
    await page.go_forward()
    await says(page, "Hello from a switch.")
    assert await page.evaluate("sameDocument") is True
    assert [url for url in requests if "/rooms/" in url] == []


async def test_one_leaves_the_room_that_is_not_shown_and_hears_it_no_more(cluster: Cluster, open_room: Open) -> None:
    first, second = await rooms(cluster, 1, 1)
    page, bob = await open_room(cluster, "alice", first), await open_room(cluster, "bob", first)
    count = bob.locator(".people-toggle [data-role=people-count]")
    await expect(count).to_have_text("2", timeout=SECONDS)
    await switch(page, second)
    await expect(count).to_have_text("1", timeout=SECONDS)
    await post(bob, "Nobody else is here.")
    await says(bob, "Nobody else is here.")
    # The list tells of it, and the room has it when it is shown again.
    await expect(page.locator(f"{link(page, first)} [data-role=unread-count]")).to_have_text("1", timeout=SECONDS)
    await switch(page, first)
    await says(page, "Nobody else is here.")


async def test_a_post_that_waits_is_sent_from_another_room(mended: Cluster, open_room: Open) -> None:
    first, second = await rooms(mended, 1, 1)
    page, bob = await open_room(mended, "alice", first), await open_room(mended, "bob", first)
    sockets: list[object] = []
    await page.route_web_socket("**/ws/chat/", lambda socket: socket.close())
    await page.route("**/live/**", lambda route: route.abort())
    await page.evaluate("globalThis.SharedWorker = undefined; dispatchEvent(new Event('offline'))")
    await page.wait_for_selector("html:not([data-state=open])")
    await post(page, "Written without a line.")
    await expect(page.locator(".message.is-pending")).to_have_count(1)
    await page.locator(link(page, second)).click()
    await expect(page.locator("#room-title")).to_have_text(second.title())
    await page.unroute_all()
    await page.route_web_socket("**/ws/chat/", lambda socket: sockets.append(socket.connect_to_server()))
    await page.evaluate("dispatchEvent(new Event('online'))")
    await says(bob, "Written without a line.")
    await page.locator(link(page, first)).click()
    await says(page, "Written without a line.")


async def test_a_post_stays_the_same_row_as_it_is_saved(cluster: Cluster, open_room: Open) -> None:
    (slug,) = await rooms(cluster, 1)
    page = await open_room(cluster, "alice", slug)
    await page.evaluate("globalThis.SharedWorker = undefined; dispatchEvent(new Event('offline'))")
    await page.wait_for_selector("html:not([data-state=open])")
    await post(page, "Kept.")
    row = await page.wait_for_selector("article.is-pending")
    await row.evaluate("row => row.focus()")
    await page.evaluate("dispatchEvent(new Event('online'))")
    await says(page, "Kept.")
    assert await row.evaluate("row => row.isConnected && row.matches(':focus') && row.dataset.seq !== undefined")


async def test_a_room_opens_at_what_is_new_and_is_read_by_looking(cluster: Cluster, open_room: Open) -> None:
    slug, other = await rooms(cluster, 10, 1)
    page = await open_room(cluster, "alice", slug)
    await says(page, "line 9.")
    await switch(page, other)
    await write_lines(cluster, slug, range(10, 50))
    await expect(page.locator(f"{link(page, slug)} [data-role=unread-count]")).to_have_text("40", timeout=SECONDS)
    assert await page.locator("[data-section=unread] li").first.get_attribute("data-slug") == slug
    await switch(page, slug)
    news = page.locator("[data-role=news]")
    await expect(news).to_contain_text("40 new since")
    line = page.locator(".day.is-new")
    height = await page.locator(".log").evaluate("log => log.clientHeight")
    assert abs(await line.evaluate(TOP) - height / 3) < 60
    await news.get_by_role("button", name="Jump to latest").click()
    await expect(news).to_be_hidden()
    await expect(page.locator(f"{link(page, slug)} [data-role=unread]")).to_have_count(0, timeout=SECONDS)
    # Nothing is new the next time: it opens at its end.
    await switch(page, other)
    await switch(page, slug)
    await says(page, "line 49.")
    await expect(line).to_have_count(0)
    assert await page.locator(".log").evaluate(DISTANCE) < 5


async def test_more_than_a_page_is_new(cluster: Cluster, open_room: Open) -> None:
    slug, other = await rooms(cluster, 10, 1)
    page = await open_room(cluster, "alice", slug)
    await says(page, "line 9.")
    await switch(page, other)
    await write_lines(cluster, slug, range(10, 240))
    await switch(page, slug)
    await expect(page.locator("[data-role=news]")).to_contain_text("230 new since")
    await expect(page.locator("article[data-seq='11']")).to_be_visible()
    assert await page.locator("article[data-seq='240']").count() == 0
    # Down to the end, page by page, without a hole.
    while await page.locator("article[data-seq='240']").count() == 0:
        await page.locator(".log").evaluate("log => log.scrollTop = log.scrollHeight")
    shown = "log => [...log.querySelectorAll('[data-seq]')].map(({dataset}) => Number(dataset.seq))"
    seqs = await page.locator(".log").evaluate(shown)
    assert seqs == [*range(seqs[0], 241)]
    assert seqs[0] <= 11
    await page.locator("#body").press("Escape")
    await expect(page.locator("[data-role=news]")).to_be_hidden()


async def test_escape_marks_read_and_a_message_can_be_marked_unread(cluster: Cluster, open_room: Open) -> None:
    slug, other = await rooms(cluster, 3, 1)
    page = await open_room(cluster, "alice", slug)
    await says(page, "line 2.")
    await switch(page, other)
    await write_lines(cluster, slug, range(3, 60))
    await switch(page, slug)
    await expect(page.locator("[data-role=news]")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-role=news]")).to_be_hidden()
    await expect(page.locator(f"{link(page, slug)} [data-role=unread]")).to_have_count(0, timeout=SECONDS)
    await page.locator(".log").evaluate("log => log.scrollTop = log.scrollHeight")
    row = page.locator("article[data-seq='58']")
    await row.hover()
    await row.get_by_role("button", name="Mark unread").click()
    unread = page.locator(f"{link(page, slug)} [data-role=unread-count]")
    await expect(unread).to_have_text("3", timeout=SECONDS)
    await switch(page, other)
    await expect(unread).to_have_text("3")


async def test_an_address_leads_to_a_message_and_its_link_can_be_copied(cluster: Cluster, open_room: Open) -> None:
    slug, other = await rooms(cluster, 200, 1)
    page = await open_room(cluster, "alice", other)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto(f"{cluster.url}/rooms/{slug}/?at=42")
    await ready(page)
    target = page.locator("article[data-seq='42']")
    await expect(target).to_be_in_viewport()
    await expect(target).to_be_focused()
    await page.keyboard.press("l")
    await expect(page.locator("[data-role=strip]", has_text="Link copied.")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == f"{cluster.url}/rooms/{slug}/?at=42"
    await page.locator(".jump").click()
    await says(page, "line 199.")
    assert await page.locator(".log").evaluate(DISTANCE) < 5


async def test_the_list_is_as_wide_as_it_was_left_and_people_stay_open(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    await page.set_viewport_size({"width": 1200, "height": 700})
    await expect(page.locator("#people")).to_be_hidden()
    edge = page.get_by_role("separator")
    await edge.focus()
    for _ in range(3):
        await page.keyboard.press("ArrowRight")
    await page.get_by_role("button", name="People here").click()
    await page.reload()
    await ready(page)
    assert (await page.locator("#rooms").bounding_box() or {})["width"] == 312
    await expect(page.locator("#people")).to_be_visible()
    await page.set_viewport_size({"width": 900, "height": 700})
    await page.get_by_role("button", name="Close the list of people").click()
    await expect(page.locator("#people")).to_be_hidden()


async def test_a_room_that_is_closed_to_one_while_another_is_open_goes_from_the_list(
    cluster: Cluster, open_room: Open
) -> None:
    first, second = await rooms(cluster, 1, 1)
    page = await open_room(cluster, "alice", first)
    await page.locator("#body").fill("half a message")
    await switch(page, second)
    await in_shell(cluster, f"from chat.models import Room; Room.objects.get(slug={first!r}).delete()")
    await expect(page.locator(link(page, first))).to_have_count(0, timeout=SECONDS)
    await page.go_back()
    await expect(page.get_by_text("does not exist, or you have no access")).to_be_visible()
    await page.get_by_role("link", name="Go to the rooms").click()
    await expect(page.locator(".overview")).to_be_visible()
    assert await page.title() == "Rooms · Hubbub"


async def test_the_list_says_that_the_connection_is_lost_and_skip_links_work(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    await page.get_by_role("link", name="Skip to the messages").focus()
    await page.keyboard.press("Enter")
    assert page.url.endswith("#log")
    assert await page.evaluate("document.activeElement.id") == "log"
    await page.get_by_role("link", name="Hubbub").click()
    await expect(page.locator(".overview")).to_be_visible()
    await page.route_web_socket("**/ws/chat/", lambda socket: socket.close())
    await page.route("**/live/**", lambda route: route.abort())
    await page.evaluate("dispatchEvent(new Event('offline'))")
    await expect(page.locator("[data-role=list-strip]")).to_contain_text("Offline.")
