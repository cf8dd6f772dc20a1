"""Topics on a page, by the browser client: two browsers on two processes of a site with polls."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.redis_server import OwnRedis
from tests.support.servers import Server, Site
from tests.support.visitor import TIMEOUT_MS

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

APPLICATION = "tests.support.polls.asgi:application"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    with OwnRedis(tmp_path_factory.mktemp("redis") / "redis.sock") as redis:
        redis.start()
        yield redis


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, redis: OwnRedis) -> Site:
    settings = {"DJANGO_SETTINGS_MODULE": "tests.support.polls.settings", "REDIS_URL": redis.url}
    return Site(tmp_path_factory.mktemp("polls"), **settings)


@pytest.fixture(scope="module")
def servers(site: Site) -> Iterator[list[Server]]:
    with site.serving("hubbub", 2, APPLICATION) as servers:
        yield servers


def make_poll(site: Site) -> tuple[str, int, int]:
    """A poll, its option "yes", its option "no"."""
    poll, yes, no = site.shell(
        """
        from tests.support.polls.models import Option, Poll
        poll = Poll.objects.create(question="Tea?")
        print(poll.pk, *(Option.objects.create(poll=poll, text=text).pk for text in ("yes", "no")))
        """
    ).split()
    return poll, int(yes), int(no)


def make_voter(site: Site, name: str) -> str:
    """A user who may see polls and vote. Returns the session cookie."""
    site.make_user(name, "add_vote")
    return site.make_user(name, "view_poll")["cookie"]


async def open_page(browser: Browser, server: Server, cookie: str, poll: str) -> Page:
    context = await browser.new_context()
    await context.add_cookies([{"name": "sessionid", "value": cookie, "domain": "127.0.0.1", "path": "/"}])
    page = await context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    await page.goto(f"{server.url}/poll/#{poll}")
    await expect(page.locator("#votes")).to_have_text("yes 0, no 0")
    return page


async def test_votes_and_notes_reach_both_pages_also_through_a_restart(
    browser: Browser, site: Site, servers: list[Server]
) -> None:
    poll, yes, no = make_poll(site)
    first = await open_page(browser, servers[0], make_voter(site, "ada"), poll)
    second = await open_page(browser, servers[1], make_voter(site, "ben"), poll)
    pages = (first, second)
    await first.evaluate(f"poll.send('vote', {{ option: {yes} }})")
    await second.evaluate("board.send('note.add', { text: 'Biscuits' }, { keep: true })")
    refused = "poll.send('vote', { option: 0 }).catch(({ code, detail }) => `${code}: ${detail}`)"
    assert await first.evaluate(refused) == "not_found: there is no such option"
    for page in pages:
        await expect(page.locator("#votes")).to_have_text("yes 1, no 0")
        await expect(page.locator("#notes li")).to_have_text(["Biscuits"])
        await expect(page.locator("#present")).to_have_text("ada, ben")

    port = servers[1].port
    servers[1].stop()
    await second.wait_for_function("!board.isJoined")
    await second.evaluate("() => { window.kept = board.send('note.add', { text: 'Milk' }, { keep: true }); }")
    assert await second.evaluate("poll.send('vote', { option: 1 }).catch(({ code }) => code)") == "disconnected"
    await first.evaluate("board.send('note.add', { text: 'Sugar' }, { keep: true })")
    await first.evaluate(f"poll.send('vote', {{ option: {no} }})")
    servers[1] = Server(site, "hubbub", "web-2", APPLICATION, port=port)
    servers[1].wait_until_ready()
    assert await second.evaluate("kept") == {"position": 3}
    for page in pages:
        await expect(page.locator("#votes")).to_have_text("yes 0, no 1")
        await expect(page.locator("#notes li")).to_have_text(["Biscuits", "Sugar", "Milk"])


async def test_votes_from_a_page_a_view_and_the_admin_reach_two_processes_through_a_killed_redis(
    browser: Browser, site: Site, servers: list[Server], redis: OwnRedis
) -> None:
    poll, yes, no = make_poll(site)
    first = await open_page(browser, servers[0], make_voter(site, "cleo"), poll)
    second = await open_page(browser, servers[1], make_voter(site, "dan"), poll)
    root = site.make_user("root", is_staff="1", is_superuser="1")["cookie"]
    admin = await open_page(browser, servers[0], root, poll)
    await first.evaluate(f"poll.send('vote', {{ option: {yes} }})")
    for page in (first, second, admin):
        await expect(page.locator("#votes")).to_have_text("yes 1, no 0")
    redis.kill()
    try:
        # By a view, with the session of this page.
        voted = f"""async () => {{
            const page = new DOMParser().parseFromString(await (await fetch("/account/")).text(), "text/html");
            const csrfmiddlewaretoken = page.querySelector("[name=csrfmiddlewaretoken]").value;
            const body = new URLSearchParams({{ option: "{no}", csrfmiddlewaretoken }});
            return (await fetch("/poll/{poll}/vote/", {{ method: "POST", body }})).text();
        }}"""
        assert await second.evaluate(voted) == "voted"
        await admin.goto(f"{servers[0].url}/admin/polls/vote/add/")
        for field, value in (("poll", poll), ("option", str(yes))):
            await admin.locator(f"select[name={field}]").select_option(value)
        await admin.locator("select[name=user]").select_option(label="root")
        await admin.locator("input[name=_save]").click()
        await expect(admin.locator(".messagelist, .success").first).to_contain_text("was added")
    finally:
        redis.start()
    for page in (first, second):
        await expect(page.locator("#votes")).to_have_text("yes 2, no 1")
    await first.evaluate(f"poll.send('vote', {{ option: {no} }})")
    for page in (first, second):
        await expect(page.locator("#votes")).to_have_text("yes 1, no 2")
