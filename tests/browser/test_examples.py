"""The examples, as their README runs them: with the built wheel, in a folder outside of the repository."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.servers import ROOT
from tests.support.visitor import TIMEOUT_MS
from tests.support.walkthrough import Walkthrough, blocks
from tests.test_package import built, wheel

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

__all__ = ["built", "wheel"]  # Fixtures.

EXAMPLES = ROOT / "examples"
README = (EXAMPLES / "README.md").read_text()
APPS = re.findall(r"^\| \[(\w+)\]", README, re.MULTILINE)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Walkthrough]:
    """A site with all examples, served by three processes."""
    folder = tmp_path_factory.mktemp("trial") / "examples"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__", "var"))
    with Walkthrough(folder, wheel) as walkthrough:
        walkthrough.shell("python3 -m venv .venv")
        walkthrough.follow(README)
        yield walkthrough


async def open_page(browser: Browser, examples: Walkthrough, name: str, path: str) -> Page:
    """Sign in as Alice or Bob in a browser of their own, and open a page."""
    page = await (await browser.new_context()).new_page()
    page.set_default_timeout(TIMEOUT_MS)
    await page.goto(examples.url("http://127.0.0.1:8000/"))
    await page.get_by_role("button", name=name).click()
    await expect(page.locator("p").first).to_contain_text(name)
    await page.goto(examples.url(f"http://127.0.0.1:8000/{path}"))
    return page


def test_the_readme_names_each_app_and_each_app_has_the_same_lines_to_run() -> None:
    assert sorted(APPS) == sorted(path.parent.name for path in EXAMPLES.glob("*/tests.py"))
    for app in APPS:
        assert blocks((EXAMPLES / app / "README.md").read_text()) == blocks(README)


@pytest.mark.parametrize("app", APPS)
def test_the_tests_of_an_example_pass(examples: Walkthrough, app: str) -> None:
    output = examples.shell(f"python manage.py test {app}")
    assert re.search(r"Ran [1-9]\d* tests?\b", output), output
    assert "System check identified no issues" in output


def new_poll(examples: Walkthrough) -> int:
    """Make a poll with two options; returns its key."""
    output = examples.shell(
        'python manage.py shell -c "'
        "from polls.models import Option, Poll\n"
        "poll = Poll.objects.create(question='Tea?')\n"
        "for text in ('Yes', 'No'): Option.objects.create(poll=poll, text=text)\n"
        "print('poll', poll.pk)\""
    )
    [key] = re.findall(r"^poll (\d+)$", output, re.MULTILINE)
    return int(key)


async def test_a_vote_moves_the_bars_of_another_page(browser: Browser, examples: Walkthrough) -> None:
    path = f"polls/{new_poll(examples)}/"
    alice, bob = [await open_page(browser, examples, name, path) for name in ("alice", "bob")]
    await bob.get_by_role("button", name="Yes").click()
    for page in (alice, bob):
        await expect(page.locator("#bars button")).to_have_text(["Yes: 1", "No: 0"])


async def test_htmx_fetches_the_bars_of_all_pages_after_a_vote(browser: Browser, examples: Walkthrough) -> None:
    path = f"htmx/{new_poll(examples)}/"
    alice, bob = [await open_page(browser, examples, name, path) for name in ("alice", "bob")]
    for page in (alice, bob):
        await expect(page.locator("#bars button")).to_have_text(["Yes: 0", "No: 0"])
    async with alice.expect_response("**/bars/"):
        await bob.get_by_role("button", name="No").click()
    for page in (alice, bob):
        await expect(page.locator("#bars button")).to_have_text(["Yes: 0", "No: 1"])
        await expect(page.locator("#problem")).to_be_empty()
    await bob.get_by_role("button", name="Yes").click()
    await expect(alice.locator("#bars button")).to_have_text(["Yes: 1", "No: 0"])


async def test_a_bell_rings_on_all_pages_of_its_user_and_on_no_other(browser: Browser, examples: Walkthrough) -> None:
    alice, bob, tab = [await open_page(browser, examples, name, "bell/") for name in ("alice", "bob", "bob")]
    await alice.locator("select").select_option(label="bob")
    await alice.get_by_role("button", name="Send").click()
    for page in (bob, tab):
        await expect(page.locator("#unread")).to_have_text("1")
        await expect(page).to_have_title("(1) Bell")
    await bob.locator("summary").click()
    await expect(bob.locator("#newest li")).to_have_text(["Tea is ready"])
    await bob.get_by_role("button", name="Mark as read").click()
    for page in (bob, tab):
        await expect(page.locator("#unread")).to_have_text("0")
    await expect(alice.locator("#newest li")).to_have_count(0)


async def test_a_list_of_the_admin_is_live_and_keeps_a_selection(browser: Browser, examples: Walkthrough) -> None:
    alice, bob = [await open_page(browser, examples, name, "admin/orders/order/") for name in ("alice", "bob")]

    async def add_order(customer: str) -> None:
        await alice.goto(examples.url("http://127.0.0.1:8000/admin/orders/order/add/"))
        await alice.locator("input[name=customer]").fill(customer)
        await alice.locator("input[name=item]").fill("Tea")
        await alice.locator("input[name=_save]").click()

    await add_order("Ada")
    await expect(bob.locator("#result_list .field-customer")).to_have_text(["Ada"])
    await bob.locator(".action-select").first.check()
    await add_order("Ben")
    await expect(alice.locator("#result_list .field-customer")).to_have_text(["Ben", "Ada"])
    await expect(bob.locator("#result_list .field-customer")).to_have_text(["Ada"])
    await bob.locator(".action-select").first.uncheck()
    await expect(bob.locator("#result_list .field-customer")).to_have_text(["Ben", "Ada"])
    await bob.locator("#action-toggle").check()
    await expect(bob.locator(".action-select:checked")).to_have_count(2)


async def test_cursors_are_shown_to_others_until_their_user_leaves(browser: Browser, examples: Walkthrough) -> None:
    alice, bob = [await open_page(browser, examples, name, "cursors/") for name in ("alice", "bob")]
    mark = bob.locator("#field span")

    async def move() -> None:
        await alice.locator("#field").hover(position={"x": 30, "y": 20})
        await alice.locator("#field").hover(position={"x": 60, "y": 40})

    # A move before the join is refused, and the next one comes soon.
    await expect(alice.locator("#field")).to_be_visible()
    while not await mark.count():
        await move()
    await expect(mark).to_have_text("↖ alice")
    await alice.close()
    await expect(mark).to_have_count(0)


async def test_a_raw_socket_ends_cleanly_by_its_page_and_by_its_server(browser: Browser, examples: Walkthrough) -> None:
    alice, bob = [await open_page(browser, examples, name, "echo/") for name in ("alice", "bob")]
    for page, name in ((alice, "alice"), (bob, "bob")):
        await expect(page.locator("#lines li")).to_have_text([f"hello, {name}"])
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("#lines li").last).to_have_text("Hello")
    await alice.get_by_role("button", name="Close").click()
    await expect(alice.locator("#lines li").last).to_have_text(re.compile("^closed with 1000"))
    examples.stop("8000")
    await expect(bob.locator("#lines li").nth(2)).to_have_text("closed with 1012 Restart")
    examples.follow(README)
    await expect(bob.locator("#lines li").last).to_have_text("hello, bob")
    await expect(alice.locator("#lines li")).to_have_count(3)


async def test_a_page_of_another_host_uses_a_token(browser: Browser, examples: Walkthrough) -> None:
    key = new_poll(examples)
    alice = await open_page(browser, examples, "alice", f"polls/{key}/")
    [token] = re.findall(r"hub_\d+_[\w-]{30,}", examples.shell("python manage.py token create alice"))
    page = await (await browser.new_context()).new_page()
    await page.goto(examples.url("http://localhost:8000/"))
    question = await page.evaluate(
        """async ([path, token, address]) => {
            const { Hubbub } = await import("/static/hubbub/js/hub.js");
            const hub = new Hubbub({ path, token });
            const state = await new Promise((state) => {
                window.poll = hub.topic(address, { state, closed: (code) => state({ question: code }) });
            });
            if (state.bars) await poll.send("vote", { option: state.bars[0].id });
            return state.question;
        }""",
        [examples.url("http://127.0.0.1:8000/ws/live/"), token, f"poll/{key}"],
    )
    assert question == "Tea?"
    await expect(alice.locator("#bars button")).to_have_text(["Yes: 1", "No: 0"])
