"""Markup and scripts in messages and names are shown as text on every page."""

import asyncio
import unicodedata
from dataclasses import dataclass
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.support.cluster import Cluster
from tests.support.visitor import TIMEOUT_MS, Visitor, visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

# Each would open a dialog, which a test notices, or make an element that carries `data-xss`.
ATTACKS = [
    "<script data-xss>alert(1)</script>",
    "<img data-xss src=x onerror=alert(2)>",
    "<svg data-xss onload=alert(3)>",
    "\"><script data-xss>alert(4)</script>",
    "' autofocus onfocus=alert(5) data-xss x='",
    "</textarea></template></title><iframe data-xss src=javascript:alert(6)>",
    "javascript:alert(7)",
    "https://x.example/\"onmouseover=\"alert(8)\"data-xss=\"",
    "<a data-xss href=javascript:alert(9)>here</a>",
    "{{ 7*7 }} {% csrf_token %} ${alert(10)} &lt;b data-xss&gt;",
    "<math data-xss><mtext><table><mglyph><style><img src=x onerror=alert(11)>",
    "-->]]><style data-xss>*{display:none}</style>",
]  # fmt: skip
TITLE = "<img data-xss src=x onerror=alert('title')>"
DESCRIPTION = "\"'><script data-xss>alert('topic')</script>"
NAME = "<img data-xss src=x onerror=alert('name')>"  # No form takes it: as if it had come into the database otherwise.


@dataclass
class Place:
    """A room with a hostile title, and messages of an author with a hostile name."""

    slug: str
    name: str
    ids: dict[str, int]


@pytest.fixture
async def place(cluster: Cluster) -> Place:
    slug = f"trap-{uuid4().hex[:8]}"
    name = f"{NAME}{slug}"
    code = f"""
        from uuid import uuid4
        from django.contrib.auth import get_user_model
        from chat import posting, services
        from hubbub.auth.tokens import create_token
        users = get_user_model().objects
        mallory = users.create(username={name!r}, is_staff=True, is_superuser=True, first_name={NAME!r})
        room = services.create_room(slug={slug!r}, title={TITLE!r}, description={DESCRIPTION!r})
        member = services.set_membership(room_id=room.pk, user_id=mallory.pk)
        for body in {ATTACKS!r}:
            posting.post_message(user_id=mallory.pk, slug=room.slug, client_id=uuid4(), body=body)
        token, _ = create_token(user=mallory, name={NAME!r}, expires_at=None)
        print(room.pk, mallory.pk, member.pk, token.pk, room.messages.last().pk)
        """
    ids = map(int, (await asyncio.to_thread(cluster.shell, code)).split())
    return Place(slug, name, dict(zip(("room", "user", "membership", "token", "message"), ids, strict=True)))


async def is_plain(visitor: Visitor, *texts: str) -> None:
    """The texts stand on the page as they are, and nothing was made of them."""
    assert await visitor.page.locator("[data-xss]").count() == 0, visitor.page.url
    shown = await visitor.page.evaluate("document.body.innerText")
    for text in texts:
        assert text in shown, visitor.page.url
    assert visitor.problems == []


async def enter(visitor: Visitor, slug: str) -> None:
    await visitor.open(f"/rooms/{slug}/")
    await visitor.page.wait_for_selector("html[data-state=open] #room[data-ready=true]")


async def test_markup_in_a_room_is_shown_as_it_was_written(browser: Browser, cluster: Cluster, place: Place) -> None:
    async with visiting(browser, cluster, "alice") as alice, visiting(browser, cluster, place.name) as mallory:
        await enter(alice, place.slug)
        await enter(mallory, place.slug)
        bodies = alice.page.locator(".message .message-body")
        await expect(bodies).to_have_text(ATTACKS, timeout=TIMEOUT_MS)
        # And live: written on one page, shown on both.
        for body in ATTACKS:
            await mallory.page.locator("#body").fill(body)
            await mallory.page.keyboard.press("Enter")
        for visitor in (alice, mallory):
            seen = visitor.page.locator(".message:not(.is-pending) .message-body")
            await expect(seen).to_have_text(ATTACKS * 2, timeout=TIMEOUT_MS)
            await is_plain(visitor, *ATTACKS, TITLE, DESCRIPTION, place.name)
            assert TITLE in await visitor.page.title()
        links = alice.page.locator(".message-body a")
        for address in await links.evaluate_all("links => links.map((link) => link.protocol)"):
            assert address in ("http:", "https:")
        await links.first.hover()
        # A change of the room reaches the open page.
        title = f"{TITLE} again"
        change = f"from chat import services; services.change_room(room_id={place.ids['room']}, title={title!r})"
        await asyncio.to_thread(cluster.shell, change)
        await expect(alice.page.locator("[data-role=title]")).to_have_text(title, timeout=TIMEOUT_MS)
        await is_plain(alice, title)
        # Its author edits one, and asks to delete it.
        own = mallory.page.locator(".message").last
        await own.hover()
        await own.locator("[data-role=edit]").click()
        await expect(own.locator("textarea")).to_have_value(ATTACKS[-1])
        await mallory.page.keyboard.press("Escape")
        await is_plain(mallory)


