"""The worked example of CONTRIBUTING.md is taken from the page and run on two real servers."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import opened
from tests.support.servers import ROOT, Server, Site

pytestmark = pytest.mark.cluster

PAGE = (ROOT / "CONTRIBUTING.md").read_text()


def python_blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    topic, asgi = python_blocks()
    (tmp_path / "hands").mkdir()
    (tmp_path / "hands" / "__init__.py").touch()
    (tmp_path / "hands" / "topics.py").write_text(topic)
    # The application of a site of its own, with the settings of this one.
    (tmp_path / "hands_asgi.py").write_text(asgi.replace("mysite.settings", "project.settings"))
    return Site(tmp_path, PYTHONPATH=str(tmp_path))


@pytest.fixture
def two_servers(site: Site) -> Iterator[list[Server]]:
    with site.serving("hubbub", 2, "hands_asgi:application") as both:
        yield both


async def test_a_hand_raised_on_one_server_is_seen_on_the_other(site: Site, two_servers: list[Server]) -> None:
    first, second = (server.url for server in two_servers)
    cookies = [site.make_user(name)["cookie"] for name in ("alice", "bob")]
    async with (
        opened(first, "/ws/hands/", cookie=cookies[0]) as alice,
        opened(second, "/ws/hands/", cookie=cookies[1]) as bob,
    ):
        assert (await alice.request("hand.raise", topic="hands", subject="Lunch"))["code"] == "conflict"
        for client in (alice, bob):
            assert (await client.request("join", topic="hands"))["type"] == "ok"
        refused = await bob.request("hand.raise", topic="hands", subject=" ")
        assert (refused["type"], refused["code"]) == ("error", "invalid")
        assert (await bob.request("message.post", topic="hands"))["code"] == "invalid"

        assert (await alice.request("hand.raise", topic="hands", subject="Lunch"))["type"] == "ok"
        seen = [await client.event("hand.raised") for client in (alice, bob)]
        user = seen[0]["user"]
        assert seen[0] == seen[1] == {"type": "hand.raised", "topic": "hands", "user": user, "subject": "Lunch"}
        assert user["name"] == "alice"


def test_the_example_is_as_short_as_the_page_says() -> None:
    assert len(python_blocks()[0].splitlines()) <= 20
