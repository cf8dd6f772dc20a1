"""Two users at one browser, one after the other: messages and drafts stay with their author."""

import asyncio
import json
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, WebSocketRoute, expect

from tests.support.cluster import Cluster
from tests.support.visitor import TIMEOUT_MS, visiting

pytestmark = [pytest.mark.browser, pytest.mark.cluster]

DRAFT = "What Alice has begun to"


class Line:
    """Between a page and its server. While it is `stalled` no post gets through; `tried`: the bodies of all of them."""

    def __init__(self) -> None:
        self.stalled = False
        self.tried: list[str] = []

    def begin(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            frame = json.loads(text)
            if frame["type"] == "message.post":
                self.tried.append(frame["body"])
                if self.stalled:
                    return
            server.send(text)

        socket.on_message(pass_on)


async def shell(cluster: Cluster, code: str) -> str:
    return await asyncio.to_thread(cluster.shell, code)


async def sign_in(page: Page, cluster: Cluster, name: str) -> None:
    """As the sign-in leaves it: this browser has another session, and the server has ended the one before."""
    cookies = await page.context.cookies()
    cookie = (await asyncio.to_thread(cluster.make_user, name))["cookie"]
    host = urlsplit(cluster.url).hostname
    await page.context.add_cookies([{"name": "sessionid", "value": cookie, "domain": host, "path": "/"}])
    former = next(cookie["value"] for cookie in cookies if cookie["name"] == "sessionid")
    end = f"from django.contrib.sessions.models import Session; Session.objects.get(pk={former!r}).delete()"
    await shell(cluster, end)


async def ready(page: Page, name: str) -> None:
    await page.wait_for_selector(f'html[data-state=open] #room[data-user-name="{name}"][data-ready=true]')


async def post(page: Page, text: str) -> None:
    await page.locator("#body").fill(text)
    await page.keyboard.press("Enter")


async def test_sending_as_the_next_user_of_the_browser(browser: Browser, cluster: Cluster) -> None:
    mark = uuid4().hex[:8]
    slug, alice, bob = f"shared-{mark}", f"alice-{mark}", f"bob-{mark}"
    await shell(cluster, f"from chat import services; services.create_room(slug={slug!r}, title='Shared')")
    line = Line()
    async with visiting(browser, cluster, alice) as visitor:
        page = visitor.page
        saved = page.locator(".message:not(.is-pending) .message-body")
        await page.route_web_socket("**/ws/chat/", line.begin)
        await visitor.open(f"/rooms/{slug}/")
        await ready(page, alice)
        line.stalled = True
        await post(page, "Alice's first.")
        await post(page, "Alice's second.")
        await expect(page.locator(".message.is-pending")).to_have_count(2, timeout=TIMEOUT_MS)
        await page.locator("#body").fill(DRAFT)
        line.stalled = False
        line.tried.clear()

        await sign_in(page, cluster, bob)
        await ready(page, bob)
        await expect(page.locator("#body")).to_have_value("")
        await expect(page.locator(".message")).to_have_count(0)
        await post(page, "Bob's own.")
        await expect(saved).to_have_text(["Bob's own."], timeout=TIMEOUT_MS)
        assert line.tried == ["Bob's own."]

        # They are still Alice's to send.
        await sign_in(page, cluster, alice)
        await ready(page, alice)
        await expect(saved).to_have_text(["Bob's own.", "Alice's first.", "Alice's second."], timeout=TIMEOUT_MS)
        await expect(page.locator("#body")).to_have_value(DRAFT)
        assert visitor.problems == []
    written = await shell(
        cluster,
        f"""
        from chat.models import Message
        for message in Message.objects.filter(room__slug={slug!r}).order_by("seq").select_related("author"):
            print(message.author.username, message.body, sep=": ")
        """,
    )
    assert written.splitlines() == [f"{bob}: Bob's own.", f"{alice}: Alice's first.", f"{alice}: Alice's second."]
