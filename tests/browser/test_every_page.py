"""Every page in a real browser: none breaks the strict content security policy, and every answer has the headers."""

import asyncio
import re
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.support.cluster import Cluster, until
from tests.support.visitor import TIMEOUT_MS, Visitor, visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

MODELS = ("chat/room", "chat/membership", "chat/message", "hubbub/accesstoken", "accounts/user", "auth/group")
# Messages are not made in the admin, nor deleted or changed one by one.
PAGES_OF_A_ROW = {"chat/message": ("change", "history"), "hubbub/accesstoken": ("change", "history")}


async def fill(cluster: Cluster, slug: str) -> None:
    """A row of everything that the admin lists, and an administrator called root."""
    code = f"""
        from uuid import uuid4
        from django.contrib.auth import get_user_model
        from django.contrib.auth.models import Group
        from chat import posting, services
        users = get_user_model().objects
        root, _ = users.update_or_create(username="root", defaults=dict(is_staff=True, is_superuser=True))
        room = services.create_room(slug={slug!r}, title={slug.title()!r}, description="All of it")
        services.set_membership(room_id=room.pk, user_id=root.pk)
        posting.post_message(user_id=root.pk, slug=room.slug, client_id=uuid4(), body="See https://example.org/ there")
        Group.objects.get_or_create(name="watchers")
        """
    await asyncio.to_thread(cluster.shell, code)


def check_headers(visitor: Visitor) -> None:
    ours = [response for response in visitor.responses if response.url.startswith(visitor.url)]
    assert ours
    for response in ours:
        policy = response.headers.get("content-security-policy", "")
        assert "frame-ancestors 'none'" in policy, response.url
        assert "unsafe" not in policy
        assert response.headers.get("x-content-type-options") == "nosniff", response.url
        assert response.headers.get("referrer-policy") == "same-origin", response.url
        assert "camera=()" in response.headers.get("permissions-policy", ""), response.url
    hosts = {urlsplit(response.url).netloc for response in visitor.responses}
    assert hosts == {urlsplit(visitor.url).netloc}, "a page loads from elsewhere"


async def test_no_page_of_a_visitor_breaks_the_policy(browser: Browser, cluster: Cluster) -> None:
    async with visiting(browser, cluster) as visitor:
        for address in ("/account/sign-in/", "/account/sign-up/", "/", "/monitor/", "/admin/", "/rooms/general/"):
            await visitor.open(address)
            await expect(visitor.page.locator("form button")).to_be_visible()
        await visitor.open("/nothing/", 404)
        await visitor.open("/?x=%00", 400)
        assert visitor.problems == []
        check_headers(visitor)
        await visitor.page.evaluate("document.body.setAttribute('style', 'color: red')")
        await until(lambda: visitor.problems)  # The browser would have told.
        assert "Content Security Policy" in visitor.problems[0]


async def test_no_page_of_a_member_breaks_the_policy(browser: Browser, cluster: Cluster) -> None:
    async with visiting(browser, cluster, "alice") as visitor:
        await visitor.open("/")
        await visitor.open("/rooms/general/")
        await visitor.page.wait_for_selector("html[data-state=open] #room[data-ready=true]")
        text = f"See https://example.org/{uuid4().hex} there"
        await visitor.page.locator("#body").fill(text)
        await visitor.page.keyboard.press("Enter")
        await expect(visitor.page.locator(".message:not(.is-pending)", has_text=text)).to_have_count(
            1, timeout=TIMEOUT_MS
        )
        await visitor.open("/account/")
        await expect(visitor.page.locator("h1")).to_have_text("Your account")
        await visitor.open("/monitor/", 403)
        await visitor.open("/admin/login/?next=/admin/", 403)
        assert visitor.problems == []
        check_headers(visitor)


async def test_no_page_of_the_administrator_breaks_the_policy(browser: Browser, cluster: Cluster) -> None:
    await fill(cluster, f"room-{uuid4().hex[:8]}")
    async with visiting(browser, cluster, "root") as visitor:
        page = visitor.page
        await visitor.open("/monitor/")
        await expect(page.locator("[data-part=seq]")).not_to_have_text("–", timeout=TIMEOUT_MS)
        for address in (
            "",
            "password_change/",
            "chat/",
            *(f"{model}/add/" for model in MODELS if model != "chat/message"),
        ):
            await visitor.open(f"/admin/{address}")
        for model in MODELS:
            await visitor.open(f"/admin/{model}/")
            link = page.locator("#result_list tbody tr th a").first
            address = await link.get_attribute("href")
            assert address
            assert address.endswith("/change/")
            for kind in PAGES_OF_A_ROW.get(model, ("change", "history", "delete")):
                await visitor.open(address.replace("/change/", f"/{kind}/"))
                await expect(page.locator("#content h1")).to_be_visible()
            if model == "chat/room":
                await visitor.open(address.replace("/change/", "/ban/"))
                await expect(page.get_by_role("button", name="Ban for a week")).to_be_visible()
            if model == "accounts/user":
                await visitor.open(address.replace("/change/", "/password/"))
                await visitor.open(address.replace("/change/", "/reset-link/"))
                await page.get_by_role("button", name="Create the link").click()
                await expect(page.locator("#reset-link")).to_have_value(re.compile("^http://.*/account/reset/.*-"))
        await visitor.open("/admin/hubbub/accesstoken/add/")
        await page.locator(".select2-selection").click()
        # The list shows the first twenty; how many users there are depends on the tests before.
        await page.locator(".select2-search__field").fill("root")
        await page.get_by_role("option", name="root", exact=True).click()
        await page.locator("#id_name").fill("probe")
        await page.get_by_label("chat.read").check()
        await page.locator("input[name=_save]").click()
        await expect(page.locator("#content h1")).to_have_text("The new access token")
        await visitor.open("/admin/chat/message/")
        await page.locator(".action-select").first.check()
        await page.locator("select[name=action]").select_option("moderate")
        await page.locator("button[name=index]").click()
        await expect(page.locator("#content h1")).to_have_text("Delete the selected messages?")
        assert visitor.problems == []
        check_headers(visitor)
