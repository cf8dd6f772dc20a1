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
class Cut:
    """Between a page and its server: the connection ends in the middle of a command."""

    _command: str = ""
    _is_done: bool = False

    def arm(self, command: str, *, is_done: bool) -> None:
        """The next command of this type gets no answer. `is_done`: but the server carries it out."""
        self._command, self._is_done = command, is_done

    def begin(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        cut: list[int] = []

        async def end() -> None:
            await socket.close(code=1012)
            await server.close()

        async def from_page(text: str | bytes) -> None:
            frame = json.loads(text)
            if frame["type"] == self._command:
                self._command = ""
                cut.append(frame["ref"])
                if not self._is_done:
                    await end()
                    return
            server.send(text)

        async def from_server(text: str | bytes) -> None:
            if json.loads(text).get("ref") in cut:
                await end()
            else:
                socket.send(text)

        socket.on_message(from_page)
        server.on_message(from_server)


@dataclass
class Slow:
    """Between a page and its server: while `is_slow`, the page's frames get through and the server's wait."""

    is_slow: bool = False
    _waiting: list[str | bytes] = field(default_factory=list)
    _socket: WebSocketRoute | None = None

    def begin(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        socket.connect_to_server().on_message(self._pass_on)

    def go_on(self) -> None:
        self.is_slow = False
        for text in self._waiting:
            self._pass_on(text)

    def _pass_on(self, text: str | bytes) -> None:
        assert self._socket is not None
        if self.is_slow:
            self._waiting.append(text)
        else:
            self._socket.send(text)


@dataclass
class Tabs:
    """The tabs of a user in one browser, and what was asked as they were left."""

    context: BrowserContext
    cluster: Cluster
    questions: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    async def open(self, address: str, link: Link | Slow | None = None) -> Page:
        page = await self.context.new_page()
        page.set_default_timeout(SECONDS)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", self.answer)
        if link is not None:
            await page.route_web_socket("**/ws/chat/", link.begin)
        await page.goto(f"{self.cluster.url}{address}")
        return page

    async def enter(self, slug: str, link: Link | Slow | None = None) -> Page:
        page = await self.open(f"/rooms/{slug}/", link)
        await ready(page)
        return page

    async def duplicate(self, page: Page) -> Page:
        """Another tab with the same page and a copy of its session storage."""
        async with self.context.expect_page() as opened:
            await page.evaluate("() => void open(location.href)")
        other = await opened.value
        other.set_default_timeout(SECONDS)
        other.on("pageerror", lambda error: self.problems.append(str(error)))
        other.on("dialog", self.answer)
        await ready(other)
        return other

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
