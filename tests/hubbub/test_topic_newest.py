"""A newest topic and the access of its members."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from tests.support.polls.topics import ThermometerTopic
from tests.support.topic_page import opened

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

in_thread: Callable[..., Any] = sync_to_async


async def test_a_user_who_lost_access_gets_no_more_frames(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def may_view(self: ThermometerTopic, user: Any) -> bool:
        return user.get_username() == "bob"

    closed = {"type": "closed", "topic": "thermometer", "code": "not_found"}
    async with opened(alice) as page, opened(bob) as other:
        for each in (page, other):
            assert (await each.ask("join", topic="thermometer"))["type"] == "ok"
        monkeypatch.setattr(ThermometerTopic, "may_view", may_view)
        topic = ThermometerTopic()
        await in_thread(topic.access_changed)()
        assert await page.next() == closed
        await in_thread(topic.publish)(1, {"type": "measured", "celsius": 20.0})
        assert (await other.next("measured"))["celsius"] == 20.0
        assert (await page.ask("ping"))["type"] == "pong"
        assert not page.unread()
