"""A page whose HTML is old: it has its messages at once, and its join brings what has changed since, nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page

from tests.support.cluster import Cluster
from tests.support.proxy import Proxy

pytestmark = [pytest.mark.cluster, pytest.mark.browser, pytest.mark.timeout(240)]

# The state in the HTML of a room.
READ = """async (slug) => {
  const html = await (await fetch(`/rooms/${slug}/`)).text();
  const script = new DOMParser().parseFromString(html, "text/html").getElementById("first-state");
  return JSON.parse(script.textContent);
}"""
# Opens the room with such a state, and notes the calls of its handlers.
OPEN = """async ([slug, first]) => {
  const { Hubbub } = await import("/static/hubbub/js/hub.js");
  const calls = (globalThis.calls = []);
  globalThis.hub?.close();
  globalThis.hub = new Hubbub({ path: "/ws/chat/", state: (_, { via }) => (globalThis.via = via ?? globalThis.via) });
  hub.topic(`room/${slug}`, {
    state: (state, _, isAnew) => calls.push(["state", state, isAnew]),
    event: (event) => calls.push(["event", event]),
    joined: (answer) => calls.push(["joined", answer.complete]),
  }, { first });
}"""
CODE = """
from uuid import uuid4
from django.contrib.auth import get_user_model
from chat import posting, services
from chat.models import Room
user = str(get_user_model().objects.get(username={name!r}).pk)
def post(text):
    posting.post_message(user_id=user, slug={slug!r}, client_id=uuid4(), body=text)
"""


class Old:
    """A room, and a tab that has read the HTML of its page."""

    def __init__(self, cluster: Cluster, page: Page, name: str) -> None:
        self.page = page
        self.slug = f"room-{uuid4().hex[:8]}"
        self._cluster = cluster
        self._code = CODE.format(name=name, slug=self.slug)

    async def run(self, *lines: str) -> None:
        await asyncio.to_thread(self._cluster.shell, "\n".join([self._code, *lines]))

    async def calls(self, until: str = 'calls.some(([name]) => name === "joined")') -> list[list[Any]]:
        await self.page.wait_for_function(until, timeout=60_000)
        calls: list[list[Any]] = await self.page.evaluate("calls")
        return calls


@pytest.fixture(params=["socket", "http"])
async def old(request: pytest.FixtureRequest, browser: Browser, cluster: Cluster) -> AsyncIterator[Old]:
    name = f"ada-{uuid4().hex[:6]}"
    user = await asyncio.to_thread(cluster.make_user, name)
    with Proxy(cluster.sockets["web-1"]) as link:
        link.drops_upgrades = request.param == "http"
        context = await browser.new_context(bypass_csp=True)
        await context.add_cookies([{"name": "sessionid", "value": user["cookie"], "domain": "127.0.0.1", "path": "/"}])
        page = await context.new_page()
        await page.goto(f"http://127.0.0.1:{link.port}/")
        old = Old(cluster, page, name)
        create = "services.create_room(slug={0!r}, title='Room'); post('1 </script>'); post('2'); post('3')"
        await old.run(create.format(old.slug))
        yield old
        assert await page.evaluate("via") == request.param
        await page.evaluate("hub.close()")


async def test_what_changed_since_the_page_was_made_comes_once(old: Old) -> None:
    first = await old.page.evaluate(READ, old.slug)
    assert [message["body"] for message in first["state"]["messages"]] == ["1 </script>", "2", "3"]
    await old.run(
        "for number in range(4, 24): post(str(number))",
        f"services.edit_message(user_id=user, slug={old.slug!r}, seq=1, body='edited')",
        f"services.delete_message(user_id=user, slug={old.slug!r}, seq=2)",
        f"services.change_room(room_id=Room.objects.get(slug={old.slug!r}).pk, title='Salon')",
    )
    # More comes while the page joins.
    posting = asyncio.create_task(old.run("for number in range(24, 64): post(str(number))"))
    await old.page.evaluate(OPEN, [old.slug, first])
    await posting
    calls = await old.calls("calls.some(([, event]) => event.message?.body === '63')")
    states = [values for name, *values in calls if name == "state"]
    assert states == [[first["state"], True]]
    assert [values for name, *values in calls if name == "joined"] == [[True]]
    events = [values[0] for name, *values in calls if name == "event"]
    positions = [event["position"] for event in events]
    assert positions == sorted(set(positions))
    posted = [event["message"]["seq"] for event in events if event["type"] == "message.posted"]
    assert posted == list(range(4, 64))
    others = [event for event in events if event["type"] != "message.posted"]
    assert [event["type"] for event in others] == ["message.edited", "message.deleted", "room.changed"]


async def test_a_page_of_before_a_restore_gets_the_whole_state(old: Old) -> None:
    first = await old.page.evaluate(READ, old.slug)
    await old.run("post('4')", "services.renew_epochs()")
    await old.page.evaluate(OPEN, [old.slug, first])
    calls = await old.calls()
    states = [values for name, *values in calls if name == "state"]
    assert [len(state["messages"]) for state, _ in states] == [3, 4]
    assert [is_anew for _, is_anew in states] == [True, True]
    assert calls[-1] == ["joined", False]


async def test_a_second_tab_that_is_older_misses_nothing(old: Old) -> None:
    older = await old.page.evaluate(READ, old.slug)
    await old.run("post('4')")
    first = await old.page.evaluate(READ, old.slug)
    await old.page.evaluate(OPEN, [old.slug, first])
    await old.calls()
    tab = await old.page.context.new_page()
    await tab.goto(old.page.url)
    await tab.evaluate(OPEN, [old.slug, older])
    await old.run("post('5')")
    # In an event, or in a state that was read after the post.
    await tab.wait_for_function("""JSON.stringify(calls).includes('"body":"5"')""", timeout=60_000)
    seen: list[int] = []
    for name, *values in await tab.evaluate("calls"):
        if name == "state":
            seen = [message["seq"] for message in values[0]["messages"]]
        elif name == "event" and values[0]["type"] == "message.posted":
            seen.append(values[0]["message"]["seq"])
    assert seen == [1, 2, 3, 4, 5]
    await tab.evaluate("hub.close()")
