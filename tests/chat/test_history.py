"""What a joining, resuming or scrolling client is told, and what the hub repairs with."""

import json
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from msgspec.structs import replace

from chat import conf, history, posting, services
from chat.models import Message, Room
from chat.protocol import Joined, frame_size
from hubbub.presence.topic_presence import MAX_NAMED, MAX_NAMES_BYTES
from hubbub.protocol import Person, Presence, Refused, encode

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def post(user: Any, room: Room, count: int = 1, body: str = "hello") -> None:
    for _ in range(count):
        posting.post_message(user_id=user.pk, slug=room.slug, client_id=uuid4(), body=body)


def join(user: Any, room: Room, after: int | None = None, epoch: str | None = None, **more: Any) -> Joined:
    joined = history.open_room(user_id=user.pk, slug=room.slug, after=after, epoch=epoch, **more)
    return msgspec.json.decode(msgspec.json.encode(joined), type=Joined)


def seqs(answer: Any) -> list[int]:
    return [one.seq for one in answer.messages]


# Joining


def test_an_empty_room(alice: Any, lounge: Room) -> None:
    joined = join(alice, lounge)
    assert (joined.position, joined.messages, joined.more, joined.complete) == (0, [], False, False)
    assert joined.room.role == "member"


def test_a_join_brings_the_latest_page_oldest_first(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 60)
    joined = join(alice, lounge)
    assert seqs(joined) == list(range(11, 61))
    assert (joined.position, joined.more, joined.complete) == (60, True, False)


def test_a_page_of_exactly_all_messages_has_no_more(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 50)
    assert not join(alice, lounge).more


def test_an_outsider_does_not_join(alice: Any, charlie: Any, mona: Any, attic: Room) -> None:
    assert join(alice, attic).room.role == "member"
    assert join(mona, attic).room.role == "moderator"
    with pytest.raises(Refused) as caught:
        join(charlie, attic)
    assert caught.value.code == "not_found"


