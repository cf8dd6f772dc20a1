"""Language, clock and theme of a person on the pages of a real browser."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, Response, expect

from tests.support.chat_page import post, ready, says
from tests.support.cluster import Cluster
from tests.support.visitor import TIMEOUT_MS, Visitor, visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

SIZES = ((360, 740), (1280, 800))
# The lightness of the page behind everything: oklch() as the browser computes it.
LIGHTNESS = "parseFloat(getComputedStyle(document.documentElement).backgroundColor.replace('oklch(', ''))"
TEXTS = re.compile(r"/(\w+)/texts/de\.[0-9a-f]{12}\.js$")
APPS = {"hubbub", "chat", "monitor", "project"}
DRAWN = """() => [...document.querySelectorAll(".plot canvas")].some((canvas) =>
    canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 200))"""


@pytest.fixture(scope="module")
def arabic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A site with Arabic, by Django's own texts."""
    settings = {"DJANGO_SETTINGS_MODULE": "tests.support.right_to_left"}
    with Cluster(tmp_path_factory.mktemp("arabic"), processes=1, **settings) as site:
        yield site


async def choose(page: Page, **choices: str) -> None:
    """Save choices on the account page."""
    for name, value in choices.items():
        await page.locator(f"#id_choices_{name}").select_option(value)
    async with page.expect_navigation():
        await page.locator("section[aria-labelledby=choices-title] button").click()
    await expect(page.get_by_role("status")).to_be_visible(timeout=TIMEOUT_MS)


async def looks(page: Page, language: str, theme: str, clock: str) -> None:
    html = page.locator("html")
    for name, value in (("lang", language), ("data-theme", theme), ("data-clock", clock)):
        await expect(html).to_have_attribute(name, value)


def texts_of(responses: list[Response]) -> set[str]:
    """The apps whose German texts were loaded, each under a hash and cached for ever."""
    found = [(match[1], response) for response in responses if (match := TEXTS.search(response.url))]
    for _, response in found:
        assert "immutable" in response.headers["cache-control"]
    assert len(found) == len(dict(found))
    return {app for app, _ in found}


async def look(page: Page, folder: Path, name: str, **media: Any) -> None:
    """Screenshots of both sizes; nothing may stick out."""
    for width, height in SIZES:
        await page.set_viewport_size({"width": width, "height": height})
        await page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, name


async def german_room(room: Visitor, slug: str, folder: Path) -> None:
    """The other tab of who has chosen German: theme and clock come at once, the language at its next page."""
    await looks(room.page, "en", "dark", "24")
    assert await room.page.evaluate(LIGHTNESS) < 0.3
    await expect(room.page.locator(".message time").last).to_have_text(re.compile(r"^\d\d:\d\d$"))
    await room.open(f"/rooms/{slug}/")
    await ready(room.page)
    await looks(room.page, "de", "dark", "24")
    await expect(room.page.locator(".day").last).to_have_text("Heute")
    await expect(room.page.locator(".message time").last).to_have_text(re.compile(r"^\d\d:\d\d$"))
    await expect(room.page.locator("#body")).to_have_attribute("placeholder", "Nachricht schreiben")
    await expect(room.page.locator("[data-section=rooms] h3")).to_have_text("Räume")
    await look(room.page, folder, "room-dark")
    await room.page.locator(".composer [data-role=emoji]").click()
    await room.page.get_by_placeholder("Emoji suchen").fill("fuchs")
    await expect(room.page.get_by_role("option", selected=True)).to_have_attribute("aria-label", "Fuchs")
    await room.page.keyboard.press("Escape")


