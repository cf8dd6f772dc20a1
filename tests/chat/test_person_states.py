"""The states of rooms, as open pages of their person are told them: also where a room opens by itself."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from chat import background, services, telling
from chat.models import Room
from chat.topics import PersonTopic, RoomTopic
from hubbub import Refused, users
from hubbub.publish.messages import Listed
from hubbub.testing import connect
from hubbub.testing.capture import received
from tests.chat.test_reading import enter, no_entries, post, read
from tests.support.topic_page import in_thread

__all__ = ["no_entries"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


async def test_a_person_is_told_on_every_page_and_nobody_else(alice: Any, bob: Any, lounge: Room) -> None:
    person = users.id_of(alice)
    await in_thread(enter)(alice, lounge)
    with pytest.raises(Refused) as refused:
        async with connect(PersonTopic, person, user=bob):
            pass
    assert refused.value.code == "not_found"
    async with connect(PersonTopic, person, user=alice) as page, connect(RoomTopic, "lounge", user=alice) as room:
        assert page.state == {"rooms": {"lounge": {}}}
        assert (room.viewer["read_seq"], room.viewer["read_version"]) == (0, 0)
        await in_thread(post)(bob, lounge, 3)
        assert await room.read(seq=2, version=0) == {"seq": 2, "version": 0}
        assert await room.mute(on=True) == {"read_seq": 2, "muted": True}
        await in_thread(background.work)()
        event = await page.event("person.room")
        assert {name: event[name] for name in event if name not in ("topic", "position", "type")} == {
            "room": "lounge",
            "read_seq": 2,
            "muted": True,
        }
        assert await room.unread(seq=1) == {"seq": 0, "version": 1}
        await in_thread(background.work)()
        assert (await page.event("person.room"))["read_version"] == 1
    assert await in_thread(telling.has_untold)() is False
    await in_thread(connections.close_all)()


async def test_a_room_that_is_public_again_is_told_to_open_pages(alice: Any, bob: Any, lounge: Room) -> None:
    await in_thread(enter)(alice, lounge)
    await in_thread(post)(bob, lounge, 3)
    await in_thread(read)(alice, lounge, 2)
    await in_thread(services.set_membership)(room_id=lounge.pk, user_id=str(bob.pk))
    await in_thread(enter)(bob, lounge)
    await in_thread(background.work)()
    await in_thread(services.change_room)(room_id=lounge.pk, is_private=True)
    async with (
        connect(PersonTopic, users.id_of(alice), user=alice) as page,
        connect(PersonTopic, users.id_of(bob), user=bob) as other,
    ):
        assert page.state == {"rooms": {}}
        await in_thread(services.change_room)(room_id=lounge.pk, is_private=False)
        await in_thread(background.work)()
        event = await page.event("person.room")
        assert (event["room"], event["read_seq"]) == ("lounge", 2)
        assert other.frames == []  # A member has not lost it.
        await in_thread(services.change_room)(room_id=lounge.pk, title="Salon")
        await in_thread(background.work)()
        assert len(page.frames) == 1
    await in_thread(connections.close_all)()


async def test_a_room_is_told_and_listed_when_a_ban_ends_by_its_time(alice: Any, bob: Any, lounge: Room) -> None:
    await in_thread(enter)(alice, lounge)
    await in_thread(post)(bob, lounge, 3)
    await in_thread(read)(alice, lounge, 2)
    await in_thread(background.work)()
    soon = timezone.now() + timedelta(seconds=0.5)
    ban = {"room_id": lounge.pk, "user_id": str(alice.pk), "role": "none", "banned_until": soon}
    await in_thread(services.set_membership)(**ban)
    async with connect(PersonTopic, users.id_of(alice), user=alice) as page:
        assert page.state == {"rooms": {}}
        await in_thread(background.work)()
        await asyncio.sleep((soon - timezone.now()).total_seconds())
        messages: list[Any] = []
        with received(messages.append):
            await in_thread(background.work)()
            await in_thread(background.work)()
        event = await page.event("person.room")
        assert (event["room"], event["read_seq"]) == ("lounge", 2)
        assert [message.users for message in messages if isinstance(message, Listed)] == [[str(alice.pk)]]
    await in_thread(connections.close_all)()