# By the places of its first and its last letter: whether the element reads from the left.
READS_FROM_THE_LEFT = """element => {
    const text = document.createTreeWalker(element, NodeFilter.SHOW_TEXT).nextNode();
    const left = (from) => {
        const range = document.createRange();
        range.setStart(text, from);
        range.setEnd(text, from + 1);
        return range.getBoundingClientRect().left;
    };
    return left(0) < left(text.length - 1);
}"""
SPOOF = "Please sign in at \u202ehttps://evil.example/nigol/moc.knab//:sptth\u202c today"
REVERSED = "abc \u202edef"
RISING = unicodedata.normalize("NFC", "".join(letter + "\u0301" * 30 for letter in "abcdefghij"))


async def write_and_edit(visitor: Visitor, before: str, after: str) -> None:
    """Write `before`, and change it to `after` by the page."""
    await visitor.page.locator("#body").fill(before)
    await visitor.page.keyboard.press("Enter")
    row = visitor.page.locator(".message:not(.is-pending)", has_text=before)
    await row.hover()
    await row.locator("[data-role=edit]").click()
    await visitor.page.locator(".editor textarea").fill(after)
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.locator(".editor")).to_have_count(0)


async def test_controls_of_the_direction_turn_neither_links_nor_the_words_of_the_page(
    browser: Browser, cluster: Cluster, place: Place
) -> None:
    name = f"\u202e{uuid4().hex[:8]}"
    async with visiting(browser, cluster, name) as mallory:
        await enter(mallory, place.slug)
        await write_and_edit(mallory, "first", SPOOF)
        await write_and_edit(mallory, "second", REVERSED)
        await write_and_edit(mallory, "third", f"\u2067{REVERSED}\n\u202e{REVERSED}")
        rows = mallory.page.locator(".message.is-own")
        link = rows.nth(0).locator(".message-body a")
        await expect(link).to_have_text("https://evil.example/nigol/moc.knab//:sptth")
        await expect(link).to_have_attribute("href", "https://evil.example/nigol/moc.knab//:sptth")
        assert await link.evaluate(READS_FROM_THE_LEFT)
        for mark in await rows.locator(".edited").all():
            assert await mark.inner_text() == "(edited)"
            assert await mark.evaluate(READS_FROM_THE_LEFT)
            text, its_mark = mark.locator("xpath=preceding-sibling::*"), await mark.bounding_box()
            assert its_mark is not None
            # And it stands behind what was written, not within.
            assert its_mark["x"] >= await text.evaluate("text => [...text.getClientRects()].at(-1).right")
        # The name is turned, as it says of itself; nothing beside it is.
        head = rows.nth(0).locator(".message-head")
        assert not await head.locator("[data-role=name]").evaluate(READS_FROM_THE_LEFT)
        assert await head.locator("time").evaluate(READS_FROM_THE_LEFT)
        assert mallory.problems == []


async def test_the_host_that_a_link_opens_is_the_one_that_is_shown(
    browser: Browser, cluster: Cluster, place: Place
) -> None:
    async with visiting(browser, cluster, "alice") as alice:
        await enter(alice, place.slug)
        await alice.page.locator("#body").fill(
            "https://www.p\u0430ypal.com https://good.example@evil.example/ https://bank.example，请"
        )
        await alice.page.keyboard.press("Enter")
        links = alice.page.locator(".message.is-own:not(.is-pending) .message-body a")
        await expect(links).to_have_text(["https://www.xn--pypal-4ve.com", "https://bank.example"])
        assert await links.evaluate_all("links => links.map((link) => link.host)") == [
            "www.xn--pypal-4ve.com",
            "bank.example",
        ]


async def test_marks_stay_in_their_row(browser: Browser, cluster: Cluster, place: Place) -> None:
    async with visiting(browser, cluster, "alice") as alice:
        await enter(alice, place.slug)
        for body in ("above", RISING):
            await alice.page.locator("#body").fill(body)
            await alice.page.keyboard.press("Enter")
            await expect(alice.page.locator(".message.is-own:not(.is-pending) .message-body").last).to_have_text(body)
        rows = alice.page.locator(".message.is-own .message-body")
        await alice.page.mouse.move(0, 0)
        with_marks = await rows.nth(0).screenshot()
        await rows.nth(1).evaluate("body => (body.style.visibility = 'hidden')")
        assert await rows.nth(0).screenshot() == with_marks


