"""The dashboard in a real browser, against real processes."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

TIMEOUT_MS = 15_000
SHOWN_SEQ = "() => Number(document.querySelector('[data-part=seq]').textContent.replace(',', ''))"
# Whether any line was drawn: a canvas without one is transparent but for its axes, which are grey.
COLOURED_CANVASES = """() => [...document.querySelectorAll(".plot canvas")].filter((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 0; at < data.length; at += 4) {
        const [red, green, blue, alpha] = data.subarray(at, at + 4);
        if (alpha > 200 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) return true;
    }
    return false;
}).length"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with short intervals, so that tests need not wait for seven seconds."""
    quick = {"HUBBUB_SAMPLE_SECONDS": "0.5", "HUBBUB_STALE_SECONDS": "2"}
    with Cluster(tmp_path_factory.mktemp("dashboard"), processes=2, **quick) as quick_cluster:
        yield quick_cluster


@pytest.fixture(scope="module")
def mona(cluster: Cluster) -> str:
    return cluster.make_user("mona", "view_dashboard")["cookie"]


class Visit:
    """Pages of one browser, with their problems recorded."""

    def __init__(self, browser: Browser, cluster: Cluster) -> None:
        self._browser = browser
        self._cluster = cluster
        self.contexts: list[BrowserContext] = []
        self.problems: list[str] = []

    async def open(self, cookie: str, **options: Any) -> Page:
        context = await self._browser.new_context(**options)
        self.contexts.append(context)
        host = urlsplit(self._cluster.url).hostname
        await context.add_cookies([{"name": "sessionid", "value": cookie, "domain": host, "path": "/"}])
        page = await context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        # Only the console shows violations of the Content-Security-Policy.
        page.on("console", lambda line: self.problems.append(line.text) if "Security Policy" in line.text else None)
        await page.goto(f"{self._cluster.url}/monitor/")
        return page


@pytest.fixture
async def visit(browser: Browser, cluster: Cluster) -> AsyncIterator[Visit]:
    opener = Visit(browser, cluster)
    yield opener
    for context in opener.contexts:
        await context.close()
    assert opener.problems == []


async def becomes(page: Page, word: str) -> None:
    await page.wait_for_selector(f"#dashboard[data-freshness={word}]")


async def samples_pass(page: Page, count: int) -> None:
    """Wait until so many more are shown."""
    first = await page.evaluate(SHOWN_SEQ)
    await holds(page, f"() => ({SHOWN_SEQ})() >= {first + count}")


async def holds(page: Page, condition: str) -> None:
    """Wait for a condition. Asked from outside: within the page its Content-Security-Policy forbids to evaluate."""
    async with asyncio.timeout(TIMEOUT_MS / 1000):
        while not await page.evaluate(condition):
            await asyncio.sleep(0.05)


async def test_the_dashboard_moves(visit: Visit, mona: str) -> None:
    page = await visit.open(mona)
    await becomes(page, "live")
    await expect(page.locator(".host")).to_have_count(1)
    await expect(page.locator("[data-part=processes] tr")).to_have_count(2)
    await expect(page.locator("[data-part=served-by]")).to_have_text(re.compile(r"^web-[12]$"))
    await samples_pass(page, 3)
    assert await page.locator(".chart").count() == 4
    await holds(page, f"() => ({COLOURED_CANVASES})() === 4")


async def test_two_tabs_show_the_same_sample(visit: Visit, mona: str) -> None:
    pages = [await visit.open(mona) for _ in range(2)]
    for page in pages:
        await becomes(page, "live")

    async def both() -> list[list[str]]:
        numbers = ".strip-seq, .host .number"
        return [await page.locator(numbers).all_inner_texts() for page in pages]

    async with asyncio.timeout(15):
        while True:
            first, other = await both()
            if first[0] == other[0]:
                break
    assert first == other
    assert len(first) == 5


