"""Positions of rooms compared with the database."""

from typing import Any

import pytest
from channels.db import database_sync_to_async as in_thread

from chat.models import Room
from chat.topics import RoomTopic
from hubbub.topics.recovery import Comparison
from tests.support.posts import post_all, post_by

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


async def test_each_comparison_finds_changed_and_deleted_rooms(alice: Any, lounge: Room) -> None:
    comparison, group = Comparison(), RoomTopic("lounge").group
    gone = RoomTopic("gone").group
    for position in (0, 1):
        found = await comparison.read_changed([group, gone])
        assert found[gone] is None
        assert (found[group].epoch, found[group].position) == (lounge.epoch, position)  # type: ignore[union-attr]
        await in_thread(post_all)([post_by(alice, lounge)])
    await in_thread(lounge.delete)()
    assert await comparison.read_changed([group, gone]) == {group: None, gone: None}
