"""Nothing that was typed is lost: drafts and posts in several tabs, over lost links and closed tabs."""

import os
import signal
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.support.chat_page import in_shell, make_room, post, process_of, ready
from tests.support.cluster import Cluster
from tests.support.tabs import PENDING, Link, closes, is_saved, tabs_of

pytestmark = [pytest.mark.browser, pytest.mark.cluster]


@pytest.fixture
async def room(cluster: Cluster) -> str:
    slug = f"kept-{uuid4().hex[:8]}"
    await make_room(cluster, slug)
    return slug


async def test_a_draft_is_the_same_in_two_tabs_and_gone_in_both_once_it_is_sent(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    async with tabs_of(browser, cluster, "alice") as tabs:
        a, b = await tabs.enter(room), await tabs.enter(room)
        await a.locator("#body").press_sequentially("half a")
        await expect(b.locator("#body")).to_have_value("half a")
        await b.locator("#body").press("End")
        await b.keyboard.type(" thought")
        await b.keyboard.press("Enter")
        await is_saved(a, "half a thought")
        await expect(a.locator("#body")).to_have_value("")
        await a.locator("#body").press("x")
        await expect(a.locator("#body")).to_have_value("x")
        await b.reload()
        await ready(b)
        await expect(b.locator("#body")).to_have_value("x")


async def test_two_tabs_that_are_written_in_at_once_keep_both_texts(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    async with tabs_of(browser, cluster, "alice") as tabs:
        a, b = await tabs.enter(room), await tabs.enter(room)
        await a.locator("#body").fill("by a")
        await b.locator("#body").fill("by b")
        await a.locator("#body").press("End")
        await a.keyboard.type("!")
        await expect(a.locator("#body")).to_have_value("by a!")
        await expect(b.locator("#body")).to_have_value("by b")
        await b.locator("#body").press("Enter")
        await is_saved(a, "by b")
        await expect(a.locator("#body")).to_have_value("by a!")
        await a.close()
        await b.reload()
        await ready(b)
        await expect(b.locator("#body")).to_have_value("by a!")


async def test_posts_on_a_dead_link_are_sent_by_the_account_page_once_in_order_and_without_presence(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    other = f"{room}-b"
    await make_room(cluster, other)
    name = f"alice-{uuid4().hex[:6]}"
    async with tabs_of(browser, cluster, "bob") as bobs, tabs_of(browser, cluster, name) as tabs:
        bob = await bobs.enter(room)
        link = Link()
        page = await tabs.enter(room, link)
        await post(page, "before")
        await is_saved(bob, "before")
        link.is_dead = True
        await post(page, "first")
        await post(page, "second")
        await expect(page.locator(PENDING)).to_have_text(["first", "second"])
        # Another room in this tab, with a post of its own.
        await page.locator(f"#rooms li[data-slug={other}] a").first.click()
        await expect(page.locator("[data-role=title]")).to_have_text(other.title())
        await post(page, "elsewhere")
        people = bob.locator("[data-role=people-list]")
        await closes(page)
        assert tabs.questions == ["beforeunload"]
        await bob.locator("[data-role=people-toggle]").click()
        await expect(people).not_to_contain_text(name)
        await bob.evaluate(
            """name => {
                globalThis.present = false;
                const list = document.querySelector("[data-role=people-list]");
                new MutationObserver(() => { globalThis.present ||= list.textContent.includes(name); })
                    .observe(list, { childList: true, subtree: true, characterData: true });
            }""",
            name,
        )
        account = await tabs.open("/account/")
        await is_saved(bob, "before", "first", "second")
        there = await bobs.enter(other)
        await is_saved(there, "elsewhere")
        assert await bob.evaluate("globalThis.present") is False
        await account.wait_for_function("!Object.keys(localStorage).some((key) => key.startsWith('hubbub.post/'))")


async def test_a_page_without_posts_opens_no_connection(browser: Browser, cluster: Cluster, room: str) -> None:
    async with tabs_of(browser, cluster, "alice") as tabs:
        page = await tabs.open("/account/")
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        await page.reload()
        await page.wait_for_load_state("networkidle")
        there = await tabs.enter(room)
        await post(there, "by another tab")
        await is_saved(there, "by another tab")
        assert sockets == []


async def test_another_tab_sends_what_a_closed_one_left_and_nothing_is_asked_then(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    async with tabs_of(browser, cluster, "alice") as tabs:
        link = Link(is_dead=True)
        a, b = await tabs.enter(room, link), await tabs.enter(room)
        await post(a, "first")
        await post(a, "second")
        await expect(b.locator(PENDING)).to_have_text(["first", "second"])
        await a.wait_for_timeout(1_000)  # The tabs find one another.
        await closes(a)
        await is_saved(b, "first", "second")
        await expect(b.locator(PENDING)).to_have_count(0)
        assert tabs.questions == []


async def test_a_killed_server_loses_no_post_of_two_tabs(browser: Browser, cluster: Cluster, room: str) -> None:
    async with tabs_of(browser, cluster, "alice") as tabs:
        link = Link()
        a, b = await tabs.enter(room, link), await tabs.enter(room)
        process = cluster.pid_of(await process_of(a))
        assert process is not None
        link.is_dead = True
        await post(a, "one")
        await post(b, "two")
        link.is_dead = False
        os.kill(process, signal.SIGKILL)
        await post(a, "three")
        for page in (a, b):
            await is_saved(page, "one", "two", "three")
            await expect(page.locator(PENDING)).to_have_count(0)


async def test_a_refused_post_stays_in_all_tabs_and_is_sent_again_by_hand_only(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    archive = "from chat import services; from chat.models import Room; services.change_room("
    archive += f"room_id=Room.objects.get(slug={room!r}).pk, is_archived="
    async with tabs_of(browser, cluster, "alice") as tabs:
        link = Link(is_dead=True)
        a, b = await tabs.enter(room, link), await tabs.enter(room)
        await post(a, "too late")
        await expect(b.locator(PENDING)).to_have_text(["too late"])
        await in_shell(cluster, f"{archive}True)")
        await expect(b.locator("#body")).to_be_disabled()
        await a.close()
        failed = b.locator(".message.is-failed")
        await expect(failed).to_contain_text("archived")
        await in_shell(cluster, f"{archive}False)")
        await b.reload()
        await ready(b)
        await expect(failed).to_contain_text("archived")
        await is_saved(b)
        await failed.get_by_role("button", name="Send again").click()
        await is_saved(b, "too late")
        await expect(failed).to_have_count(0)


async def test_a_full_storage_is_said_once_and_text_goes_out_from_memory(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    async with tabs_of(browser, cluster, "alice") as tabs:
        page = await tabs.context.new_page()
        await page.add_init_script(
            "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
        )
        page.on("dialog", tabs.answer)
        await page.goto(f"{cluster.url}/rooms/{room}/")
        await ready(page)
        await page.locator("#body").press("x")
        await expect(page.locator("[data-role=strip-text]")).to_have_text(
            "This browser stores nothing: text that is not sent would be lost by a reload."
        )
        await page.locator("#body").press("Enter")
        await is_saved(page, "x")
        await page.locator("#body").press("y")
        await closes(page)
        assert tabs.questions == ["beforeunload"]


async def test_a_clock_that_jumps_changes_neither_days_nor_texts(browser: Browser, cluster: Cluster, room: str) -> None:
    async with tabs_of(browser, cluster, "alice") as tabs:
        link, now = Link(), datetime.now(UTC)
        page = await tabs.enter(room, link)
        await post(page, "one")
        await is_saved(page, "one")
        link.is_dead = True
        for days, text in ((-1, "behind"), (2, "ahead"), (-2, "far behind")):
            await page.clock.set_system_time(now + timedelta(days=days))
            await post(page, text)
        await expect(page.locator(PENDING)).to_have_text(["behind", "ahead", "far behind"])
        await expect(page.locator("h2.day")).to_have_count(1)
        await page.locator("#body").fill("half a thought")
        await page.clock.set_system_time(now - timedelta(hours=1))
        link.is_dead = False
        await page.reload()
        await is_saved(page, "one", "behind", "ahead", "far behind")
        await expect(page.locator("#body")).to_have_value("half a thought")
