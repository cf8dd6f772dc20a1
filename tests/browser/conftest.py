"""A real Chromium by Playwright's async API. Playwright's pytest plugin conflicts with the ORM."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.support.chat_page import (
    SECONDS,
    Open,
    cookie_of,
    ready,
)
from tests.support.cluster import Cluster

expect.set_options(timeout=30_000)  # Milliseconds: a cold page on a busy machine.
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# The tests of a file share a Chromium. Playwright's objects belong to one event loop, so tests and fixtures share it.


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("asyncio"):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest.hookimpl(tryfirst=True, wrapper=True)
def pytest_fixture_setup(fixturedef: Any) -> Generator[None, Any, Any]:
    if (getattr(fixturedef.func, "__module__", None) or "").startswith("tests.browser."):
        fixturedef.func._loop_scope = "module"  # As `pytest_asyncio.fixture(loop_scope="module")` does it.
    return (yield)


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """The system's Chromium, else Playwright's own if installed."""
    # Chromium refuses its sandbox to root.
    flags = [*FLAGS, "--no-sandbox"] if os.getuid() == 0 else FLAGS
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        yield browser
        await browser.close()


@pytest.fixture
async def browser(chromium: Browser) -> AsyncIterator[Browser]:
    """An empty browser: no page, cookie or storage of an earlier test."""
    yield chromium
    for context in chromium.contexts:
        await context.close()


@pytest.fixture
async def open_room(browser: Browser) -> AsyncIterator[Open]:
    """Open a room as a user in a new browser context. Errors and dialogs of the page fail the test."""
    contexts, problems = [], []

    async def open_page(cluster: Cluster, name: str, slug: str = "general", **options: Any) -> Page:
        cookie = await asyncio.to_thread(cookie_of, cluster, name)
        context = await browser.new_context(**options)
        contexts.append(context)
        host = urlsplit(cluster.url).hostname
        await context.add_cookies([{"name": "sessionid", "value": cookie, "domain": host, "path": "/"}])
        page = await context.new_page()
        page.set_default_timeout(SECONDS)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"a dialog: {dialog.message}"))
        await page.goto(f"{cluster.url}/rooms/{slug}/")
        await ready(page)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert problems == []
