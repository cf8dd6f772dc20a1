"""Every page beside the rooms is judged by axe: of visitors, accounts, dashboard, errors, and parts of the admin.

The rest of the admin is Django's.
"""

import asyncio
import json
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, Route, WebSocketRoute, expect

from tests.support.accessible import TIMEOUT_MS, audited, modes
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

RARE = (
    *("400.html", "403.html", "403_csrf.html", "404.html", "500.html", "503.html"),
    *("registration/forgotten.html", "registration/forgotten-sent.html", "registration/sign-up-closed.html"),
    "registration/too-many-attempts.html",
)


async def open_at(page: Page, cluster: Cluster, address: str, status: int = 200) -> None:
    response = await page.goto(f"{cluster.url}{address}")
    assert response is not None
    assert response.status == status, address


@pytest.mark.parametrize("mode", modes("light", "phone"))
async def test_axe_finds_nothing_on_pages_of_visitors_and_of_errors(
    browser: Browser, cluster: Cluster, mode: str
) -> None:
    # Written by the site itself, without what leads to them: errors, mail, a closed site.
    code = f"""
        import json
        from django.template.loader import get_template
        from project.accounts.password_forms import ForgottenForm
        context = {{"lifetime": "4 hours", "minutes": 2, "back": "/", "csrf_token": "none"}}
        context["form"] = ForgottenForm({{"email": "no address"}})
        print(json.dumps([(name, get_template(name).render(context)) for name in {RARE!r}]))
        """
    written = await asyncio.to_thread(cluster.shell, code)
    async with audited(browser, cluster, mode) as (audit, page):
        for address in ("/account/sign-in/", "/account/sign-up/"):
            await open_at(page, cluster, address)
            await audit.look(page, address)
            await page.locator("main form button[type=submit]").click()
            await expect(page.locator(".field-error").first).to_be_visible()
            await audit.look(page, f"{address} with errors")
        await open_at(page, cluster, "/account/reset/MQ/set-password/")
        await audit.look(page, "a reset link that is used up")
        await open_at(page, cluster, "/offline/")
        await audit.look(page, "/offline/")
        pages = dict(json.loads(written))

        async def answer(route: Route) -> None:
            await route.fulfill(body=pages[route.request.url.partition("/rare/")[2]], content_type="text/html")

        await page.route("**/rare/**", answer)
        for name in pages:
            await open_at(page, cluster, f"/rare/{name}")
            await audit.look(page, name)


@pytest.mark.parametrize("mode", modes("light", "phone"))
async def test_axe_finds_nothing_on_account_and_dashboard(browser: Browser, cluster: Cluster, mode: str) -> None:
    user = await asyncio.to_thread(cluster.make_user, f"mona-{uuid4().hex[:6]}", "view_dashboard")
    other = await asyncio.to_thread(cluster.make_user, f"mona-{uuid4().hex[:6]}")
    mute = asyncio.Event()

    def begin(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda text: None if mute.is_set() else socket.send(text))

    async with audited(browser, cluster, mode, user["cookie"]) as (audit, page):
        await open_at(page, cluster, "/account/")
        await audit.look(page, "/account/")
        await page.get_by_role("button", name="Change the password").click()
        await expect(page.locator(".field-error").first).to_be_visible()
        await audit.look(page, "/account/ with errors")
        await page.get_by_role("button", name="Account of").click()
        await audit.look(page, "the menu of the account")
        await page.route_web_socket("**/ws/monitor/", begin)
        await page.clock.install()
        await open_at(page, cluster, "/monitor/")
        await page.wait_for_selector("#dashboard[data-freshness=live]", timeout=TIMEOUT_MS)
        await expect(page.locator(".host")).to_have_count(1)
        await audit.look(page, "the dashboard, live")
        mute.set()
        await page.clock.fast_forward(9_000)
        await page.wait_for_selector("#dashboard[data-freshness=stale]", timeout=TIMEOUT_MS)
        await audit.look(page, "the dashboard, stale")
        await page.context.clear_cookies()
        await page.context.add_cookies(
            [{"name": "sessionid", "value": other["cookie"], "url": cluster.url}],
        )
        await open_at(page, cluster, "/monitor/", 403)
        await audit.look(page, "a page that one may not see")


@pytest.mark.parametrize("mode", modes("light"))
async def test_axe_finds_nothing_in_the_admins_own_parts(browser: Browser, cluster: Cluster, mode: str) -> None:
    mark = uuid4().hex[:6]
    code = f"""
        from uuid import uuid4
        from django.contrib.auth import get_user_model
        from chat import bans, posting, services
        from datetime import timedelta
        from django.utils import timezone
        users = get_user_model().objects
        root, _ = users.update_or_create(username="root-{mark}", defaults=dict(is_staff=True, is_superuser=True))
        bad, _ = users.get_or_create(username="bad-{mark}")
        room = services.create_room(slug="hall-{mark}", title="Hall {mark}")
        posting.post_message(user_id=bad.pk, slug=room.slug, client_id=uuid4(), body="Words.")
        bans.ban_user(room_id=room.pk, user_id=str(bad.pk), until=timezone.now() + timedelta(days=1), reason="Loud.")
        print(room.pk, bad.pk)
        """
    room, bad = (await asyncio.to_thread(cluster.shell, code)).split()
    cookie = (await asyncio.to_thread(cluster.make_user, f"root-{mark}"))["cookie"]
    async with audited(browser, cluster, mode, cookie) as (audit, page):
        for address, part in (
            (f"/admin/chat/room/{room}/change/", "[data-ban]"),
            (f"/admin/chat/room/{room}/ban/", "[data-ban]"),
            ("/admin/chat/message/", "#changelist .actions"),
            (f"/admin/accounts/user/{bad}/reset-link/", "#content"),
        ):
            await open_at(page, cluster, address)
            await audit.look(page, address.replace(room, "…"), part)
        await page.get_by_role("button", name="Create the link").click()
        await expect(page.locator("#reset-link")).to_be_visible()
        await audit.look(page, "a reset link", "#content")
        await open_at(page, cluster, f"/admin/chat/message/?q=Words&room__id__exact={room}")
        await page.locator(".action-select").first.check()
        await page.locator("select[name=action]").select_option("moderate")
        await page.locator("button[name=index]").click()
        await expect(page.locator("#content h1")).to_have_text("Delete the selected messages?")
        await audit.look(page, "the question about messages", "#content")
