"""Where things stand on the page of rooms: the measures of its design, and that nothing moves by itself."""

from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from tests.support.chat_page import Open, in_shell, make_room, post, ready, says
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "locale": "en-US"}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
SHIFTS = """
    globalThis.shifts = [];
    const name = (node) => node?.outerHTML?.slice(0, 80) ?? node?.textContent;
    new PerformanceObserver((list) => {
      for (const { value, sources } of list.getEntries()) shifts.push([value, sources.map(({ node }) => name(node))]);
    }).observe({ type: "layout-shift", buffered: true });
"""
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
# A text's own box, without that of its element.
BOX = """(selector) => {
    const range = document.createRange();
    range.selectNodeContents(document.querySelector(selector));
    const { left, width } = range.getBoundingClientRect();
    return { left, width };
}"""


async def box(page: Page, selector: str) -> dict[str, float]:
    found = await page.locator(selector).first.bounding_box()
    assert found is not None, selector
    return {**found, "right": found["x"] + found["width"], "bottom": found["y"] + found["height"]}


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["1440", "360"])
async def test_nothing_moves_at_a_first_visit_or_a_switch(cluster: Cluster, open_room: Open, size: Any) -> None:
    first, second, third = (f"room-{uuid4().hex[:8]}" for _ in range(3))
    for slug, size_of_room in ((first, 60), (second, 3), (third, 0)):
        await make_room(cluster, slug, size_of_room)
    await in_shell(
        cluster,
        f"""
        from chat import services
        from chat.models import Room
        services.change_room(room_id=Room.objects.get(slug={second!r}).pk, description="Words that come later")
        """,
    )
    page = await open_room(cluster, "alice", first, **size)
    await page.add_init_script(SHIFTS)
    await page.reload()
    for slug in (first, second, third, first, second):
        # By a script: what moves right after a click does not count.
        await page.locator(f"#rooms li[data-slug={slug}] a").evaluate("link => link.click()")
        await page.wait_for_url(f"**/rooms/{slug}/")
        await ready(page)
        await expect(page.locator(".people-toggle [data-role=people-count]")).to_have_text("1")
        await page.evaluate(FRAMES)
    assert await page.evaluate("shifts") == []


async def test_the_room_has_the_measures_of_its_design(cluster: Cluster, open_room: Open) -> None:
    slug = f"room-{uuid4().hex[:8]}"
    await make_room(cluster, slug, 3)
    page = await open_room(cluster, "alice", slug, **DESKTOP)
    await post(page, "words " * 200)
    await says(page, "words words")
    assert (await box(page, "#rooms"))["width"] == 264
    assert (await box(page, ".rooms-link"))["height"] == 32
    assert (await box(page, ".avatar"))["width"] == 36
    assert (await box(page, "[data-role=typing]"))["height"] == 18
    edges = [(await page.evaluate(BOX, text))["left"] for text in ("#room-title bdi", "article p", ".message-name")]
    assert edges == [(await box(page, ".composer-box"))["x"]] * 3
    long = page.locator("article .message-body").last
    assert (await box(page, ".composer-box"))["width"] == (await long.bounding_box() or {})["width"]
    assert await long.evaluate("body => getComputedStyle(body).maxWidth") == await long.evaluate(
        "body => { body.style.width = '80ch'; return getComputedStyle(body).width; }"
    )
    # Rows of a group are 4 px apart, and the widest time fits beside them.
    rows = [await row.bounding_box() or {} for row in await page.locator("article .message-body").all()]
    assert rows[2]["y"] - rows[1]["y"] - rows[1]["height"] == 4
    times = page.locator(".message-gutter").first
    await times.evaluate("time => { time.textContent = '12:47 PM'; }")
    assert (await page.evaluate(BOX, ".message-gutter"))["width"] <= 60
    assert (await box(page, ".message-gutter"))["x"] >= (await box(page, "article"))["x"]
    await page.get_by_role("button", name="People here").click()
    assert (await box(page, "#people"))["width"] == 340
    await page.context.set_offline(True)
    await expect(page.locator("[data-role=strip]")).to_contain_text("Offline.")
    assert (await box(page, "[data-role=strip]"))["height"] == 28


async def test_on_a_phone_the_way_to_the_latest_message_hides_no_word(cluster: Cluster, open_room: Open) -> None:
    slug = f"room-{uuid4().hex[:8]}"
    await make_room(cluster, slug, 40)
    page = await open_room(cluster, "alice", slug, **PHONE)
    await page.locator(".log").evaluate("log => log.scrollTop = 200")
    await expect(page.locator(".jump")).to_be_visible()
    jump, log = await box(page, ".jump"), await box(page, ".log")
    assert jump["height"] >= 44
    assert jump["y"] >= log["bottom"]
    for button in ("[data-role=emoji]", ".send"):
        other = await box(page, f".composer {button}")
        assert other["right"] <= jump["x"] or jump["right"] <= other["x"]
    await page.locator(".jump").tap()
    await expect(page.locator(".jump")).to_be_hidden()


async def test_a_room_is_printed_alone_and_whole(cluster: Cluster, open_room: Open) -> None:
    slug = f"room-{uuid4().hex[:8]}"
    await make_room(cluster, slug, 60)
    page = await open_room(cluster, "alice", slug, color_scheme="dark")
    await page.emulate_media(media="print")
    for hidden in ("#rooms", ".composer", ".talk-head button"):
        await expect(page.locator(hidden).first).to_be_hidden()
    first, last = page.locator("article").first, page.locator("article").last
    heights = [await row.evaluate("row => row.getBoundingClientRect().top + scrollY") for row in (first, last)]
    assert heights[1] - heights[0] > 60 * 20
    assert await page.evaluate("document.documentElement.scrollHeight") > heights[1]
    assert await page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
