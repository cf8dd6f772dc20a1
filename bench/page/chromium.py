"""Chromium by Playwright: readers with a session and a cache of their own, slowed and measured by DevTools."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.load_client import Broken
from bench.machine import ALL_CORES

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROBE = Path(__file__).with_name("probe.js")
FLAGS = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
WAIT_MS = 60_000
WAIT_SECONDS = WAIT_MS / 1000
NAP_SECONDS = 0.05
VIEW = {"width": 1280, "height": 800}


def missing() -> str | None:
    """The command that installs what is missing; None when it can run."""
    if util.find_spec("playwright") is None:
        return "pip install -r requirements-dev.txt"
    if shutil.which("chromium"):
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:  # Its own, if it has been installed.
        has_own = Path(playwright.chromium.executable_path).exists()
    return None if has_own else "sudo apt-get install chromium"


@contextlib.contextmanager
def running() -> Iterator["Browser"]:
    """A Chromium on all cores: it has several processes, and its server rests while it draws."""
    from playwright.sync_api import sync_playwright

    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, ALL_CORES)
    flags = [*FLAGS, "--no-sandbox"] if os.getuid() == 0 else [*FLAGS]  # Chromium refuses its sandbox to root.
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
            try:
                yield browser
            finally:
                browser.close()
    finally:
        os.sched_setaffinity(0, before)


class Reader:
    """One page of a user, with an empty cache. `port`: of the server, or of a link to it."""

    def __init__(self, browser: "Browser", cookie: str, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._context = browser.new_context(viewport=VIEW)  # type: ignore[arg-type]
        self._context.set_default_timeout(WAIT_MS)
        self._context.add_cookies([{"name": "sessionid", "value": cookie, "domain": "127.0.0.1", "path": "/"}])
        self._context.add_init_script(path=PROBE)
        self.page = self._context.new_page()
        self.devtools = self._context.new_cdp_session(self.page)
        self.devtools.send("Performance.enable")

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def open(self, slug: str) -> float:
        """Load the room's page. Return the ms from the start of the load until its messages are painted."""
        self.page.goto(f"{self.url}/rooms/{slug}/")
        return self.painted(slug)

    def ready(self) -> None:
        """Wait until the page has joined its room."""
        self.page.wait_for_selector("html[data-state=open] #room[data-ready=true]")

    def switch(self, slug: str) -> float:
        """Click on the room's link. Return the ms from the click until the room's messages are painted."""
        self.page.locator(f"nav#rooms [data-slug={slug}] a").first.click()
        return self.painted(slug)

    def painted(self, slug: str) -> float:
        result = self._until(lambda: self.probe("result"), lambda found: found["slug"] == slug and found["painted"])
        return float(result["painted"] - result["from"])

    def probe(self, name: str, argument: Any = None) -> Any:
        """Call a function of probe.js."""
        return self.page.evaluate(f"argument => globalThis.benchProbe.{name}(argument)", argument)

    def begin(self, action: str, argument: Any = None) -> None:
        """Let the page wait for something; `ended` returns its result."""
        self.page.evaluate("([action, argument]) => globalThis.benchProbe.begin(action, argument)", [action, argument])

    def ended(self, action: str) -> Any:
        return self.probe("ended", action)

    def write(self, text: str) -> None:
        self.page.locator("#body").fill(text)
        self.page.locator("#body").press("Enter")

    def throttle(self, times: float) -> None:
        """Slow the page's main thread down."""
        self.devtools.send("Emulation.setCPUThrottlingRate", {"rate": times})

    def metrics(self) -> dict[str, float]:
        """Seconds of the main thread since the page began, and counts, by DevTools' names."""
        found = self.devtools.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: metric["value"] for metric in found}

    def heap_bytes(self) -> int:
        """What is in use after a collection: JavaScript, the browser's own objects, and buffers."""
        for _ in range(3):  # An object that is freed may free another one.
            self.devtools.send("HeapProfiler.collectGarbage")
            time.sleep(0.2)
        found = self.devtools.send("Runtime.getHeapUsage")
        return int(sum(found.get(part, 0) for part in ("usedSize", "embedderHeapUsedSize", "backingStorageSize")))

    def _until(self, read: Callable[[], Any], is_enough: Callable[[Any], Any]) -> Any:
        from playwright.sync_api import Error

        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(Error):  # A load has ended the page that was asked.
                if is_enough(found := read()):
                    return found
            time.sleep(NAP_SECONDS)
        raise Broken("the messages of the room did not show within a minute")