def test_what_changes_while_the_page_is_read_is_left_to_its_event(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(alice, lounge, 3)
    enter_room = history.access.enter_room

    def change_meanwhile(*args: Any) -> Any:
        entered = enter_room(*args)
        services.edit_message(user_id=alice.pk, slug="lounge", seq=2, body="changed")
        post(alice, lounge)
        return entered

    monkeypatch.setattr(history.access, "enter_room", change_meanwhile)
    joined = join(alice, lounge)
    assert (joined.position, seqs(joined)) == (3, [1, 3])


# Resuming


def test_a_resume_brings_every_change_in_order_of_position(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 5)
    services.edit_message(user_id=alice.pk, slug="lounge", seq=1, body="edited")
    services.delete_message(user_id=alice.pk, slug="lounge", seq=3)
    post(alice, lounge)
    joined = join(alice, lounge, after=4, epoch=lounge.epoch)
    assert joined.complete
    assert seqs(joined) == [5, 1, 3, 6]
    assert [one.deleted for one in joined.messages] == [False, False, True, False]


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


def test_a_position_before_what_was_purged_starts_afresh(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 5)
    Room.objects.filter(pk=lounge.pk).update(purged_position=3)
    assert not join(alice, lounge, after=2, epoch=lounge.epoch).complete
    assert join(alice, lounge, after=3, epoch=lounge.epoch).complete


def test_too_many_changes_start_afresh(alice: Any, lounge: Room, settings: Any) -> None:
    settings.CHAT = replace(conf.settings(), resume_changes=10)
    post(alice, lounge, 11)
    assert join(alice, lounge, after=1, epoch=lounge.epoch).complete
    assert not join(alice, lounge, after=0, epoch=lounge.epoch).complete


# Size


PAGE_BYTES = 32 * 1024
LONGEST = "\U0001f642" * 4_000


def test_a_room_of_the_longest_messages_is_opened_by_a_page_of_32_kib(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 20, body="\U0001f642" * 1_500)
    joined = join(alice, lounge)
    assert joined.more
    assert seqs(joined) == list(range(21 - len(joined.messages), 21))
    assert 3 < len(joined.messages) < 20
    assert 24 * 1024 < frame_size(joined) <= PAGE_BYTES

    older = history.read_history(user_id=alice.pk, slug="lounge", before=13, after=None, around=None, limit=50)
    assert older.more
    assert seqs(older)[-1] == 12
    assert frame_size(older) <= PAGE_BYTES
    newer = history.read_history(user_id=alice.pk, slug="lounge", before=None, after=2, around=None, limit=50)
    assert newer.more
    assert seqs(newer)[0] == 3
    assert frame_size(newer) <= PAGE_BYTES


@pytest.mark.parametrize("around", [1, 2, 10, 20, 25])
def test_history_around_a_message_has_that_message_however_long_the_others_are(
    alice: Any, lounge: Room, around: int
) -> None:
    post(alice, lounge, 20, body=LONGEST)
    page = history.read_history(user_id=alice.pk, slug="lounge", before=None, after=None, around=around, limit=50)
    assert frame_size(page) <= PAGE_BYTES
    assert min(around, 20) in seqs(page)
    assert page.more == (seqs(page)[0] > 1)


def test_one_message_is_told_whatever_its_size(alice: Any, lounge: Room, settings: Any) -> None:
    settings.CHAT = replace(conf.settings(), body_chars=20_000)
    post(alice, lounge, 3, body="\U0001f642" * 20_000)
    assert seqs(join(alice, lounge)) == [3]
    part = join(alice, lounge, after=0, epoch=lounge.epoch)
    assert (seqs(part), part.position, part.partial) == ([1], 1, True)
    assert seqs(history.read_history(user_id=alice.pk, slug="lounge", before=3, after=None, around=None, limit=9)) == [
        2
    ]


def test_a_page_leaves_room_for_a_hundred_who_are_present(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 200, body="a line as people write them")
    crowd = Presence(MAX_NAMED, [Person(2**53 - n, "n" * (MAX_NAMES_BYTES // MAX_NAMED)) for n in range(MAX_NAMED)])
    size = len(encode(crowd).encode())
    joined = join(alice, lounge, present_bytes=size)
    answer = history.open_room(user_id=alice.pk, slug="lounge", after=None, epoch=None, present_bytes=size)
    assert history.room_for_present(answer) >= size
    joined = msgspec.structs.replace(joined, present=crowd, ref="\u0001" * 64)
    assert frame_size(joined) <= PAGE_BYTES
    assert len(joined.messages) == 50


# In parts


def resumed(user: Any, room: Room, after: int) -> list[Joined]:
    """The parts of a resume, each asked for from where the one before has ended."""
    parts: list[Joined] = []
    while not parts or parts[-1].partial:
        parts.append(join(user, room, after=after, epoch=room.epoch))
        after = parts[-1].position
    return parts


def test_a_resume_that_does_not_fit_comes_in_parts_without_a_hole_or_a_double(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 150, body="words " * 100)
    services.edit_message(user_id=alice.pk, slug="lounge", seq=3, body="edited " * 100)
    parts = resumed(alice, lounge, after=10)
    assert all(one.complete and one.more and frame_size(one) <= PAGE_BYTES for one in parts)
    assert [one.partial for one in parts] == [True] * (len(parts) - 1) + [False]
    assert len(parts) > 2
    assert [seq for one in parts for seq in seqs(one)] == [*range(11, 151), 3]
    assert [one.position for one in parts[:-1]] == [seqs(one)[-1] for one in parts[:-1]]
    assert parts[-1].position == 151


def test_what_changes_between_two_parts_comes_once_and_last(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 40, body="\U0001f642" * 3_000)
    first = join(alice, lounge, after=0, epoch=lounge.epoch)
    assert (first.partial, seqs(first)) == (True, [1, 2])
    services.edit_message(user_id=alice.pk, slug="lounge", seq=20, body="short")
    services.edit_message(user_id=alice.pk, slug="lounge", seq=1, body="short")
    rest = [seq for one in resumed(alice, lounge, after=2) for seq in seqs(one)]
    assert rest == [*range(3, 20), *range(21, 41), 20, 1]


def test_more_changes_than_are_read_at_a_time_and_positions_of_the_room_itself(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "READ_CHANGES", 4)
    post(alice, lounge, 8)
    services.change_room(room_id=lounge.pk, title="Lobby")
    for after, expected in ((0, 8), (1, 7), (4, 4), (8, 0), (9, 0)):
        joined = join(alice, lounge, after=after, epoch=lounge.epoch)
        assert (joined.position, len(joined.messages), joined.partial) == (9, expected, False)


def test_a_client_that_may_not_be_told_another_part_starts_afresh(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 9, body="\U0001f642" * 3_000)
    joined = join(alice, lounge, after=0, epoch=lounge.epoch, may_be_partial=False)
    assert (joined.complete, joined.partial, seqs(joined), joined.position) == (False, False, [8, 9], 9)
    # Nothing is refused to one who needs no other part.
    assert join(alice, lounge, after=8, epoch=lounge.epoch, may_be_partial=False).complete


# Scrolling


@pytest.mark.parametrize(
    ("where", "limit", "expected", "more"),
    [
        ({"before": 11}, 4, [7, 8, 9, 10], True),
        ({"before": 4}, 10, [1, 2, 3], False),
        ({"before": 1}, 10, [], False),
        ({"before": 0}, 10, [], False),
        ({"after": 17}, 2, [18, 19], True),
        ({"after": 17}, 10, [18, 19, 20], False),
        ({"after": 2**62}, 10, [], False),
        ({"around": 10}, 4, [8, 9, 10, 11], True),
        ({"around": 1}, 4, [1, 2], False),
        ({"around": 99}, 4, [19, 20], True),
    ],
)
def test_history(alice: Any, lounge: Room, where: dict[str, int], limit: int, expected: list[int], more: bool) -> None:
    post(alice, lounge, 20)
    given = {"before": None, "after": None, "around": None} | where
    page = history.read_history(user_id=alice.pk, slug="lounge", limit=limit, **given)
    assert (seqs(page), page.more) == (expected, more)


@pytest.mark.parametrize("where", [{}, {"before": 1, "after": 1}, {"before": 1, "after": 1, "around": 1}])
def test_history_wants_exactly_one_place(alice: Any, lounge: Room, where: dict[str, int]) -> None:
    given = {"before": None, "after": None, "around": None} | where
    with pytest.raises(Refused) as caught:
        history.read_history(user_id=alice.pk, slug="lounge", limit=10, **given)
    assert caught.value.code == "invalid"


def test_an_outsider_reads_no_history(charlie: Any, attic: Room) -> None:
    with pytest.raises(Refused) as caught:
        history.read_history(user_id=charlie.pk, slug="attic", before=9, after=None, around=None, limit=10)
    assert caught.value.code == "not_found"


# Repairing


def test_a_repair_tells_the_present_state_in_order_of_position(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 2)
    services.change_room(room_id=lounge.pk, title="Lobby")
    services.edit_message(user_id=alice.pk, slug="lounge", seq=1, body="edited")
    services.delete_message(user_id=alice.pk, slug="lounge", seq=2)
    changes = history.read_changes("room.lounge", 0)
    frames = [json.loads(text) for _, text in changes.frames]
    assert (changes.position, changes.more) == (5, False)
    assert [at for at, _ in changes.frames] == [3, 4, 5]
    assert [one["type"] for one in frames] == ["room.changed", "message.edited", "message.deleted"]
    assert frames[0]["changes"] == {"title": "Lobby", "topic": "", "archived": False}
    assert [one["position"] for one in frames] == [3, 4, 5]


def test_a_long_repair_is_read_in_parts_that_leave_nothing_out(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "REPAIRED_CHANGES", 4)
    post(alice, lounge, 6)
    services.change_room(room_id=lounge.pk, title="Lobby")
    post(alice, lounge, 3)
    after, seen = 0, []
    while True:
        changes = history.read_changes("room.lounge", after)
        seen += [at for at, _ in changes.frames]
        after = changes.position
        if not changes.more:
            break
    assert seen == list(range(1, 11))
    assert after == 10


def test_a_repair_of_long_messages_is_read_in_parts_as_well(alice: Any, lounge: Room) -> None:
    """Each socket's outbox takes a part, and has a moment before the next."""
    post(alice, lounge, 70, body="\U0001f642" * 4000)
    after, seen, parts = 0, [], 0
    while True:
        changes = history.read_changes("room.lounge", after)
        assert sum(len(text.encode()) for _, text in changes.frames) < 1024 * 1024
        seen += [at for at, _ in changes.frames]
        after, parts = changes.position, parts + 1
        if not changes.more:
            break
    assert (seen, after) == (list(range(1, 71)), 70)
    assert parts > 1


def test_a_join_costs_two_queries_and_one_where_many_join_at_the_same_position(
    alice: Any, bob: Any, lounge: Room, django_assert_num_queries: Any
) -> None:
    for user in (alice, bob) * 10:
        post(user, lounge)
    with django_assert_num_queries(2):
        first = join(alice, lounge)
    with django_assert_num_queries(1):
        assert join(bob, lounge).messages == first.messages
    with django_assert_num_queries(2):
        join(alice, lounge, after=3, epoch=lounge.epoch)
    with django_assert_num_queries(1):
        assert len(join(bob, lounge, after=3, epoch=lounge.epoch).messages) == 17
    post(alice, lounge)
    assert len(join(bob, lounge, after=3, epoch=lounge.epoch).messages) == 18


def test_who_is_kept_out_is_not_let_in_by_a_page_that_others_have_read(alice: Any, charlie: Any, attic: Room) -> None:
    post(alice, attic)
    join(alice, attic)
    with pytest.raises(Refused):
        join(charlie, attic)


def test_a_message_of_a_deleted_account_has_a_name_and_no_id(alice: Any, bob: Any, lounge: Room) -> None:
    post(alice, lounge)
    alice.delete()
    user = join(bob, lounge).messages[0].user
    assert (user.id, user.name) == (None, "deleted user")
    assert Message.objects.count() == 1
