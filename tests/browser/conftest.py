"""A real Chromium. Playwright's async API in a fixture of our own: its pytest plugin gets in the way of the ORM."""

import os
import shutil
from collections.abc import AsyncIterator

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


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium; without one, Playwright's own, if that is installed."""
    # Chromium refuses its sandbox to root.
    flags = [*FLAGS, "--no-sandbox"] if os.getuid() == 0 else FLAGS
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        yield browser
        await browser.close()
