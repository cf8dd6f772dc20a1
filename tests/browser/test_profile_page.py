"""The profile on the account page, and what others see of it, in a real browser against real processes."""

import asyncio
import io
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image
from playwright.async_api import Browser, Page, expect

from tests.support.cluster import Cluster
from tests.support.visitor import TIMEOUT_MS, visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

SIZE = "document.querySelector('#id_profile_picture').files[0].size"
SIZES = ((360, 740), (1280, 800))


def camera_picture() -> bytes:
    """As a camera makes it: beyond the server's limit for a request."""
    image = Image.effect_noise((2400, 1800), 200).convert("RGB")
    image.paste((200, 60, 20), (600, 300, 1800, 1500))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=97)
    assert len(file.getvalue()) > 2_621_440
    return file.getvalue()


async def look(page: Page, folder: Path, name: str) -> None:
    """Screenshots of all sizes and colours; nothing may stick out."""
    for width, height in SIZES:
        for scheme in ("light", "dark"):
            await page.set_viewport_size({"width": width, "height": height})
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await page.screenshot(path=folder / f"{name}-{width}-{scheme}.png")
            assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_a_profile_is_saved_and_shows_on_open_pages(browser: Browser, cluster: Cluster, tmp_path: Path) -> None:
    slug, shown = f"room-{uuid4().hex[:8]}", f"Ada Lovelace {uuid4().hex[:6]}"
    create = f"from chat import services; services.create_room(slug={slug!r}, title='Room')"
    await asyncio.to_thread(cluster.shell, create)
    async with (
        visiting(browser, cluster, f"ada-{slug}") as ada,
        visiting(browser, cluster, "bob") as bob,
    ):
        account = await ada.page.context.new_page()
        for visitor in (ada, bob):
            await visitor.open(f"/rooms/{slug}/")
            await visitor.page.wait_for_selector("html[data-state=open]")
        await ada.page.locator("#body").fill("Before.")
        await ada.page.keyboard.press("Enter")
        await expect(bob.page.locator(".message-name")).to_have_text([f"ada-{slug}"])

        await account.goto(f"{cluster.url}/account/")
        await account.get_by_label("Display name").fill(shown)
        await account.get_by_label("Status").fill("Back on Monday")
        chosen = account.get_by_label("Picture", exact=True)
        await chosen.set_input_files([{"name": "me.jpg", "mimeType": "image/jpeg", "buffer": camera_picture()}])
        button = account.get_by_role("button", name="Save the profile")
        await expect(button).to_be_enabled(timeout=TIMEOUT_MS)
        assert await account.evaluate(SIZE) < 1_000_000
        await account.get_by_role("button", name="Save the profile").click()
        await expect(account.get_by_text("Your profile is saved.")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(account.get_by_alt_text("Your picture")).to_have_js_property("naturalWidth", 192)
        await look(account, tmp_path, "account")

        for visitor in (ada, bob):
            await expect(visitor.page.locator(".message-name")).to_have_text([shown], timeout=TIMEOUT_MS)
            avatar = visitor.page.locator(".message .avatar img")
            await expect(avatar).to_have_js_property("naturalWidth", 192, timeout=TIMEOUT_MS)
            person = visitor.page.locator(".people .person", has_text=shown)
            await expect(person.locator(".person-status")).to_have_text("Back on Monday", timeout=TIMEOUT_MS)
            assert visitor.problems == []
        await look(bob.page, tmp_path, "room")

        # Too large, and nothing that the browser could make smaller.
        await chosen.set_input_files([{"name": "film.png", "mimeType": "image/png", "buffer": bytes(3_000_000)}])
        await expect(account.get_by_role("alert")).to_have_text("film.png is too large. A picture may have 2.5 MB.")
        assert await chosen.input_value() == ""
        # Another type that is small enough for the server to say so.
        await chosen.set_input_files([{"name": "me.png", "mimeType": "image/png", "buffer": b"<svg/>"}])
        await account.get_by_role("button", name="Save the profile").click()
        await expect(account.get_by_text("Use a picture of the type JPEG, PNG, WebP or GIF.")).to_be_visible()
        await look(account, tmp_path, "refused")
        await account.get_by_label("Remove the picture").check()
        await account.get_by_role("button", name="Save the profile").click()
        await expect(account.get_by_alt_text("Your picture")).to_have_count(0, timeout=TIMEOUT_MS)
        await expect(bob.page.locator(".message .avatar img")).to_have_count(0, timeout=TIMEOUT_MS)
        assert account.url.endswith("/account/")
