"""The installed chat: its manifest, its offline page, what the service worker keeps, and what it leaves alone."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.chat_page import make_room, post, ready, says, write_lines
from tests.support.cluster import Cluster
from tests.support.servers import free_port
from tests.support.visitor import Visitor, visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.timeout(300)]

ACTIVE = "navigator.serviceWorker.ready.then(({ active, scope }) => [active.scriptURL, scope])"
CONTROLLED = "navigator.serviceWorker.controller !== null"
# Each cache by its name, with the addresses in it.
KEPT = """async () => Object.fromEntries(await Promise.all((await caches.keys()).map(async (name) =>
    [name, (await (await caches.open(name)).keys()).map(({ url }) => url)])))"""
TEXTS = """async () => (await Promise.all((await caches.keys()).map(async (name) => {
    const cache = await caches.open(name);
    return (await Promise.all((await cache.matchAll()).map((kept) => kept.text()))).join("");
}))).join("")"""
LOADS = "async (urls) => (await Promise.all(urls.map((url) => fetch(url)))).map(({ ok }) => ok)"


async def installed(visitor: Visitor, address: str) -> None:
    """Open the page, wait for its worker, and open it again: then the worker has it."""
    await visitor.open(address)
    await visitor.page.evaluate(ACTIVE)
    await visitor.open(address)
    assert await visitor.page.evaluate(CONTROLLED)


async def addresses(page: Page) -> list[str]:
    kept: dict[str, list[str]] = await page.evaluate(KEPT)
    return [address for addresses in kept.values() for address in addresses]


async def settled(page: Page) -> list[str]:
    """What is kept, after two looks have found the same: files are stored after they were answered."""
    before: list[str] = []
    while len(now := await addresses(page)) != len(before) or not now:
        before = now
        await asyncio.sleep(0.25)
    return now


async def comes_to(page: Page, expression: str, value: Any) -> None:
    """Wait for this value. Asked from outside: within the page its policy forbids to evaluate."""
    async with asyncio.timeout(20):
        while await page.evaluate(expression) != value:
            await asyncio.sleep(0.05)


@pytest.fixture
async def room(cluster: Cluster) -> str:
    slug = f"room-{uuid4().hex[:8]}"
    await make_room(cluster, slug, messages=3)
    return f"/rooms/{slug}/"


async def test_the_browser_finds_nothing_that_keeps_the_site_from_being_installed(
    browser: Browser, cluster: Cluster
) -> None:
    async with visiting(browser, cluster, "alice") as alice:
        await alice.open("/")
        devtools = await alice.page.context.new_cdp_session(alice.page)
        found: dict[str, Any] = await devtools.send("Page.getAppManifest")
        assert found["url"] == f"{cluster.url}/manifest.webmanifest"
        assert found["errors"] == []
        problems = (await devtools.send("Page.getInstallabilityErrors"))["installabilityErrors"]
        # A context of Playwright is a private window, in which nothing is installed.
        assert [problem["errorId"] for problem in problems if problem["errorId"] != "in-incognito"] == []
        assert alice.problems == []


async def test_nothing_but_hashed_files_and_one_page_is_kept(browser: Browser, cluster: Cluster, room: str) -> None:
    async with visiting(browser, cluster, "alice") as alice:
        page = alice.page
        await installed(alice, room)
        await ready(page)
        await post(page, "a secret of alice")
        await says(page, "a secret of alice")
        for address in ("/account/", "/", room):
            await alice.open(address)
        await ready(page)
        kept = await settled(page)
        assert f"{cluster.url}/offline/" in kept
        others = [address for address in kept if not address.endswith("/offline/")]
        assert len(others) > 10
        for address in others:
            name = address.rsplit("/", 1)[1].split(".")
            assert address.startswith(f"{cluster.url}/static/"), address
            assert len(name[-2]) == 12, address
        texts = await page.evaluate(TEXTS)
        assert "secret of alice" not in texts
        assert "alice" not in texts.lower().replace("alice's", "")
        alice.responses.clear()
        await alice.open(room)
        await ready(page)
        files = [response for response in alice.responses if "/static/" in response.url]
        assert len(files) > 5
        assert all(response.from_service_worker for response in files)
        assert alice.problems == []


async def test_signing_out_leaves_nothing_of_the_user_in_the_caches(
    browser: Browser, cluster: Cluster, room: str
) -> None:
    async with visiting(browser, cluster, "alice") as alice:
        page = alice.page
        await installed(alice, room)
        await ready(page)
        await post(page, "words that must go")
        await says(page, "words that must go")
        form = page.locator("form[data-signs-out]")
        await form.evaluate("form => form.requestSubmit()")
        await page.wait_for_url("**/account/sign-in/**")
        assert "words that must go" not in await page.evaluate(TEXTS)
        assert [address for address in await addresses(page) if "/static/" not in address] == [
            f"{cluster.url}/offline/"
        ]
        # The next page is the server's: it asks for a sign-in.
        await page.goto(f"{cluster.url}{room}")
        await page.wait_for_url("**/account/sign-in/?next=**")
        # A form passes by the worker: its token and cookies arrive.
        await page.get_by_label("Name").fill("alice")
        await page.get_by_label("Password").fill("not the password")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        assert alice.problems == []


def site_at(folder: Path, port: int, **settings: str) -> Cluster:
    """A site that comes back at the same address, with its database."""
    return Cluster(folder, processes=1, arguments=["--port", str(port)], **settings)


async def test_without_a_server_the_offline_page_shows_and_leads_back(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    site = await asyncio.to_thread(site_at(tmp_path, port).__enter__)
    try:
        async with visiting(browser, site, "alice") as alice:
            page = alice.page
            await installed(alice, "/rooms/general/")
            await ready(page)
            await alice.open("/rooms/general/")
            kept = [address for address in await settled(page) if "/static/" in address]
            await asyncio.to_thread(site.__exit__, None, None, None)
            for address in ("/rooms/general/", "/account/"):
                await page.goto(f"{site.url}{address}")
                await expect(page.get_by_role("heading", name="No connection")).to_be_visible()
                assert page.url == f"{site.url}{address}"
                assert "alice" not in await page.content()
            # Files come from the cache: there is no server.
            assert len(kept) > 10
            assert all(await page.evaluate(LOADS, kept))
            # With its style sheets.
            button = page.get_by_role("link", name="Try again")
            assert await button.evaluate("button => getComputedStyle(button).borderRadius") != "0px"
            await button.click()
            await expect(page.get_by_role("heading", name="No connection")).to_be_visible()
            assert page.url == f"{site.url}/account/"
            site = await asyncio.to_thread(site_at(tmp_path, port).__enter__)
            await button.click()
            await expect(page.get_by_role("heading", name="Your account")).to_be_visible()
            await alice.open("/rooms/general/")
            await ready(page)
            await post(page, "here again")
            await says(page, "here again")
    finally:
        await asyncio.to_thread(site.__exit__, None, None, None)


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("below")
    with Cluster(folder, processes=1, DJANGO_SETTINGS_MODULE="tests.support.prefixed_site") as team:
        yield team


async def test_below_a_path_the_worker_has_the_chat_alone(browser: Browser, below: Cluster) -> None:
    async with visiting(browser, below, "alice") as alice:
        page = alice.page
        await alice.open("/team/rooms/general/")
        script, scope = await page.evaluate(ACTIVE)
        assert (script, scope) == (f"{below.url}/team/service-worker.js", f"{below.url}/team/")
        await alice.open("/team/rooms/general/")
        await ready(page)
        [name] = await page.evaluate("caches.keys()")
        assert name.startswith("hubbub /team/ ")
        devtools = await page.context.new_cdp_session(page)
        found = await devtools.send("Page.getAppManifest")
        assert found["errors"] == []
        assert '"scope": "/team/"' in found["data"]
        # The root of the host is another site's.
        await page.goto(f"{below.url}/elsewhere/")
        assert not await page.evaluate(CONTROLLED)


async def test_another_version_replaces_the_worker_and_what_it_kept(browser: Browser, below: Cluster) -> None:
    async with visiting(browser, below, "alice") as alice:
        page = alice.page
        await installed(alice, "/team/rooms/general/")
        await ready(page)
        [before] = await page.evaluate("caches.keys()")
        await page.evaluate("caches.open('of another app')")
        # The offline page is another one: so is the version.
        german = """
            from django.contrib.auth import get_user_model
            get_user_model().objects.filter(username="alice").update(language="de")
            """
        await asyncio.to_thread(below.shell, german)
        await page.evaluate("navigator.serviceWorker.getRegistration().then((found) => void found.update())")
        await comes_to(page, f"caches.has({before!r})", False)
        assert "of another app" in await page.evaluate("caches.keys()")
        assert "Keine Verbindung" in await page.evaluate(TEXTS)
        # The open page did not have to be closed for it.
        assert await page.evaluate(CONTROLLED)
        await post(page, "under the new one")
        await says(page, "under the new one")


async def test_switched_off_the_worker_ends_itself(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    site = await asyncio.to_thread(site_at(tmp_path, port).__enter__)
    try:
        async with visiting(browser, site, "alice") as alice:
            page = alice.page
            await installed(alice, "/rooms/general/")
            await asyncio.to_thread(site.__exit__, None, None, None)
            site = site_at(tmp_path, port, HUBBUB_SERVICE_WORKER="false")
            await asyncio.to_thread(site.__enter__)
            await alice.open("/rooms/general/")
            await ready(page)
            await comes_to(page, "navigator.serviceWorker.getRegistrations().then((found) => found.length)", 0)
            await comes_to(page, "caches.keys()", [])
            await alice.open("/rooms/general/")
            await ready(page)
            assert not await page.evaluate(CONTROLLED)
    finally:
        await asyncio.to_thread(site.__exit__, None, None, None)


RECORD = """globalThis.badges = [];
Navigator.prototype.setAppBadge = async (count) => void badges.push(count);
Navigator.prototype.clearAppBadge = async () => void badges.push(0);"""


async def test_the_icon_has_the_number_of_rooms_with_unread_messages(browser: Browser, cluster: Cluster) -> None:
    slugs = [f"room-{uuid4().hex[:8]}" for _ in range(2)]
    for slug in slugs:
        await make_room(cluster, slug)
    async with visiting(browser, cluster, f"ada-{uuid4().hex[:6]}") as ada:
        await ada.page.add_init_script(RECORD)
        for slug in slugs:
            await ada.open(f"/rooms/{slug}/")
            await ready(ada.page)
        last = "badges.at(-1) ?? 0"
        before = await ada.page.evaluate(last)
        await write_lines(cluster, slugs[0], range(3))
        await comes_to(ada.page, last, before + 1)
        assert ada.problems == []