async def test_blank_text_cannot_be_sent_and_an_indent_is_kept(
    browser: Browser, cluster: Cluster, place: Place
) -> None:
    code = "    if x:\n        y()\nend"
    async with visiting(browser, cluster, "alice") as alice:
        await enter(alice, place.slug)
        for blank in (" ", "\u200b", "\u3164", "\ufeff", "\u2800", "\u00ad"):
            await alice.page.locator("#body").fill(blank)
            await expect(alice.page.locator(".send")).to_be_disabled()
        await alice.page.locator("#body").fill(f"\n{code}\n\n")
        await alice.page.keyboard.press("Enter")
        own = alice.page.locator(".message.is-own:not(.is-pending) .message-body")
        await expect(own).to_have_count(1)
        assert await own.text_content() == code


async def test_markup_in_names_is_shown_as_it_is_on_all_other_pages(
    browser: Browser, cluster: Cluster, place: Place
) -> None:
    async with visiting(browser, cluster, place.name) as mallory:
        await mallory.open("/")
        await is_plain(mallory, TITLE, ATTACKS[-1], place.name)
        await mallory.open("/monitor/")
        await expect(mallory.page.locator("[data-part=seq]")).not_to_have_text("–", timeout=TIMEOUT_MS)
        await is_plain(mallory, place.name)
        await mallory.open("/account/sign-in/?next=/%22%3E%3Cscript%20data-xss%3Ealert(1)%3C/script%3E")
        await is_plain(mallory)


async def test_markup_is_shown_as_it_is_in_the_admin(browser: Browser, cluster: Cluster, place: Place) -> None:
    ids = place.ids
    async with visiting(browser, cluster, place.name) as mallory:
        for address, shown in (
            (f"chat/room/?q={place.slug}", [TITLE]),
            (f"chat/room/{ids['room']}/change/", [TITLE, place.name]),
            (f"chat/room/{ids['room']}/history/", []),
            (f"chat/room/{ids['room']}/delete/", [TITLE]),
            (f"chat/membership/?q={place.slug}", [TITLE, place.name]),
            (f"chat/membership/{ids['membership']}/delete/", [TITLE, place.name]),
            (f"chat/message/?room__id__exact={ids['room']}", [ATTACKS[0], place.name]),
            (f"chat/message/{ids['message']}/change/", [ATTACKS[-1], place.name]),
            (f"hubbub/accesstoken/?user__id__exact={ids['user']}", []),
            (f"hubbub/accesstoken/{ids['token']}/change/", [NAME, place.name]),
            (f"accounts/user/?q={place.slug}", [place.name]),
            (f"accounts/user/{ids['user']}/change/", [place.name]),
            (f"accounts/user/{ids['user']}/delete/", [place.name]),
            ("chat/room/?q=%3Cscript%20data-xss%3Ealert(1)%3C/script%3E", []),
        ):
            await mallory.open(f"/admin/{address}")
            await is_plain(mallory, *shown)
        # A choice in a form, and the message of an action.
        page = mallory.page
        await mallory.open("/admin/chat/membership/add/")
        await page.locator(".select2-selection").last.click()
        await page.locator(".select2-search__field").fill(place.slug)
        await expect(page.locator(".select2-results__option").first).to_have_text(place.name, timeout=TIMEOUT_MS)
        await is_plain(mallory)
        await mallory.open(f"/admin/chat/message/?room__id__exact={ids['room']}")
        await page.locator(".action-select").first.check()
        await page.locator("select[name=action]").select_option("moderate")
        await page.locator("button[name=index]").click()
        await expect(page.locator("#content h1")).to_have_text("Delete the selected messages?")
        await is_plain(mallory, place.name)
        await mallory.open(f"/admin/chat/room/{ids['room']}/change/")
        await page.locator("#id_description").fill("new")
        await page.locator("input[name=_save]").click()
        await expect(page.locator(".messagelist .success")).to_contain_text(TITLE)
        await is_plain(mallory)


async def test_the_test_would_notice(browser: Browser, cluster: Cluster) -> None:
    async with visiting(browser, cluster, "alice") as alice:
        await alice.open("/")
        # By the elements themselves: the page's policy refuses markup.
        made = "const made = document.createElement('b'); made.dataset.xss = ''; document.body.append(made)"
        await alice.page.evaluate(made)
        with pytest.raises(AssertionError):
            await is_plain(alice)
        await alice.page.evaluate("alert('a dialog')")
        assert any("a dialog" in problem for problem in alice.problems)
