"""Keys of several parts, through a socket."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission

from tests.support.polls.consumers import TrialConsumer
from tests.support.polls.models import Note
from tests.support.polls.trials import DrawerTopic
from tests.support.topic_page import in_thread, opened

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


@pytest.fixture(autouse=True)
def viewers(alice: Any, bob: Any) -> None:
    for user in (alice, bob):
        user.user_permissions.add(Permission.objects.get(codename="view_poll"))


async def test_a_topic_with_a_tuple_as_key_is_joined_changed_followed_and_closed(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(alice, TrialConsumer) as page, opened(bob, TrialConsumer) as other:
        for each in (page, other):
            assert (await each.ask("join", topic="drawer/7/to do"))["state"] == []
        await other.ask("join", topic="drawer/7/done")
        assert (await page.ask("put", topic="drawer/7/to do", text="Tea"))["result"] == 1
        for each in (page, other):
            changed = await each.next("changed")
            assert (changed["topic"], changed["state"]) == ("drawer/7/to do", ["Tea"])
        note = await Note.objects.aget()
        note.board = "7-done"
        await in_thread(note.save)()
        moved = [await other.next("changed") for _ in range(2)]
        assert {frame["topic"]: frame["state"] for frame in moved} == {"drawer/7/to do": [], "drawer/7/done": ["Tea"]}
        monkeypatch.setattr(DrawerTopic, "locked", {(7, "to do")})
        await in_thread(DrawerTopic((7, "to do")).access_changed)()
        closed = {"type": "closed", "topic": "drawer/7/to do", "code": "not_found"}
        assert await other.next("closed") == await page.next("closed") == closed
        for address in ("drawer/7/to do", "drawer/07/done", "drawer/7", "drawer/7/done/"):
            assert (await page.ask("join", topic=address))["code"] == "not_found"
        assert (await page.ask("join", topic="drawer/7/done"))["state"] == ["Tea"]
