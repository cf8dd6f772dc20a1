"""Debian's Firefox for Playwright, by WebDriver BiDi: no patched build and no geckodriver.

Playwright sends `emulation.setMediaFeaturesOverride` to each new window, and stops where the browser does not know it.
Firefox does not. So Playwright starts this module as its browser: it starts Firefox, passes each message on, and
answers this command itself. The pages then have the theme of the system.

    async with firefox(folder) as browser: …
"""

import asyncio
import contextlib
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, BrowserType, async_playwright
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

NAMES = ("firefox-esr", "firefox")
MISSING = "The tests in Firefox need Firefox. Type: sudo apt-get install firefox-esr (Fedora, Arch: firefox)"
UNKNOWN = "emulation.setMediaFeaturesOverride"
SAYS_ADDRESS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
START_SECONDS = 60


class Firefoxes:
    """Looks like one browser. Each context is a Firefox of its own: a window without focus would not be read."""

    def __init__(self, kind: BrowserType, program: Path) -> None:
        self._kind = kind
        self._program = program
        self._browsers: list[Browser] = []

    async def new_context(self, **options: object) -> BrowserContext:
        free = next((browser for browser in self._browsers if not browser.contexts), None)
        if free is None:
            free = await self._kind.launch(channel="moz-firefox", executable_path=self._program)
            self._browsers.append(free)
        return await free.new_context(**options)  # type: ignore[arg-type]

    @property
    def contexts(self) -> list[BrowserContext]:
        return [context for browser in self._browsers for context in browser.contexts]

    async def close(self) -> None:
        for browser in self._browsers:
            await browser.close()


@contextlib.asynccontextmanager
async def firefox(folder: Path) -> AsyncIterator[Firefoxes]:
    """Firefox, started as it is needed. Without one installed the test fails.

    Args:
        folder: for the program that Playwright starts.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail(MISSING, pytrace=False)
    program = folder / "firefox"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "{path}" "$@"\n')
    program.chmod(0o755)
    async with async_playwright() as playwright:
        browsers = Firefoxes(playwright.firefox, program)
        try:
            yield browsers
        finally:
            await browsers.close()


async def run(command: list[str]) -> None:
    """Start Firefox, and a relay in front of it whose address is printed as Firefox prints its own."""
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    async with asyncio.timeout(START_SECONDS):
        address = await address_in(process.stderr)
    reading = asyncio.create_task(forward(process.stderr))

    async def relay(playwright: ServerConnection) -> None:
        async with connect(f"{address}/session", max_size=None, compression=None, proxy=None) as browser:
            await asyncio.gather(pass_commands(playwright, browser), pass_answers(browser, playwright))

    async with serve(relay, "127.0.0.1", 0, max_size=None, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        sys.stderr.write(f"WebDriver BiDi listening on ws://127.0.0.1:{port}\n")
        sys.stderr.flush()
        await process.wait()
    await reading


async def address_in(lines: asyncio.StreamReader) -> str:
    async for line in lines:
        if found := SAYS_ADDRESS.search(line.decode(errors="replace")):
            return found[1]
    raise RuntimeError("Firefox ended before it listened")


async def forward(lines: asyncio.StreamReader) -> None:
    async for line in lines:
        sys.stderr.buffer.write(line)


async def pass_commands(playwright: ServerConnection, browser: ClientConnection) -> None:
    async for message in playwright:
        command = json.loads(message)
        if command["method"] == UNKNOWN:
            await playwright.send(json.dumps({"type": "success", "id": command["id"], "result": {}}))
        else:
            await browser.send(message)
    await browser.close()


async def pass_answers(browser: ClientConnection, playwright: ServerConnection) -> None:
    async for message in browser:
        await playwright.send(message)
    await playwright.close()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1:]))
