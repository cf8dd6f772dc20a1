"""The field for messages and edits: its height, keys, input methods, limits, questions, rooms that are closed."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.support.chat_page import MESSAGE, Open, in_shell, make_room, post, says
from tests.support.cluster import Cluster
from tests.support.pasting import PASTE

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
# As the user sees it: in the next frame.
TO_END = """async log => {
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return log.scrollHeight - log.scrollTop - log.clientHeight;
}"""
HEIGHT = "element => element.getBoundingClientRect().height"
# Safari ends a composition before its Enter: the key has no `isComposing`, but the code of an input method.
AFTER_COMPOSITION = """field => {
    field.dispatchEvent(new CompositionEvent("compositionend", { data: "漢字", bubbles: true }));
    const key = { key: "Enter", keyCode: 229, isComposing: false, bubbles: true, cancelable: true };
    field.dispatchEvent(new KeyboardEvent("keydown", key));
}"""


async def bodies(page: Page) -> list[str]:
    return await page.locator(MESSAGE).all_inner_texts()


async def close(cluster: Cluster, slug: str) -> None:
    change = f"services.change_room(room_id=Room.objects.get(slug={slug!r}).pk, is_archived=True)"
    await in_shell(cluster, f"from chat import services; from chat.models import Room; {change}")


async def test_lines_added_at_the_end_of_a_full_room_keep_the_log_at_its_end(cluster: Cluster, open_room: Open) -> None:
    await make_room(cluster, "full", 60)
    page = await open_room(cluster, "alice", "full")
    await says(page, "line 59.")
    log, body = page.locator(".log"), page.locator("#body")
    await body.focus()
    for number in range(5):
        await page.keyboard.type(f"{number}")
        await page.keyboard.press("Shift+Enter")
        assert await log.evaluate(TO_END) < 5, number
    await expect(page.locator("[data-role=jump]")).to_be_hidden()
    bob = await open_room(cluster, "bob", "full")
    await post(bob, "A reader at the end follows.")
    await says(page, "A reader at the end follows.")
    assert await log.evaluate(TO_END) < 5


async def test_the_field_grows_to_a_part_of_the_window_then_scrolls(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice", viewport={"width": 1000, "height": 800})
    body, box = page.locator("#body"), page.locator(".composer .composer-box")
    one = await box.evaluate(HEIGHT)
    await body.fill("a\nb\nc")
    assert await box.evaluate(HEIGHT) == one + 2 * 24
    await body.fill("line\n" * 100)
    assert 0.35 * 800 < await box.evaluate(HEIGHT) <= 0.4 * 800
    assert await body.evaluate("field => field.scrollHeight > field.clientHeight")
    await body.fill("")
    assert await box.evaluate(HEIGHT) == one


async def test_lines_added_by_a_reader_who_scrolled_back_move_nothing(cluster: Cluster, open_room: Open) -> None:
    await make_room(cluster, "back", 60)
    page = await open_room(cluster, "alice", "back")
    await says(page, "line 59.")
    log = page.locator(".log")
    await log.evaluate("log => { log.scrollTop = log.scrollHeight / 2; }")
    await expect(page.locator("[data-role=jump]")).to_be_visible()
    # Older messages may come above meanwhile: what counts is where a line is on the screen.
    line = page.locator(MESSAGE, has_text="line 35.")
    before = await line.bounding_box()
    await page.locator("#body").focus()
    for _ in range(5):
        await page.keyboard.press("Shift+Enter")
    assert await line.bounding_box() == before


async def test_an_input_method_sends_nothing(cluster: Cluster, open_room: Open) -> None:
    await make_room(cluster, "ime")
    page = await open_room(cluster, "alice", "ime")
    body = page.locator("#body")
    await body.fill("漢字")
    await body.evaluate(AFTER_COMPOSITION)
    composing = {"key": "Enter", "keyCode": 13, "isComposing": True}
    await body.dispatch_event("keydown", composing)
    await expect(body).to_have_value("漢字")
    assert await bodies(page) == []
    await body.press("Enter")
    await says(page, "漢字")


async def test_on_a_touch_screen_enter_breaks_and_the_button_sends(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice", **PHONE)
    body = page.locator("#body")
    await body.tap()
    await page.keyboard.type("on a phone")
    await page.keyboard.press("Enter")
    await page.keyboard.type("second line")
    await expect(body).to_have_value("on a phone\nsecond line")
    await expect(body).to_have_attribute("enterkeyhint", "enter")
    await page.get_by_role("button", name="Send").tap()
    await says(page, "second line")


async def test_enter_in_a_fence_breaks_and_behind_it_sends(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    body = page.locator("#body")
    await expect(body).to_have_attribute("enterkeyhint", "send")
    await body.focus()
    for line in ("```", "let a;", "```"):
        await page.keyboard.type(line)
        if line != "```" or await body.input_value() == "```":
            await page.keyboard.press("Enter")
    await expect(body).to_have_value("```\nlet a;\n```")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message:not(.is-pending) pre", has_text="let a;")).to_be_visible()
    await expect(body).to_have_value("")
    await page.keyboard.type("```")
    await page.keyboard.press("Control+Enter")
    await expect(body).to_have_value("")


async def test_a_limit_is_said_in_words_and_spoken_after_a_pause(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    body, counter, spoken = (
        page.locator("#body"),
        page.locator(".composer [data-role=counter]"),
        page.locator("[data-role=spoken]"),
    )
    await body.fill("x" * 3_988)
    await expect(counter).to_have_text("12 characters left")
    await expect(spoken).to_have_text("12 characters left")
    await body.evaluate(PASTE, "y" * 17)
    await expect(counter).to_have_text("5 characters too many")
    assert await spoken.inner_text() != "5 characters too many", "not at each key"
    await expect(spoken).to_have_text("5 characters too many")
    described = await body.evaluate(
        "field => document.getElementById(field.getAttribute('aria-describedby')).textContent"
    )
    assert described == "5 characters too many"
    before = await bodies(page)
    await body.press("Enter")
    assert await bodies(page) == before
    for _ in range(5):
        await body.press("Backspace")
    await expect(counter).to_have_text("0 characters left")


async def test_a_changed_edit_is_discarded_only_after_a_question(cluster: Cluster, open_room: Open) -> None:
    page = await open_room(cluster, "alice")
    await post(page, "An edit to keep.")
    await says(page, "An edit to keep.")
    await page.keyboard.press("ArrowUp")
    field = page.locator(".editor textarea")
    await expect(field).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(field).to_have_count(0)
    await page.keyboard.press("ArrowUp")
    await field.fill("An edit to keep, changed.")
    await page.keyboard.press("Escape")
    await expect(page.get_by_text("Discard changes?")).to_be_visible()
    await expect(page.get_by_role("button", name="Keep editing")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_text("Discard changes?")).to_be_hidden()
    await expect(field).to_be_focused()
    await expect(field).to_have_value("An edit to keep, changed.")
    await page.locator(".editor").get_by_role("button", name="Cancel").click()
    await expect(page.get_by_text("Discard changes?")).to_be_visible()
    await field.press("x")
    await expect(page.get_by_text("Discard changes?")).to_be_hidden()
    await page.reload()
    await expect(field).to_have_value("An edit to keep, changed.x")
    await field.press("Escape")
    await expect(page.get_by_text("Discard changes?")).to_be_visible()
    await page.locator(".editor").get_by_role("button", name="Discard").click()
    await expect(field).to_have_count(0)
    await says(page, "An edit to keep.")


async def test_a_room_that_closes_says_why_and_keeps_a_half_written_text(cluster: Cluster, open_room: Open) -> None:
    await make_room(cluster, "closes", 1)
    page = await open_room(cluster, "alice", "closes", permissions=["clipboard-read", "clipboard-write"])
    empty = await open_room(cluster, "bob", "closes")
    body = page.locator("#body")
    await body.fill("half a thou")
    await close(cluster, "closes")
    for shown in (page, empty):
        await expect(shown.get_by_text("This room is archived: you can read, but not write.")).to_be_visible()
        await expect(shown.get_by_role("button", name="Send")).to_be_hidden()
    await expect(empty.locator("#body")).to_be_hidden()
    await expect(body).to_be_visible()
    await expect(body).not_to_be_editable()
    await page.get_by_role("button", name="Copy your text").click()
    await expect(page.get_by_text("Copied.")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == "half a thou"
    await body.press("Control+b")
    await body.press("Enter")
    await expect(body).to_have_value("half a thou")
    await page.reload()
    await expect(page.get_by_text("This room is archived: you can read, but not write.")).to_be_visible()
    await expect(body).to_have_value("half a thou")


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
async def test_the_line_of_typing_is_always_reserved(cluster: Cluster, open_room: Open, direction: str) -> None:
    page = await open_room(cluster, "alice")
    await page.evaluate(f"document.documentElement.dir = '{direction}'")
    form, typing = page.locator("form.composer"), page.locator("[data-role=typing]")
    height = await form.evaluate(HEIGHT)
    assert await typing.evaluate(HEIGHT) == 18
    await typing.evaluate("line => { line.textContent = 'Amara is typing… '.repeat(40); }")
    assert await form.evaluate(HEIGHT) == height