async def test_a_person_chooses_german_dark_and_24_hours(browser: Browser, cluster: Cluster, tmp_path: Path) -> None:
    slug = f"room-{uuid4().hex[:8]}"
    make = f"from chat import services; services.create_room(slug={slug!r}, title='Room')"
    await asyncio.to_thread(cluster.shell, make)
    await asyncio.to_thread(cluster.make_user, f"ada-{slug}", "view_dashboard")
    async with visiting(browser, cluster, f"ada-{slug}") as room:
        account = Visitor(await room.page.context.new_page(), cluster.url)
        await room.open(f"/rooms/{slug}/")
        await ready(room.page)
        await post(room.page, "Hello")
        await says(room.page, "Hello")
        await expect(room.page.locator(".message time").last).to_have_text(re.compile(r"^\d\d?:\d\d\s[AP]M$"))
        await expect(room.page.locator(".day").last).to_have_text("Today")
        await account.open("/account/")
        await looks(account.page, "en", "system", "language")
        assert await account.page.evaluate(LIGHTNESS) > 0.9
        assert texts_of(room.responses + account.responses) == set()  # An English page loads no catalogue.

        await choose(account.page, language="de", clock="24", theme="dark")
        await looks(account.page, "de", "dark", "24")
        await expect(account.page.locator("h1")).to_have_text("Dein Konto")
        await expect(account.page.get_by_role("status")).to_have_text("Deine Auswahl ist gespeichert.")
        assert await account.page.evaluate(LIGHTNESS) < 0.3
        assert texts_of(account.responses) == APPS
        await expect(account.page.locator("time").first).to_have_text(re.compile(r"^\d+\. .* \d{4}, \d\d:\d\d$"))
        await look(account.page, tmp_path, "account-dark")

        await german_room(room, slug, tmp_path)

        await room.open("/monitor/")
        await looks(room.page, "de", "dark", "24")
        await expect(room.page.locator("[data-part=word]")).to_have_text("Aktuell", timeout=TIMEOUT_MS)
        memory = room.page.locator("[data-part=memory] [data-part=about]").first
        await expect(memory).to_have_text(re.compile(r"^[\d,]+\sGiB von [\d,]+\sGiB$"))
        await room.page.wait_for_function(DRAWN)
        await look(room.page, tmp_path, "dashboard-dark")

        await choose(account.page, clock="12", theme="light")
        assert await account.page.evaluate(LIGHTNESS) > 0.9
        await looks(room.page, "de", "light", "12")  # The dashboard, at once.
        await look(account.page, tmp_path, "account-light")
        await room.open(f"/rooms/{slug}/")
        await ready(room.page)
        await expect(room.page.locator(".message time").last).to_have_text(re.compile(r"^[1-9]\d?:\d\d\s[AP]M$"))
        assert room.problems == account.problems == []


async def test_the_chosen_theme_is_stronger_than_the_system(browser: Browser, cluster: Cluster) -> None:
    async with visiting(browser, cluster, f"ada-{uuid4().hex[:8]}") as ada:
        await ada.page.emulate_media(color_scheme="dark")
        await ada.open("/account/")
        assert await ada.page.evaluate(LIGHTNESS) < 0.3
        await choose(ada.page, theme="light")
        assert await ada.page.evaluate(LIGHTNESS) > 0.9
        await choose(ada.page, theme="")
        assert await ada.page.evaluate(LIGHTNESS) < 0.3


async def test_a_visitor_reads_the_language_of_the_browser(browser: Browser, cluster: Cluster) -> None:
    context = await browser.new_context(locale="de-AT")
    page = await context.new_page()
    await page.goto(f"{cluster.url}/")
    await expect(page.locator("h1")).to_have_text("Anmelden")
    await page.get_by_label("Name").fill("nobody")
    await page.get_by_label("Passwort").fill("nothing")
    await page.get_by_role("button", name="Anmelden").click()
    await expect(page.get_by_role("alert")).to_contain_text("Falscher Name oder falsches Passwort.")
    await page.get_by_role("link", name="English").click()
    await expect(page.locator("h1")).to_have_text("Sign in")
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await context.close()


async def test_a_right_to_left_language_turns_the_account_pages(
    browser: Browser, arabic: Cluster, tmp_path: Path
) -> None:
    async with visiting(browser, arabic, "ada") as ada:
        await ada.open("/account/")
        await choose(ada.page, language="ar")
        await looks(ada.page, "ar", "system", "language")
        await expect(ada.page.locator("html")).to_have_attribute("dir", "rtl")
        for width, height in SIZES:
            await ada.page.set_viewport_size({"width": width, "height": height})
            title = await ada.page.locator("#profile-title").bounding_box()
            field = await ada.page.locator("#id_profile_shown_name").bounding_box()
            assert title
            assert field
            # Texts begin at the right, and so do the fields below them.
            assert abs((title["x"] + title["width"]) - (field["x"] + field["width"])) < 2
            assert field["x"] + field["width"] > width / 2
        await look(ada.page, tmp_path, "account-arabic")
        await ada.page.locator("[data-signs-out] button").last.click()
        await ada.page.wait_for_url("**/account/sign-in/**")
        await expect(ada.page.locator("html")).to_have_attribute("dir", "rtl")
        await look(ada.page, tmp_path, "sign-in-arabic")
        assert ada.problems == []
