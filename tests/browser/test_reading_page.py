"""What a room's page reports as read, and the unread numbers of its list, in a real browser."""

from uuid import uuid4

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.support.chat_page import SECONDS, make_room, ready, write_lines
from tests.support.cluster import Cluster
from tests.support.visitor import Visitor, visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster]


def unread(visitor: Visitor, slug: str) -> Locator:
    return visitor.page.locator(f"#rooms [data-slug={slug}] [data-role=unread]")


async def test_unread_is_painted_first_and_ends_on_all_pages_when_it_is_read(
    browser: Browser, cluster: Cluster
) -> None:
    slug, other = f"read-{uuid4().hex[:8]}", f"else-{uuid4().hex[:8]}"
    for room in (slug, other):
        await make_room(cluster, room, 2)
    async with visiting(browser, cluster, "alice") as alice:
        await alice.open(f"/rooms/{slug}/")
        await ready(alice.page)
        await expect(unread(alice, slug)).to_be_hidden()
        await alice.open(f"/rooms/{other}/")
        await ready(alice.page)
        await write_lines(cluster, slug, range(3))
        await alice.page.reload()
        await expect(unread(alice, slug)).to_have_text("3 unread", timeout=SECONDS)
        async with visiting(browser, cluster, "alice") as second:
            await second.open(f"/rooms/{slug}/")
            await ready(second.page)
            await expect(unread(second, slug)).to_be_hidden(timeout=SECONDS)
            await expect(unread(alice, slug)).to_be_hidden(timeout=SECONDS)
            assert alice.problems == second.problems == []
