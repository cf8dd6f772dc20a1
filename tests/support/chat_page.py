"""The page of a room in a browser, and rooms with messages."""

import asyncio
import functools
from collections.abc import Awaitable, Callable

from playwright.async_api import Page, expect

from tests.support.cluster import Cluster

SECONDS = 30_000  # Milliseconds: the limit of each wait.
MESSAGE = ".message .message-body"
CONNECTION = "document.documentElement.dataset.connection"
MOVED = f"first => document.documentElement.dataset.state === 'open' && {CONNECTION} !== first"
Open = Callable[..., Awaitable[Page]]


@functools.cache
def cookie_of(cluster: Cluster, name: str) -> str:
    return cluster.make_user(name)["cookie"]


async def process_of(page: Page) -> str:
    """The name of the process that serves the page's socket, such as web-2."""
    connection: str = await page.evaluate(CONNECTION)
    return connection.split(":")[0]


async def ready(page: Page) -> None:
    await page.wait_for_selector("html[data-state=open] #room[data-ready=true]")


async def post(page: Page, text: str) -> None:
    await page.locator("#body").fill(text)
    await page.keyboard.press("Enter")


async def says(page: Page, text: str) -> None:
    """Assert that the page shows the message once, as saved."""
    await expect(page.locator(".message:not(.is-pending) .message-body", has_text=text)).to_have_count(
        1, timeout=SECONDS
    )


NO_WORKER = "globalThis.SharedWorker = undefined"


async def no_connection(page: Page) -> None:
    """Let the page's sockets end at once, and its streams fail; other requests go on."""
    await page.route_web_socket("**/ws/chat/", lambda socket: socket.close())
    await page.route("**/live/**", lambda route: route.abort())
    # The requests of a shared worker are not the page's. Without the worker each page has a stream of its own.
    await page.add_init_script(NO_WORKER)
    await page.evaluate(NO_WORKER)


async def in_shell(cluster: Cluster, code: str) -> None:
    await asyncio.to_thread(cluster.shell, code)


async def make_room(cluster: Cluster, slug: str, messages: int = 0) -> None:
    await in_shell(cluster, f"from chat import services; services.create_room(slug={slug!r}, title={slug.title()!r})")
    if messages:
        await write_lines(cluster, slug, range(messages))


async def write_lines(cluster: Cluster, slug: str, numbers: range) -> None:
    code = f"""
        from uuid import uuid4
        from django.contrib.auth import get_user_model
        from chat import posting, services
        author, _ = get_user_model().objects.get_or_create(username="scribe")
        for number in {numbers!r}:
            posting.post_message(user_id=author.pk, slug={slug!r}, client_id=uuid4(), body=f"line {{number}}.")
        """
    await in_shell(cluster, code)


FIRST_SEEN = """log => [...log.querySelectorAll(".message")]
    .find((message) => message.getBoundingClientRect().top >= log.getBoundingClientRect().top)
    .querySelector(".message-body").textContent"""
PLACE = "message => message.getBoundingClientRect().top"
