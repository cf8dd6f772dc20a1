"""Resume of a room: from any position, in parts, and afresh where a resume is impossible."""

from typing import Any

import pytest

from chat import services
from chat.models import Room
from hubbub.topics import log_reading
from tests.support.joins import PAGE_BYTES, JoinAnswer, join, post, seqs

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


# Resuming


def test_a_resume_brings_every_change_in_order_of_position(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 5)
    services.edit_message(user_id=alice.pk, slug="lounge", seq=1, body="edited")
    services.delete_message(user_id=alice.pk, slug="lounge", seq=3)
    post(alice, lounge)
    joined = join(alice, lounge, after=4, epoch=lounge.epoch)
    assert joined.complete
    assert seqs(joined) == [5, 1, 3, 6]
    assert [message.deleted for message in joined.messages] == [False, False, True, False]
    assert [(event["type"], event["position"]) for event in joined.events] == [
        ("message.posted", 5),
        ("message.edited", 6),
        ("message.deleted", 7),
        ("message.posted", 8),
    ]


def test_a_resume_at_the_present_brings_nothing(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 2)
    joined = join(alice, lounge, after=2, epoch=lounge.epoch)
    assert (joined.complete, joined.messages) == (True, [])


@pytest.mark.parametrize("after", [99, -1, -(10**20), 10**20])
def test_a_position_from_the_future_or_below_zero_starts_afresh(alice: Any, lounge: Room, after: int) -> None:
    post(alice, lounge, 3)
    joined = join(alice, lounge, after=after, epoch=lounge.epoch)
    assert (joined.complete, seqs(joined)) == (False, [1, 2, 3])


def test_another_epoch_starts_afresh(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 3)
    for epoch in (None, "", "other"):
        assert not join(alice, lounge, after=2, epoch=epoch).complete


def test_a_position_before_purged_messages_starts_afresh(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 5)
    Room.objects.filter(pk=lounge.pk).update(purged_position=3)
    assert not join(alice, lounge, after=2, epoch=lounge.epoch).complete
    assert join(alice, lounge, after=3, epoch=lounge.epoch).complete


def test_too_many_changes_start_afresh(alice: Any, lounge: Room, settings: Any) -> None:
    settings.CHAT = settings.CHAT | {"RESUME_CHANGES": 10}
    post(alice, lounge, 11)
    assert join(alice, lounge, after=1, epoch=lounge.epoch).complete
    assert not join(alice, lounge, after=0, epoch=lounge.epoch).complete


# In parts


def resumed(user: Any, room: Room, after: int) -> list[JoinAnswer]:
    """The parts of a resume, each asked for from where the one before has ended."""
    parts: list[JoinAnswer] = []
    while not parts or parts[-1].partial:
        parts.append(join(user, room, after=after, epoch=room.epoch))
        after = parts[-1].position
    return parts


def test_a_resume_that_does_not_fit_comes_in_parts_without_a_hole_or_a_double(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 150, body="words " * 100)
    services.edit_message(user_id=alice.pk, slug="lounge", seq=3, body="edited " * 100)
    parts = resumed(alice, lounge, after=10)
    assert all(part.complete and part.size <= PAGE_BYTES for part in parts)
    assert [part.partial for part in parts] == [True] * (len(parts) - 1) + [False]
    assert len(parts) > 2
    assert [seq for part in parts for seq in seqs(part)] == [*range(11, 151), 3]
    assert [part.position for part in parts[:-1]] == [seqs(part)[-1] for part in parts[:-1]]
    assert parts[-1].position == 151


def test_a_change_between_two_parts_comes_once_and_last(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 40, body="\U0001f642" * 3_000)
    first = join(alice, lounge, after=0, epoch=lounge.epoch)
    assert (first.partial, seqs(first)) == (True, [1, 2])
    services.edit_message(user_id=alice.pk, slug="lounge", seq=20, body="short")
    services.edit_message(user_id=alice.pk, slug="lounge", seq=1, body="short")
    rest = [seq for part in resumed(alice, lounge, after=2) for seq in seqs(part)]
    assert rest == [*range(3, 20), *range(21, 41), 20, 1]


def test_more_changes_than_are_read_at_a_time_and_positions_of_the_room_itself(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reading, "CHANGES_PER_READ", 4)
    post(alice, lounge, 8)
    services.change_room(room_id=lounge.pk, title="Lobby")
    for after, expected in ((0, 8), (1, 7), (4, 4), (8, 0), (9, 0)):
        joined = join(alice, lounge, after=after, epoch=lounge.epoch)
        assert (joined.position, len(joined.messages), joined.partial) == (9, expected, False)
        renamed = [event for event in joined.events if event["type"] == "room.changed"]
        assert [(event["position"], event["changes"]["title"]) for event in renamed] == [(9, "Lobby")] * (after < 9)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_change_of_the_room_among_messages_is_left_out_of_no_read(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """It is no message: reads of any size have it at its place."""
    monkeypatch.setattr(log_reading, "CHANGES_PER_READ", size)
    post(alice, lounge, 3)
    services.change_room(room_id=lounge.pk, title="Lobby")
    post(alice, lounge, 3)
    for after in range(8):
        events = join(alice, lounge, after=after, epoch=lounge.epoch).events
        assert [event["position"] for event in events] == list(range(after + 1, 8))


def test_a_client_past_the_last_part_starts_afresh(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 9, body="\U0001f642" * 3_000)
    joined = join(alice, lounge, after=0, epoch=lounge.epoch, may_be_partial=False)
    assert (joined.complete, joined.partial, seqs(joined), joined.position) == (False, False, [8, 9], 9)
    # Nothing is refused to one who needs no other part.
    assert join(alice, lounge, after=8, epoch=lounge.epoch, may_be_partial=False).complete
