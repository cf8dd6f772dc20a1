"""A real Chromium. Playwright's async API in a fixture of our own: its pytest plugin gets in the way of the ORM."""

import os
import shutil
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright, expect

expect.set_options(timeout=30_000)  # Milliseconds: a cold page on a busy machine.

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# The tests of a file share a Chromium, and what is Playwright's belongs to one event loop: so they share that as well,
# and their fixtures run in it.


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
    """The system's; without one, Playwright's own, if that is installed."""
    # Chromium refuses its sandbox to root.
    flags = [*FLAGS, "--no-sandbox"] if os.getuid() == 0 else FLAGS
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        yield browser
        await browser.close()


@pytest.fixture
async def browser(chromium: Browser) -> AsyncIterator[Browser]:
    """With nobody in it: no page, cookie or storage of an earlier test."""
    yield chromium
    for context in chromium.contexts:
        await context.close()
