"""The page of rooms by keyboard alone, and as screen readers have it: the order of reading, and what is read out."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.accessible import TIMEOUT_MS, sign_in
from tests.support.chat_page import in_shell, ready, says
from tests.support.cluster import Cluster
from tests.support.dialogs import press
from tests.support.room_states import Rooms, make_rooms

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

NO_MOUSE = """for (const kind of ["pointerdown", "mousedown", "click", "touchstart"]) {
    addEventListener(kind, (event) => { if (event.detail > 0) globalThis.wasClicked = true; }, true);
}"""


@pytest.fixture
async def rooms(cluster: Cluster) -> Rooms:
    return await make_rooms(cluster)


@pytest.fixture
async def page(browser: Browser, cluster: Cluster, rooms: Rooms) -> AsyncIterator[Page]:
    """The list of rooms, as a person opens it who has no pointer."""
    context = await browser.new_context()
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await sign_in(context, cluster, rooms.cookie)
    page = await context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.add_init_script(NO_MOUSE)
    await page.goto(f"{cluster.url}/")
    await page.wait_for_selector("html[data-state=open]")
    yield page
    assert not await page.evaluate("globalThis.wasClicked")
    await context.close()
    assert problems == []


def title(kind: str, rooms: Rooms) -> str:
    return f"{kind.title()} {rooms.full[-6:]}"


def slugs_in(section: str) -> str:
    """A script that lists the rooms of a section of the list."""
    return f"[...document.querySelectorAll('#rooms {section} li')].map(({{ dataset }}) => dataset.slug)"


async def jump(page: Page, words: str) -> None:
    await press(page, "Control+k")
    await expect(page.get_by_role("combobox", name="Jump to a room")).to_be_focused()
    await page.keyboard.type(words)
    await press(page, "Enter")
    await expect(page.locator("#room-title")).to_have_text(words)
    await ready(page)


async def write(page: Page, words: str) -> None:
    await expect(page.locator("#body")).to_be_focused()
    await page.keyboard.type(words)
    await press(page, "Enter")
    await says(page, words)


async def test_a_person_without_a_pointer_does_everything(page: Page, rooms: Rooms) -> None:
    field, status = page.locator("#body"), page.locator("p[data-role=status]")
    await jump(page, title("full", rooms))
    await expect(page.locator("[data-role=news]")).to_be_visible()
    await press(page, "Escape")
    await expect(page.locator("[data-role=news]")).to_be_hidden()
    for words in ("Words before.", "Last wrods."):
        await write(page, words)
    await expect(status).to_have_text(re.compile("^Sent"))

    # The last own message.
    await press(page, "ArrowUp")
    editor = page.locator(".editor textarea")
    await expect(editor).to_have_value("Last wrods.")
    await press(page, "Control+a")
    await page.keyboard.type("Last words.")
    await press(page, "Enter")
    await says(page, "Last words.")
    await expect(field).to_be_focused()

    # The log is one stop for Tab: itself, then the message that was left.
    log, row = page.locator("#log"), page.locator(".message", has_text="Last words.")
    await press(page, "Shift+F6")
    await expect(log).to_be_focused()
    await press(page, "ArrowUp")
    await expect(row).to_be_focused()
    await press(page, "ArrowUp")
    await expect(page.locator(".message", has_text="Words before.")).to_be_focused()
    await press(page, "ArrowDown")
    await expect(row).to_be_focused()
    await press(page, "Escape")
    await expect(field).to_be_focused()
    await press(page, "Shift+Tab", "Shift+Tab")
    await expect(row).to_be_focused()
    assert await log.get_attribute("tabindex") == "-1"


async def test_the_keys_of_a_message(page: Page, rooms: Rooms) -> None:
    field, row = page.locator("#body"), page.locator(".message", has_text="Last words.")
    await jump(page, title("empty", rooms))
    await write(page, "Last words.")
    await press(page, "Shift+F6", "ArrowUp")
    await expect(row).to_be_focused()

    # Its tools are one stop more, with arrow keys in it.
    await press(page, "Tab")
    await expect(row.get_by_role("button", name="Edit")).to_be_focused()
    await press(page, "ArrowRight")
    await expect(row.get_by_role("button", name="Copy link")).to_be_focused()
    await press(page, "Shift+Tab")
    await expect(row).to_be_focused()
    await press(page, "l")
    await expect(page.locator("[data-role=strip-text]")).to_have_text("Link copied.")
    assert re.search(rf"/rooms/{rooms.full}/\?at=\d+$", await page.evaluate("navigator.clipboard.readText()"))
    await press(page, "e")
    await expect(page.locator(".editor textarea")).to_be_focused()
    await press(page, "Escape")
    await expect(field).to_be_focused()

    # Deleted, with a way back within reach.
    await press(page, "Shift+F6", "ArrowUp")
    await press(page, "Delete")
    await expect(page.locator("[data-role=undo]")).to_contain_text("Message deleted.")
    await press(page, "Shift+F6")
    await expect(page.get_by_role("button", name="Undo")).to_be_focused()
    await press(page, "Enter")
    await says(page, "Last words.")
    assert await page.evaluate("document.activeElement !== document.body"), "the focus is not lost"

    # Typing anywhere writes.
    await press(page, "F6")
    await page.keyboard.type("Typed in the log.")
    await expect(field).to_have_value("Typed in the log.")
    await press(page, "Enter")
    await says(page, "Typed in the log.")


async def test_panes_dialogs_and_rooms_by_keyboard(page: Page, rooms: Rooms, cluster: Cluster) -> None:
    field, log = page.locator("#body"), page.locator("#log")
    await jump(page, title("empty", rooms))
    await expect(field).to_be_focused()
    here = page.locator("#rooms .rooms-link[aria-current=page]")
    for key, stops in (("F6", (here, log, field)), ("Shift+F6", (log, here, field))):
        for stop in stops:
            await press(page, key)
            await expect(stop).to_be_focused()

    # People: from its button in the header, and it is a pane then.
    people = page.get_by_role("button", name="People here")
    await press(page, "Shift+F6", *["Shift+Tab"])
    await expect(people).to_be_focused()
    await press(page, "Enter")
    await expect(people).to_have_attribute("aria-expanded", "true")
    close = page.get_by_role("button", name="Close the list of people")
    await press(page, "Shift+F6")
    await expect(close).to_be_focused()
    await press(page, "Escape")
    await expect(people).to_be_focused()
    await expect(people).to_have_attribute("aria-expanded", "false")

    await press(page, "?")
    keys = page.get_by_role("dialog", name="Keys")
    await expect(keys.get_by_role("row", name="Jump to a room")).to_be_visible()
    await press(page, "Escape")
    await expect(keys).to_have_count(0)
    await expect(people).to_be_focused()

    # Rooms, unread rooms, and the keys of rooms win over that of edits in an empty field.
    order = slugs_in("[data-section]:not([data-section=archived])")
    for key, step in (("ArrowDown", 1), ("ArrowUp", -1)):
        slugs: list[str] = await page.evaluate(order)
        before = page.url.split("/")[-2]
        await press(page, f"Alt+{key}")
        await page.wait_for_url(f"**/rooms/{slugs[(slugs.index(before) + step) % len(slugs)]}/")
        await ready(page)
    await expect(page.locator(".editor")).to_have_count(0)
    unread: list[str] = await page.evaluate(slugs_in("[data-section=unread]"))
    assert rooms.full in unread
    await press(page, "Alt+Shift+ArrowDown")
    await page.wait_for_url(re.compile("|".join(f"/rooms/{slug}/$" for slug in unread)))


# What is read out


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
        "button This room",
        "button People here: 1",
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
