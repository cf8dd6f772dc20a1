"""The page of rooms of a person who has no pointer: everything goes by keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, expect

from tests.support.accessible import TIMEOUT_MS, sign_in
from tests.support.chat_page import ready, says
from tests.support.cluster import Cluster
from tests.support.dialogs import press
from tests.support.room_states import Rooms

NO_MOUSE = """for (const kind of ["pointerdown", "mousedown", "click", "touchstart"]) {
    addEventListener(kind, (event) => { if (event.detail > 0) globalThis.wasClicked = true; }, true);
}"""


@asynccontextmanager
async def without_pointer(browser: Browser, cluster: Cluster, rooms: Rooms) -> AsyncIterator[Page]:
    """The list of rooms. The block fails if something was clicked, or a script has failed."""
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
    try:
        yield page
        assert not await page.evaluate("globalThis.wasClicked")
        assert problems == []
    finally:
        await context.close()


def title(kind: str, rooms: Rooms) -> str:
    return f"{kind.title()} {rooms.full[-6:]}"


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
