"""The tabs of a user in one browser, over links that may die: for tests of unsent text."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Dialog, Page, WebSocketRoute, expect

from tests.support.chat_page import SECONDS, ready
from tests.support.cluster import Cluster

SAVED = ".message:not(.is-pending):not(.is-failed) .message-body"
PENDING = ".message.is-pending .message-body"


@dataclass
class Link:
    """Between a page and its server. While `is_dead`, no post gets through, and nothing is said about it."""

    is_dead: bool = False
    tried: list[str] = field(default_factory=list)

    def begin(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            frame = json.loads(text)
            if frame["type"] == "message.post":
                self.tried.append(frame["body"])
                if self.is_dead:
                    return
            server.send(text)

        socket.on_message(pass_on)


@dataclass
class Tabs:
    """The tabs of a user in one browser, and what was asked as they were left."""

    context: BrowserContext
    cluster: Cluster
    questions: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    async def open(self, address: str, link: Link | None = None) -> Page:
        page = await self.context.new_page()
        page.set_default_timeout(SECONDS)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", self.answer)
        if link is not None:
            await page.route_web_socket("**/ws/chat/", link.begin)
        await page.goto(f"{self.cluster.url}{address}")
        return page

    async def enter(self, slug: str, link: Link | None = None) -> Page:
        page = await self.open(f"/rooms/{slug}/", link)
        await ready(page)
        return page

    async def answer(self, dialog: Dialog) -> None:
        self.questions.append(dialog.type)
        await dialog.accept()


@asynccontextmanager
async def tabs_of(browser: Browser, cluster: Cluster, name: str) -> AsyncIterator[Tabs]:
    context = await browser.new_context()
    cookie = (await asyncio.to_thread(cluster.make_user, name))["cookie"]
    host = urlsplit(cluster.url).hostname
    await context.add_cookies([{"name": "sessionid", "value": cookie, "domain": host, "path": "/"}])
    tabs = Tabs(context, cluster)
    try:
        yield tabs
        assert tabs.problems == []
    finally:
        await context.close()


async def is_saved(page: Page, *bodies: str) -> None:
    await expect(page.locator(SAVED)).to_have_text(list(bodies), timeout=SECONDS)


async def closes(page: Page) -> None:
    """Close the tab as a person does: the page may ask."""
    await page.close(run_before_unload=True)
    if not page.is_closed():
        await page.wait_for_event("close")
