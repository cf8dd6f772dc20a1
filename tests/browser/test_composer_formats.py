"""Formats, emoji and pasted code in the field for a message."""

from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.support.chat_page import MESSAGE, Open, says
from tests.support.cluster import Cluster
from tests.support.pasting import PASTE

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
CODE = "if x:\n    y()\nelse:\n    z()"

COVERED = """row => [...row.querySelectorAll(".code-copy")].map((copy) => copy.getBoundingClientRect())
    .filter((copy) => [...row.querySelectorAll("pre, figcaption")].map((code) => code.getBoundingClientRect())
    .some((code) => copy.top < code.bottom && code.top < copy.bottom && copy.left < code.right && code.left < copy.right
    || copy.height < 44))"""


async def select(field: Locator, text: str) -> None:
    choose = (
        "(field, text) => field.setSelectionRange(field.value.indexOf(text), field.value.indexOf(text) + text.length)"
    )
    await field.focus()
    await field.evaluate(choose, text)


async def test_formats_come_and_go_by_buttons_and_keys_and_can_be_undone(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    body = page.locator("#body")
    await body.focus()
    await page.keyboard.type("some words here")
    await select(body, "words")
    await page.keyboard.press("Control+b")
    await expect(body).to_have_value("some **words** here")
    await page.get_by_role("button", name="Italic").click()
    await expect(body).to_have_value("some ***words*** here")
    assert await body.evaluate("field => field === document.activeElement"), "a click leaves the focus"
    await page.keyboard.press("Control+b")
    await page.keyboard.press("Control+i")
    await expect(body).to_have_value("some words here")
    await page.keyboard.press("Control+e")
    await expect(body).to_have_value("some `words` here")
    await page.keyboard.press("Control+z")
    await expect(body).to_have_value("some words here")
    await page.keyboard.press("Control+Shift+e")
    await expect(body).to_have_value("```\nsome words here\n```")
    await page.keyboard.press("Control+z")
    await expect(body).to_have_value("some words here")
    await body.fill("one\ntwo")
    await body.evaluate("field => field.select()")
    await page.get_by_role("button", name="List").click()
    await page.get_by_role("button", name="Quote").click()
    await expect(body).to_have_value("> - one\n> - two")


async def test_the_buttons_are_one_stop_for_tab(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    name = "document.activeElement.getAttribute('aria-label')"
    await page.locator("#body").fill("a")
    await page.keyboard.press("Tab")
    assert await page.evaluate(name) == "Bold"
    await page.keyboard.press("ArrowRight")
    assert await page.evaluate(name) == "Italic"
    await page.keyboard.press("End")
    assert await page.evaluate(name) == "Emoji"
    await page.keyboard.press("Tab")
    assert await page.evaluate(name) == "Send"
    await page.keyboard.press("Shift+Tab")
    assert await page.evaluate(name) == "Emoji"


async def test_formats_fit_on_a_phone_and_targets_are_large(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice", **PHONE)
    bold = page.locator(".composer").get_by_role("button", name="Bold")
    await expect(bold).to_be_hidden()
    await page.locator("#body").fill("word")
    await page.locator("#body").evaluate("field => field.select()")
    more = page.locator(".composer [data-role=formats]")
    await more.tap()
    await expect(more).to_have_attribute("aria-expanded", "true")
    sizes = """form => [...form.querySelectorAll("button")].filter((button) => button.getClientRects().length > 0)
        .map((button) => button.getBoundingClientRect()).map(({ width, height }) => Math.min(width, height))"""
    found = await page.locator("form.composer").evaluate(sizes)
    assert len(found) == 11
    assert min(found) >= 44
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await bold.tap()
    body = page.locator("#body")
    await expect(body).to_have_value("**word**")
    await body.fill("Hello ")
    await bold.tap()
    await page.keyboard.type("bold")
    await bold.tap()
    await page.keyboard.type(" see ")
    await page.locator(".composer").get_by_role("button", name="Link").tap()
    address = page.get_by_label("Address")
    await expect(address).to_be_focused()
    await page.keyboard.type("javascript:x")
    await page.keyboard.press("Enter")
    assert await address.evaluate("field => field.validationMessage") == "This is not a web address."
    await address.fill("example.org/a")
    await page.get_by_label("Text", exact=True).fill("the page")
    await page.get_by_label("Text", exact=True).press("Enter")
    await expect(body).to_be_focused()
    await page.keyboard.type("!")
    await expect(body).to_have_value("Hello **bold** see [the page](https://example.org/a)!")
    await body.fill("```sh\nls --all --human-readable --reverse\n```\n\n    not a block\n\n```\nls\n```")
    await page.get_by_role("button", name="Send").tap()
    row = page.locator(MESSAGE).last
    await expect(row.get_by_role("button", name="Copy")).to_have_count(2)
    assert await row.evaluate(COVERED) == [], "the button covers no code"


async def test_emoji_are_found_by_name_and_picked_by_keyboard(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    body = page.locator("#body")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    await body.fill("so good  done")
    await body.evaluate("field => field.setSelectionRange(8, 8)")
    button = page.locator(".composer [data-role=emoji]")
    await button.focus()
    await page.keyboard.press("Enter")
    search = page.get_by_role("combobox", name="Search emoji")
    await expect(search).to_be_focused()
    assert any("/emoji." in url for url in requests), "loaded when it is opened, not before"
    await page.keyboard.type("party pop")
    await expect(page.get_by_role("option", selected=True)).to_have_attribute("aria-label", "party popper")
    await page.keyboard.press("Enter")
    await expect(body).to_have_value("so good 🎉 done")
    await expect(body).to_be_focused()
    await expect(page.locator(".emoji")).to_have_count(0)
    await page.keyboard.press("Control+z")
    await expect(body).to_have_value("so good  done")
    await button.click()
    await expect(page.locator(".emoji-title").first).to_have_text("Last used")
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("option", selected=True)).to_have_text("🎉")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("option", selected=True)).to_have_attribute(
        "aria-label", "grinning face with big eyes"
    )
    await page.keyboard.press("Escape")
    await expect(page.locator(".emoji")).to_have_count(0)
    await button.click()
    await expect(page.locator(".emoji")).to_be_visible()
    await button.click()
    await expect(page.locator(".emoji")).to_have_count(0)
    await button.click()
    await page.get_by_role("option", name="fox", exact=True).click()
    await expect(body).to_have_value("so good 🦊 done")


async def test_pasted_code_keeps_its_indent_and_can_become_a_block(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    body, offer = page.locator("#body"), page.get_by_role("button", name="Paste as code block")
    await body.evaluate(PASTE, "    if x:\n        y()\nend")
    await expect(body).to_have_value("    if x:\n        y()\nend")
    await expect(offer).to_be_visible()
    await body.press("Enter")
    await says(page, "if x:")
    assert (await page.locator(MESSAGE, has_text="if x:").text_content() or "").startswith("    if x:\n        y()")
    await expect(offer).to_be_hidden()
    await body.fill("look: ")
    await body.evaluate(PASTE, CODE)
    await offer.click()
    await expect(body).to_have_value(f"look: \n```\n{CODE}\n```")
    await body.press("Control+z")
    await expect(body).to_have_value(f"look: {CODE}")
    await body.fill("the page")
    await select(body, "page")
    await body.evaluate(PASTE, "https://example.org/a")
    await expect(body).to_have_value("the [page](https://example.org/a)")
    await body.fill("")
    await body.evaluate(PASTE, "A sentence.\nAnother one.")
    await expect(offer).to_be_hidden()
    await body.evaluate(PASTE, CODE)
    await expect(offer).to_be_visible()
    await body.press("Escape")
    await expect(offer).to_be_hidden()