async def test_it_says_stale_when_no_sample_comes_and_live_again(visit: Visit, cluster: Cluster, mona: str) -> None:
    page = await visit.open(mona)
    await becomes(page, "live")
    publisher = cluster.pid_of("publisher")
    assert publisher is not None
    os.kill(publisher, signal.SIGSTOP)
    try:
        await becomes(page, "stale")
        await expect(page.locator("[role=status]")).to_contain_text("Stale")
        await expect(page.locator(".host .state")).to_contain_text("Stale since")
        await expect(page.locator("[data-part=age]")).to_have_text(re.compile(r"^([3-9]|\d\d)"))
    finally:
        os.kill(publisher, signal.SIGCONT)
    await becomes(page, "live")
    await expect(page.locator(".host .state")).to_have_text("Live")


async def test_it_says_offline_when_its_process_dies_and_comes_back_on_another(
    visit: Visit, cluster: Cluster, mona: str
) -> None:
    page = await visit.open(mona)
    await becomes(page, "live")
    # Noted by the page itself: it may be back before anybody outside has looked.
    await page.evaluate(
        """() => {
            window.words = [];
            const dashboard = document.getElementById("dashboard");
            const note = () => window.words.push(dashboard.dataset.freshness);
            new MutationObserver(note).observe(dashboard, { attributeFilter: ["data-freshness"] });
        }"""
    )
    serving = await page.locator("[data-part=served-by]").inner_text()
    pid = cluster.pid_of(serving)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await holds(page, "() => window.words.includes('offline')")
    await becomes(page, "live")
    await until(lambda: cluster.pid_of(serving) not in (None, pid))
    # Until it is as before for the tests that follow: the dead one's row has gone, the new one's has come.
    await until(lambda: serving in cluster.sockets)
    rows = page.locator("[data-part=processes] tr")
    await expect(page.locator("[data-part=processes]")).to_contain_text(str(cluster.pid_of(serving)))
    await expect(rows).to_have_count(2)


async def test_a_process_has_charts_too_by_keyboard(visit: Visit, mona: str) -> None:
    page = await visit.open(mona)
    await becomes(page, "live")
    button = page.locator("[data-part=processes] button").first
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(button).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("#charts-title")).to_have_text(re.compile(r"^Charts of web-1 on "))
    await expect(page.locator(".chart h3")).to_have_text(["Sockets", "Messages", "Event-loop lag", "Memory"])
    await holds(page, f"() => ({COLOURED_CANVASES})() === 4")


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (768, "light")])
async def test_it_fits_a_small_screen_and_nothing_moves(visit: Visit, mona: str, width: int, scheme: str) -> None:
    page = await visit.open(mona, viewport={"width": width, "height": 740}, color_scheme=scheme)
    await becomes(page, "live")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tables = "[...document.querySelectorAll('.scroller')].map((element) => element.scrollWidth - element.clientWidth)"
    assert await page.evaluate(tables) == [0, 0]
    places = (
        "() => [...document.querySelectorAll('.metric .unit, .chart, section h2')].map((element) => element.offsetTop)"
    )
    before = await page.evaluate(places)
    await samples_pass(page, 4)
    assert await page.evaluate(places) == before
    # No cell of a process keeps a second line free.
    cells = "[...document.querySelectorAll('[data-part=processes] tr:first-child td:not(:last-child)')]"
    assert len(set(await page.evaluate(f"{cells}.map((element) => element.offsetHeight)"))) == 1


async def test_a_user_without_the_permission_gets_403_and_no_link(visit: Visit, cluster: Cluster) -> None:
    page = await visit.open((await asyncio.to_thread(cluster.make_user, "charlie"))["cookie"])
    await expect(page.locator("h1")).to_have_text("Not allowed")
    await expect(page.locator("#dashboard")).to_have_count(0)
    await page.goto(cluster.url)
    await expect(page.get_by_role("link", name="Monitor")).to_have_count(0)
