"""A room as its pages have it, by `hubbub.testing`: access, the order of changes, and closes."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from chat import posting, services
from chat.models import Room
from chat.topics import RoomTopic
from hubbub import Refused
from hubbub.testing import connect, published
from tests.support.topic_page import in_thread

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


async def refusal(user: Any, room: Room) -> str:
    with pytest.raises(Refused) as refused:
        async with connect(RoomTopic, room.slug, user=user):
            pass
    return refused.value.code


async def test_members_see_a_private_room_and_an_outsider_does_not(alice: Any, charlie: Any, attic: Room) -> None:
    async with connect(RoomTopic, "attic", user=alice) as page:
        assert page.state["room"]["title"] == "Attic"
        assert page.viewer["role"] == "member"
    assert await refusal(charlie, attic) == "not_found"
    assert await refusal(charlie, Room(slug="no-such-room")) == "not_found"


async def test_a_post_its_edit_and_its_deletion_are_shown_in_order(alice: Any, bob: Any, lounge: Room) -> None:
    async with (
        connect(RoomTopic, "lounge", user=alice) as page,
        connect(RoomTopic, "lounge", user=bob) as other,
    ):
        id = str(uuid4())
        assert await page.post(id=id, body="Tea?") == await page.post(id=id, body="Tea?")
        await page.edit(seq=1, body="Coffee?")
        with pytest.raises(Refused, match="only the author"):
            await other.edit(seq=1, body="Milk?")
        await page.delete(seq=1)
        for each in (page, other):
            changes = [await each.event(f"message.{change}") for change in ("posted", "edited", "deleted")]
            assert [change["position"] for change in changes] == [1, 2, 3]
            assert [change["message"]["body"] for change in changes] == ["Tea?", "Coffee?", ""]
            assert len(each.frames) == 3


@pytest.mark.parametrize("is_banned", [True, False])
async def test_a_member_who_is_banned_or_removed_is_out_and_the_others_stay(
    alice: Any, bob: Any, attic: Room, is_banned: bool
) -> None:
    def end() -> None:
        until = timezone.now() + timedelta(hours=1)
        if is_banned:
            services.set_membership(room_id=attic.pk, user_id=alice.pk, banned_until=until)
        else:
            services.remove_membership(room_id=attic.pk, user_id=alice.pk)

    async with connect(RoomTopic, "attic", user=alice) as page, connect(RoomTopic, "attic", user=bob) as stays:
        await in_thread(end)()
        assert await page.closed() == ("banned" if is_banned else "removed")
        with pytest.raises(Refused):
            await page.post(id=str(uuid4()), body="Still here")
        await stays.post(id=str(uuid4()), body="Bye")
        assert (await stays.event("message.posted"))["message"]["body"] == "Bye"
        assert page.frames == []


async def test_a_room_that_is_deleted_is_closed(alice: Any, lounge: Room) -> None:
    async with connect(RoomTopic, "lounge", user=alice) as page:
        await lounge.adelete()
        assert await page.closed() == "deleted"


def test_a_post_that_is_refused_publishes_nothing(charlie: Any, attic: Room) -> None:
    with published() as frames, pytest.raises(Refused):
        posting.post_message(user_id=charlie.pk, slug="attic", client_id=uuid4(), body="Let me in")
    assert frames == []
