"""What a joining, resuming or scrolling client is told, and what the hub repairs with."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from chat import conf, history, services
from chat.models import Message, Room
from chat.protocol import Joined, frame_size
from realtime import conf as realtime_conf
from realtime.presence import MOST_NAMED, MOST_NAMES_BYTES
from realtime.protocol import Person, Presence, Refused

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def post(user: Any, room: Room, count: int = 1, body: str = "hello") -> None:
    for _ in range(count):
        services.post_message(user_id=user.pk, slug=room.slug, client_id=uuid4(), body=body)


def join(user: Any, room: Room, after: int | None = None, epoch: str | None = None) -> Joined:
    joined = history.open_room(user_id=user.pk, slug=room.slug, after=after, epoch=epoch)
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


def test_a_page_is_cut_to_fit_a_frame_and_says_so(alice: Any, lounge: Room, settings: Any) -> None:
    settings.REALTIME = replace(realtime_conf.settings(), sent_frame_bytes=64 * 1024)
    post(alice, lounge, 20, body="\U0001f642" * 1000)
    joined = join(alice, lounge)
    assert joined.more
    assert seqs(joined) == list(range(21 - len(joined.messages), 21))
    assert 3 < len(joined.messages) < 20
    crowd = [Person(f"{number:02}", '"' * (MOST_NAMES_BYTES // MOST_NAMED - 2)) for number in range(MOST_NAMED)]
    joined.present = Presence(MOST_NAMED, crowd)
    assert frame_size(joined) <= 64 * 1024
    assert not join(alice, lounge, after=0, epoch=lounge.epoch).complete

    older = history.read_history(user_id=alice.pk, slug="lounge", before=13, after=None, around=None, limit=50)
    assert older.more
    assert seqs(older)[-1] == 12
    assert frame_size(older) <= 64 * 1024
    newer = history.read_history(user_id=alice.pk, slug="lounge", before=None, after=2, around=None, limit=50)
    assert newer.more
    assert seqs(newer)[0] == 3


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
