"""Texts in the log, in a real browser: copied rows, and what is folded because it is long."""

from uuid import uuid4

import pytest
from playwright.async_api import expect

from tests.support.chat_page import MESSAGE, Open, make_room, post, says
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.browser, pytest.mark.cluster]


async def test_copied_rows_are_lines_with_time_and_name(cluster: Cluster, open_room: Open) -> None:
    slug = f"room-{uuid4().hex[:8]}"
    await make_room(cluster, slug)
    page = await open_room(cluster, "alice", slug)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for text in ("One **bold** word.", "Two."):
        await post(page, text)
    await says(page, "Two.")
    select = "list => getSelection().selectAllChildren(list)"
    await page.locator("[data-role=rows]").evaluate(select)
    await page.keyboard.press("Control+c")
    lines = (await page.evaluate("navigator.clipboard.readText()")).split("\n")
    assert [line.partition("] ")[2] for line in lines] == ["alice: One **bold** word.", "alice: Two."]
    assert all(line.startswith("[") for line in lines)


NEWLINES = "\n" * 3_990


async def test_long_texts_and_code_are_folded(cluster: Cluster, open_room: Open) -> None:
    slug = f"room-{uuid4().hex[:8]}"
    await make_room(cluster, slug)
    page = await open_room(cluster, "alice", slug)
    await post(page, "\n".join(f"line {number}" for number in range(60)))
    body = page.locator(MESSAGE).last
    unfold = body.get_by_role("button", name="Show all 60 lines")
    await expect(unfold).to_be_visible()
    folded = (await body.bounding_box() or {})["height"]
    assert folded < 450
    await unfold.click()
    assert (await body.bounding_box() or {})["height"] > 1_000
    await post(page, "```\n" + "\n".join(f"x = {number}" for number in range(30)) + "\n```")
    code = page.locator(MESSAGE).last
    await expect(code.get_by_role("button", name="Show all 30 lines")).to_be_visible()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await code.hover()
    await code.get_by_role("button", name="Copy").click()
    assert (await page.evaluate("navigator.clipboard.readText()")).startswith("x = 0\nx = 1\n")
    await post(page, f"a{NEWLINES}b")
    row = page.locator(MESSAGE).last
    await expect(row).to_contain_text("b")
    assert (await row.bounding_box() or {})["height"] < 450, "blank lines without an end"
