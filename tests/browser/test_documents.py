"""Documents for a first hour are followed to the letter, with the built wheel, outside of the repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.chat_page import MESSAGE, post
from tests.support.servers import ROOT
from tests.support.visitor import TIMEOUT_MS
from tests.support.walkthrough import Walkthrough
from tests.test_package import built, wheel

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

__all__ = ["built", "wheel"]  # Fixtures.

FIVE_MINUTES = (ROOT / "docs" / "five-minutes.md").read_text()
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
CHAT_AND_MONITOR = (ROOT / "docs" / "chat-and-monitor.md").read_text()
NO_ISSUES = "System check identified no issues (0 silenced)."


async def open_page(browser: Browser, url: str, name: str, password: str) -> Page:
    """Open a page in a browser of its own, and sign in by the form that it leads to."""
    page = await (await browser.new_context()).new_page()
    page.set_default_timeout(TIMEOUT_MS)
    await page.goto(url)
    await page.locator("input[name=username]").fill(name)
    await page.locator("input[name=password]").fill(password)
    await page.locator("[type=submit]").click()
    await page.wait_for_url(url)
    return page


async def add_bob(page: Page, address: str) -> None:
    """Add a user in the admin, in another tab of the administrator's browser."""
    admin = await page.context.new_page()
    await admin.goto(f"{address}admin/auth/user/add/")
    await admin.locator("input[name=username]").fill("bob")
    for field in ("password1", "password2"):
        await admin.locator(f"input[name={field}]").fill("tea-at-five")
    await admin.locator("input[name=_save]").click()
    await admin.wait_for_url("**/change/")


@pytest.fixture
def walkthrough(tmp_path: Path, wheel: Path) -> Iterator[Walkthrough]:
    folder = tmp_path / "mysite"
    folder.mkdir()
    with Walkthrough(folder, wheel) as walkthrough:
        yield walkthrough


async def test_five_minutes_lead_to_a_live_page(browser: Browser, walkthrough: Walkthrough) -> None:
    walkthrough.shell(
        "python3 -m venv .venv\npip install 'django-hubbub[server]'\npython -m django startproject mysite ."
    )
    output = walkthrough.follow(FIVE_MINUTES)
    assert NO_ISSUES in output
    assert "WARNING" not in output
    address = walkthrough.url("http://127.0.0.1:8000/")
    [(name, password)] = re.findall(r"sign in +(\S+) / (\S+)", walkthrough.output)

    first, second = [await open_page(browser, f"{address}people/", name, password) for _ in range(2)]
    for page in (first, second):
        await expect(page.locator("#count")).to_have_text("1")
    await first.locator("#wave").click()
    for page in (first, second):
        await expect(page.locator("#waves li")).to_have_text(["admin waves"])

    await add_bob(first, address)
    for page in (first, second):
        await expect(page.locator("#count")).to_have_text("2")
        await expect(page.locator("#newest")).to_have_text("bob, admin")

    walkthrough.stop("8000")
    walkthrough.shell("python manage.py runserver --noreload 8000")
    for page in (first, second):
        await page.goto(f"{address}people/")
        await expect(page.locator("#count")).to_have_text("2")
    await second.locator("#wave").click()
    await expect(first.locator("#waves li")).to_have_text(["admin waves"])


async def test_the_tutorial_leads_to_a_poll_on_two_processes(browser: Browser, walkthrough: Walkthrough) -> None:
    output = walkthrough.follow(TUTORIAL)
    assert NO_ISSUES in output
    assert "Ran 2 tests" in output
    assert "WARNING" not in output
    pages = []
    for url, name in (("http://127.0.0.1:8001/", "alice"), ("http://127.0.0.1:8002/", "bob")):
        page = await open_page(browser, walkthrough.url(url), name, "tea-at-five")
        await page.get_by_role("link", name="Tea?").click()
        await expect(page.locator("#bars button")).to_have_text(["Yes: 0", "No: 0"])
        pages.append(page)
    alice, bob = pages
    await bob.get_by_role("button", name="Yes").click()
    for page in pages:
        await expect(page.locator("#bars button")).to_have_text(["Yes: 1", "No: 0"])
    await alice.get_by_role("button", name="No").click()
    for page in pages:
        await expect(page.locator("#bars button")).to_have_text(["Yes: 1", "No: 1"])

    admin = await alice.context.new_page()
    await admin.goto(walkthrough.url("http://127.0.0.1:8001/admin/polls/poll/1/change/"))
    await admin.locator("input[name=question]").fill("Coffee?")
    await admin.locator("input[name=_save]").click()
    for page in pages:
        await expect(page.locator("#question")).to_have_text("Coffee?")

    walkthrough.stop("8002")
    await expect(bob.locator("#problem")).to_have_text("Not connected.")
    await alice.get_by_role("button", name="Yes").click()
    await expect(alice.locator("#bars button")).to_have_text(["Yes: 2", "No: 0"])
    walkthrough.shell("python -m hubbub.server -p 8002 mysite.asgi:application")
    await expect(bob.locator("#bars button")).to_have_text(["Yes: 2", "No: 0"])
    await expect(bob.locator("#problem")).to_have_text("")


async def test_chat_and_monitor_are_copied_and_two_users_talk(browser: Browser, walkthrough: Walkthrough) -> None:
    walkthrough.shell(
        "python3 -m venv .venv\npip install 'django-hubbub[server]'\npython -m django startproject mysite ."
    )
    output = walkthrough.follow(CHAT_AND_MONITOR)
    assert NO_ISSUES in output
    assert "WARNING" not in output
    address = walkthrough.url("http://127.0.0.1:8000/")
    [(name, password)] = re.findall(r"sign in +(\S+) / (\S+)", walkthrough.output)

    admin = await open_page(browser, address, name, password)
    await add_bob(admin, address)
    bob = await open_page(browser, address, "bob", "tea-at-five")
    for page in (admin, bob):
        await page.locator(".lobby").get_by_role("link", name="General").click()
        await page.wait_for_selector("html[data-state=open]")
    await post(bob, "Tea is ready.")
    for page in (admin, bob):
        await expect(page.locator(MESSAGE)).to_have_text(["Tea is ready."])

    await admin.goto(f"{address}monitor/")
    await admin.wait_for_selector("#dashboard[data-freshness=live]")
    await bob.get_by_role("button", name="Sign out").click()
    await expect(bob.get_by_role("heading")).to_have_text("Sign in")
