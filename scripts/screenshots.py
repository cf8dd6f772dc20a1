"""Pictures of the pages (`make screenshots`): all into var/screenshots, some of them into docs/images for the README.

The README's show no Chinese, Japanese or Korean, for which many machines have no font.

Starts a site with the demo's content in a temporary folder, and looks at it with Chromium: at three widths, light and
dark, at the same moment every time.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

from hubbub.supervisor import private_redis
from tests.browser.conftest import FLAGS
from tests.support.client import opened
from tests.support.servers import ROOT, Site

IMAGES = ROOT / "docs" / "images"
ALL = ROOT / "var" / "screenshots"
SIZES = {360: 740, 768: 1024, 1440: 900}
THEMES = ("light", "dark")
VIEWER = "mona"
PRESENT = ("amara", "jonas", "noura", "haruka", "priya")  # In the room that is shown, beside the viewer.
# The README's: file, and the pictures that it shows side by side.
README = {
    "room": ["room-1440-light"],
    "lobby": ["lobby-1440-light"],
    "dashboard": ["dashboard-1440-dark"],
    "admin": ["admin-1440-light"],
    "sign-in": ["sign-in-1440-light"],
    "phones": ["lobby-360-light", "room-360-light", "room-360-dark", "account-360-dark"],
}
GAP, BETWEEN = 12, "#d0d7de"  # Pixels between pictures side by side, and their colour.
COLORS = 128  # Of a picture in the README: a third of the bytes, and no difference to see.
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
# True when the page has not changed for a while: the charts and lists of a page come in several steps.
SETTLED = """(quietMs) => new Promise((resolve) => {
  let timer = setTimeout(resolve, quietMs);
  const observer = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(resolve, quietMs); });
  observer.observe(document.body, { subtree: true, childList: true, attributes: true });
  setTimeout(resolve, 10 * quietMs);
})"""
QUIET_MS = 400


@dataclass(frozen=True, slots=True)
class Look:
    """One size and theme."""

    width: int
    theme: Any

    @property
    def suffix(self) -> str:
        return f"{self.width}-{self.theme}"


LOOKS = [Look(width, theme) for width in SIZES for theme in THEMES]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hubbub-screenshots-") as name:
        folder = Path(name)
        with private_redis.running(folder / "redis.sock"):
            _set_up_django(folder)
            take(folder)
    make_readme_pictures()
    print(f"{len(list(ALL.glob('*.png')))} pictures in {ALL}, {len(README)} of them in {IMAGES}")  # noqa: T201


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
    from hubbub import site as identity
    from project.demo import filling
    from scripts import samples

    site = Site(folder)
    identity.identify()  # Keys in Redis have its name.
    filling.prepare(samples.NOW)
    cookie, *others = (site.make_user(name)["cookie"] for name in (VIEWER, *PRESENT))
    _sign_in_at(cookie)
    shutil.rmtree(ALL, ignore_errors=True)
    ALL.mkdir(parents=True)
    # Two of them: the name of the one that serves the dashboard is on it.
    with site.serving("hubbub", 2) as servers:
        asyncio.run(_take(servers[0].url, cookie, others))


async def _take(url: str, cookie: str, others: list[str]) -> None:
    from project.demo.rooms import BUSY
    from scripts import samples

    made = list(samples.samples())
    await keep(made[: -len(LOOKS)])
    newest = iter(made[-len(LOOKS) :])  # Each picture of the dashboard has the next one.
    async with opened_browser() as browser:
        for look in LOOKS:
            async with page_of(browser, look) as page:
                await page.goto(f"{url}/account/sign-in/")
                await save(page, "sign-in", look)
            async with page_of(browser, look, url, cookie) as page:
                await page.goto(f"{url}/")
                await save(page, "lobby", look)
            async with people_in(BUSY, url, others), page_of(browser, look, url, cookie) as page:
                await page.goto(f"{url}/rooms/{BUSY}/")
                await page.wait_for_selector("#room[data-ready=true] [data-role=rows] .message[data-seq]")
                await save(page, "room", look)
            async with page_of(browser, look, url, cookie) as page:
                await page.goto(f"{url}/account/")
                await save(page, "account", look)
                await page.evaluate("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
                await page.goto(f"{url}/admin/chat/room/")
                await save(page, "admin", look)
            async with page_of(browser, look, url, cookie) as page:
                await show_sample(page, f"{url}/monitor/", next(newest))
                await save(page, "dashboard", look)


def _sign_in_at(session_key: str) -> None:
    """The account page shows when its browser signed in."""
    from importlib import import_module

    from django.conf import settings

    from project.accounts.browsers import SIGNED_IN_AT
    from scripts import samples

    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    session[SIGNED_IN_AT] = samples.EPOCH - 7500
    session.save()


def restore_reading() -> None:
    """What an earlier picture has marked as read is unread again."""
    from chat.models import PersonalState
    from project.demo.rooms import OWN

    for state in PersonalState.objects.filter(user__username=VIEWER).select_related("room"):
        own = OWN[VIEWER].get(state.room.slug)
        state.read_seq = state.room.last_seq - (own.unread if own else 0)
        state.save(update_fields=["read_seq"])


@asynccontextmanager
async def people_in(room: str, url: str, cookies: Sequence[str]) -> AsyncIterator[None]:
    """Keep the users of these sessions in the room meanwhile."""
    async with AsyncExitStack() as stack:
        for cookie in cookies:
            client = await stack.enter_async_context(opened(url, cookie=cookie))
            await client.join(room)
        yield


async def keep(made: Sequence[Any]) -> None:
    """Store samples as the publisher does."""
    from monitor.protocol import encode
    from monitor.store import Store, connect
    from scripts import samples

    async with connect() as redis:
        for sample in made:
            await Store(redis).keep_sample(
                sample.epoch,
                sample.seq,
                encode(sample),
                made_at=sample.at.timestamp(),
                interval_ms=samples.INTERVAL_MS,
                kept=samples.SAMPLES,
            )


async def show_sample(page: Page, address: str, newest: Any) -> None:
    """Open the dashboard on the stored samples, then send the newest one: its age makes the dashboard live."""
    from monitor.protocol import version_of
    from monitor.topics import MetricsTopic

    await page.clock.set_fixed_time(newest.at)
    await page.goto(address)
    number = page.locator("[data-part=seq]")
    await expect(number).to_have_text(str(newest.seq - 1))
    MetricsTopic().publish(version_of(newest.epoch, newest.seq), newest)
    await expect(number).to_have_text(str(newest.seq))
    await keep([newest])


@asynccontextmanager
async def opened_browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # The pages are our own, and the sandbox does not start for root.
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*FLAGS, "--no-sandbox"]
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def page_of(browser: Browser, look: Look, url: str = "", cookie: str = "") -> AsyncIterator[Page]:
    """A new page, signed in if there is a cookie; below 640 pixels as on a phone."""
    from scripts import samples

    await asyncio.to_thread(restore_reading)
    is_phone = look.width < 640
    context = await browser.new_context(
        viewport={"width": look.width, "height": SIZES[look.width]},
        device_scale_factor=1,
        is_mobile=is_phone,
        has_touch=is_phone,
        color_scheme=look.theme,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
        user_agent=AGENT,
    )
    if cookie:
        await context.add_cookies([{"name": "sessionid", "value": cookie, "url": url}])
    page = await context.new_page()
    await page.clock.set_fixed_time(samples.NOW)  # "Today" is the day of the last message.
    yield page
    await context.close()


async def save(page: Page, name: str, look: Look) -> None:
    await page.evaluate("document.fonts.ready.then(() => true)")
    await page.mouse.move(0, 0)
    await page.evaluate(SETTLED, QUIET_MS)
    await page.screenshot(path=ALL / f"{name}-{look.suffix}.png", caret="hide", animations="disabled")


def make_readme_pictures() -> None:
    """Put the pictures of README together, in few colours: the repository keeps each version of them."""
    from PIL import Image

    for name, sources in README.items():
        pictures = [Image.open(ALL / f"{source}.png").convert("RGB") for source in sources]
        width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
        whole = Image.new("RGB", (width, max(picture.height for picture in pictures)), BETWEEN)
        for left, picture in _placed(pictures):
            whole.paste(picture, (left, 0))
        few = whole.quantize(COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(IMAGES / f"{name}.png", optimize=True)


def _placed(pictures: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    left = 0
    for picture in pictures:
        yield left, picture
        left += picture.width + GAP


if __name__ == "__main__":
    main()
