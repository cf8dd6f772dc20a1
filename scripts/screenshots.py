"""Makes the README's pictures in docs/images (`make screenshots`): the same content at the same moment, every time.

Starts a site of its own in a temporary folder, with servers and a Redis as the tests do, and looks at it with Chromium.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from hubbub.supervisor import private_redis
from tests.browser.conftest import FLAGS
from tests.support.client import opened
from tests.support.servers import ROOT, Site

IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
PRESENT = 4  # Of the demo's people in the room that is shown.


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hubbub-screenshots-") as name:
        folder = Path(name)
        with private_redis.running(folder / "redis.sock"):
            _set_up_django(folder)
            take(folder)


def _set_up_django(folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith("HUBBUB_")]:
        del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "HUBBUB_VAR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/site.sqlite3",
        "REDIS_URL": f"unix://{folder / 'redis.sock'}",
    }
    import django

    django.setup()


def take(folder: Path) -> None:
    from scripts import demo

    site = Site(folder)
    demo.make_site()
    cookie, *others = (site.make_user(name)["cookie"] for name in demo.PEOPLE[:PRESENT])
    # Two of them: the name of the one that serves the dashboard is on it.
    with site.serving("hubbub", 2) as servers:
        asyncio.run(_take(servers[0].url, cookie, others))


async def _take(url: str, cookie: str, others: list[str]) -> None:
    async with opened_browser() as browser:
        page = await page_of(browser)
        await page.goto(f"{url}/account/sign-in/")
        await save(page, "sign-in")

        page = await page_of(browser)
        await page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": url}])
        await page.goto(f"{url}/")
        await save(page, "lobby")
        async with people_in("operations", url, others):
            await page.goto(f"{url}/rooms/operations/")
            await page.wait_for_selector("html[data-state=open] #room[data-ready=true]")
            await expect(page.locator(".people .person")).to_have_count(len(others) + 1)
            await save(page, "room")
        await page.evaluate("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")  # Room for the columns.
        await page.goto(f"{url}/admin/chat/room/")
        await save(page, "admin")
        await show_samples(page, f"{url}/monitor/")
        await save(page, "dashboard")


@asynccontextmanager
async def people_in(room: str, url: str, cookies: list[str]) -> AsyncIterator[None]:
    """Keep the users of these sessions in the room meanwhile."""
    async with AsyncExitStack() as stack:
        for cookie in cookies:
            client = await stack.enter_async_context(opened(url, cookie=cookie))
            await client.join(room)
        yield


async def show_samples(page: Page, address: str) -> None:
    """Open the dashboard on the stored samples, then send the newest one: its age makes the dashboard live."""
    from hubbub.publish import publish
    from monitor.protocol import GROUP, encode, version_of
    from monitor.store import Store, connect
    from scripts import demo

    *earlier, newest = demo.samples()
    async with connect() as redis:
        for sample in earlier:
            await Store(redis).keep_sample(
                sample.epoch,
                sample.seq,
                encode(sample),
                made_at=sample.at.timestamp(),
                interval_ms=demo.INTERVAL_MS,
                kept=demo.SAMPLES,
            )
    await page.goto(address)
    await page.wait_for_selector("html[data-state=open]")
    number = page.locator("[data-part=seq]")
    await expect(number).to_have_text(str(earlier[-1].seq))
    publish(GROUP, encode(newest).decode(), version=version_of(newest.epoch, newest.seq))
    await expect(number).to_have_text(str(newest.seq))


@asynccontextmanager
async def opened_browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # The pages are our own, and the sandbox does not start for root.
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*FLAGS, "--no-sandbox"]
        )
        yield browser
        await browser.close()


async def page_of(browser: Browser) -> Page:
    from scripts import demo

    context = await browser.new_context(
        viewport=SIZE,
        device_scale_factor=1,
        color_scheme="light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    page = await context.new_page()
    await page.clock.set_fixed_time(demo.NOW)  # "Today" is the day of the last message.
    return page


async def save(page: Page, name: str) -> None:
    await page.evaluate("document.fonts.ready")
    await page.mouse.move(0, 0)
    await page.screenshot(path=IMAGES / f"{name}.png", caret="hide", animations="disabled")


if __name__ == "__main__":
    main()
