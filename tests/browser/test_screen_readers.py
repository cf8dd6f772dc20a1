"""The page of rooms as screen readers have it: what is read out, the order of reading, and where links skip to."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.chat_page import in_shell, ready
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


async def test_messages_are_read_out_together_and_own_ones_only_as_sent(
    page: Page, rooms: Rooms, cluster: Cluster
) -> None:
    await jump(page, title("empty", rooms))
    status = page.get_by_role("status").and_(page.locator("[data-role=status]"))
    batch = f"""
        from uuid import uuid4
        from django.contrib.auth import get_user_model
        from chat import posting
        author, _ = get_user_model().objects.get_or_create(username="bert")
        posting.post_messages([
            posting.Post(user_id=author.pk, slug={rooms.empty!r}, client_id=uuid4(), body=f"batch {{number}}")
            for number in range(3)
        ])
        """
    await in_shell(cluster, batch)
    await expect(status).to_have_text("3 new messages from bert")
    await write(page, "An own one.")
    await expect(status).to_have_text("Sent")
    await write(page, "Another one.")
    await expect(status).to_have_text("Sent\N{NO-BREAK SPACE}")
    await page.keyboard.type("z" + "\N{COMBINING ACUTE ACCENT}" * 60)
    await press(page, "Enter")
    await expect(page.get_by_role("alert").filter(has_text="Not sent.")).to_contain_text("marks")
    await expect(status).to_have_text("Sent\N{NO-BREAK SPACE}")
    assert await page.locator("#log").get_attribute("aria-live") == "off", "messages are not read out twice"


async def reading_order(page: Page) -> list[str]:
    """Roles and names of the browser's own accessibility tree, in the order of reading."""
    client = await page.context.new_cdp_session(page)
    nodes = {node["nodeId"]: node for node in (await client.send("Accessibility.getFullAXTree"))["nodes"]}
    lines: list[str] = []

    def walk(node: dict[str, Any]) -> None:
        if not node["ignored"]:
            name = node.get("name", {}).get("value", "")
            lines.append(f"{node['role']['value']} {name}".strip())
        for child in node.get("childIds", []):
            walk(nodes[child])

    walk(next(node for node in nodes.values() if "parentId" not in node))
    return lines


def in_order(lines: list[str], *wanted: str) -> list[str]:
    """The wanted lines that are found one after another."""
    found, rest = [], iter(lines)
    for line in wanted:
        if any(re.fullmatch(line, candidate) for candidate in rest):
            found.append(line)
    return found


async def test_the_page_is_read_in_the_order_of_its_parts(page: Page, rooms: Rooms) -> None:
    await jump(page, title("full", rooms))
    lines = await reading_order(page)
    name = re.escape(title("full", rooms))
    wanted = [
        "link Skip to content",
        "main",
        "link Skip to the messages",
        "link Skip to the field for a message",
        "navigation Rooms",
        "combobox Jump to a room",
        "heading Unread",
        f"link {name}.*",
        "heading Rooms",
        "button Browse rooms",
        "button Account of .*",
        f"region {name}",
        f"heading {name}",
        "button People here: 1",
        "button This room",
        f"log Messages in {name}",
        r"heading \w+, \d+ \w+.*|heading \w+, \w+ \d+.*",
        r"article bert, \d+:\d\d [AP]M",
        "heading Today",
        r"article bert, \d+:\d\d [AP]M",
        r"article .elebi, \d+:\d\d [AP]M",
        "button Show all .* lines",
        "article 3 messages deleted",
        rf"article {rooms.name}, \d+:\d\d [AP]M",
        "textbox Message",
        "toolbar Formatting",
        "button Send",
        "status",
    ]
    assert in_order(lines, *wanted) == wanted, "\n".join(lines)
    assert lines[-1].startswith("status") or "dialog" not in lines[-1]
    labels = [line for line in lines if line.startswith("article")]
    assert len(labels) == await page.locator("article").count()
    assert "article" not in labels, "each has a label"
    assert await page.locator(".message:not([aria-label])").count() == 0


async def test_skip_links_lead_to_the_messages_and_to_the_field(page: Page, rooms: Rooms, cluster: Cluster) -> None:
    skips = page.locator(".skip:focus")
    await page.evaluate("document.activeElement.blur()")
    await press(page, "Tab", "Tab")
    assert await skips.count() == 0, "the list has no messages to skip to"
    await page.goto(f"{cluster.url}/rooms/{rooms.full}/")
    await ready(page)
    for name, place in (("Skip to the messages", "#log"), ("Skip to the field for a message", "#body")):
        link = page.get_by_role("link", name=name)
        await page.locator(".skip").first.focus()
        for _ in range(3):
            if not await link.evaluate("link => link === document.activeElement"):
                await press(page, "Tab")
        await expect(link).to_be_in_viewport()
        await press(page, "Enter")
        await expect(page.locator(place)).to_be_focused()
