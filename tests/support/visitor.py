"""A browser that records all problems of its pages, for tests of many pages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from playwright.async_api import Browser, Dialog, Page, Response

from tests.support.cluster import Cluster

TIMEOUT_MS = 15_000
# Browsers report in their consoles, too, but each in its own words.
REPORT = """addEventListener("securitypolicyviolation", ({ effectiveDirective, sourceFile, lineNumber }) =>
    console.error(`policy violated: ${effectiveDirective} at ${sourceFile}:${lineNumber}`));"""


class Visitor:
    """`problems`: errors, warnings and policy violations so far. `responses`: all responses of the site."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        self.responses: list[Response] = []
        page.on("console", lambda said: self._note(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("dialog", self._refuse)
        page.on("response", lambda response: self.responses.append(response))

    async def open(self, address: str, status: int = 200) -> None:
        """Open the address. The browser's own message about an expected error status is no problem."""
        response = await self.page.goto(f"{self.url}{address}")
        assert response is not None
        assert response.status == status, address
        if status >= 400:
            said = f"the server responded with a status of {status}"
            self.problems = [problem for problem in self.problems if said not in problem]

    async def _refuse(self, dialog: Dialog) -> None:
        self._note(f"a dialog: {dialog.message}")
        await dialog.dismiss()

    def _note(self, problem: str) -> None:
        self.problems.append(f"{urlsplit(self.page.url).path}: {problem}")


@asynccontextmanager
async def visiting(browser: Browser, cluster: Cluster, name: str = "") -> AsyncIterator[Visitor]:
    """A new browser context, signed in as `name`; anonymous if empty."""
    context = await browser.new_context()
    if name:
        cookie = (await asyncio.to_thread(cluster.make_user, name))["cookie"]
        host = urlsplit(cluster.url).hostname
        await context.add_cookies([{"name": "sessionid", "value": cookie, "domain": host, "path": "/"}])
    await context.add_init_script(REPORT)
    page = await context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    try:
        yield Visitor(page, cluster.url)
    finally:
        await context.close()
