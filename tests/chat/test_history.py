"""Pages of messages: for a join, for scrolling back, for repairs of the hub; their size and their cost."""

import json
from typing import Any

import msgspec
import pytest

from chat import access, history, services
from chat.models import Message, Room
from chat.protocol import History
from hubbub.presence.topic_presence import MAX_NAMED, MAX_NAMES_BYTES
from hubbub.protocol import Person, Presence, Refused, answer_text, encode
from hubbub.topics import log_reading, recovery
from hubbub.topics.frames import Done, room_for_presence
from tests.support.joins import PAGE_BYTES, join, post, seqs

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

LOUNGE = "t:room/lounge"
LONGEST_REF = "\u0001" * 64


def read(user: Any, slug: str, limit: int = 50, **where: int) -> History:
    """Read older messages: exactly one of `before`, `since` and `around`."""
    given: dict[str, int | None] = {"before": None, "since": None, "around": None, **where}
    return history.read_history(user_id=user.pk, slug=slug, limit=limit, **given)


def size_of(page: History) -> int:
    """The bytes of the longest answer that has this page."""
    return len(answer_text(LONGEST_REF, Done(topic="room/" + "x" * 50, result=page)).encode())


# Joining


def test_an_empty_room(alice: Any, lounge: Room) -> None:
    joined = join(alice, lounge)
    assert joined.page is not None
    assert (joined.position, joined.messages, joined.page.more, joined.complete) == (0, [], False, False)
    assert (joined.viewer.role, joined.viewer.body_chars) == ("member", 4000)


def test_a_join_brings_the_latest_page_oldest_first(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 60)
    joined = join(alice, lounge)
    assert seqs(joined) == list(range(11, 61))
    assert joined.page is not None
    assert (joined.position, joined.page.more, joined.complete) == (60, True, False)


def test_a_page_of_exactly_all_messages_has_no_more(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 50)
    page = join(alice, lounge).page
    assert page is not None
    assert not page.more


def test_an_outsider_does_not_join(alice: Any, charlie: Any, mona: Any, attic: Room) -> None:
    assert join(alice, attic).viewer.role == "member"
    assert join(mona, attic).viewer.role == "moderator"
    with pytest.raises(Refused) as caught:
        join(charlie, attic)
    assert caught.value.code == "not_found"


def test_a_change_while_the_page_is_read_is_left_to_its_event(
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


# Size


LONGEST = "\U0001f642" * 4_000


def test_a_room_of_the_longest_messages_is_opened_by_a_page_of_32_kib(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 20, body="\U0001f642" * 1_500)
    joined = join(alice, lounge)
    assert joined.page is not None
    assert joined.page.more
    assert seqs(joined) == list(range(21 - len(joined.messages), 21))
    assert 3 < len(joined.messages) < 20
    assert 24 * 1024 < joined.size <= PAGE_BYTES

    older = read(alice, "lounge", before=13)
    assert older.more
    assert seqs(older)[-1] == 12
    assert size_of(older) <= PAGE_BYTES
    newer = read(alice, "lounge", since=2)
    assert newer.more
    assert seqs(newer)[0] == 3
    assert size_of(newer) <= PAGE_BYTES


@pytest.mark.parametrize("around", [1, 2, 10, 20, 25])
def test_history_around_a_message_has_that_message_however_long_the_others_are(
    alice: Any, lounge: Room, around: int
) -> None:
    post(alice, lounge, 20, body=LONGEST)
    page = read(alice, "lounge", around=around)
    assert size_of(page) <= PAGE_BYTES
    assert min(around, 20) in seqs(page)
    assert page.more == (seqs(page)[0] > 1)


def test_a_page_has_at_least_one_message_of_any_size(alice: Any, lounge: Room, settings: Any) -> None:
    settings.CHAT = settings.CHAT | {"BODY_CHARS": 20_000}
    post(alice, lounge, 3, body="\U0001f642" * 20_000)
    assert seqs(join(alice, lounge)) == [3]
    part = join(alice, lounge, after=0, epoch=lounge.epoch)
    assert (seqs(part), part.position, part.partial) == ([1], 1, True)
    assert seqs(read(alice, "lounge", 9, before=3)) == [2]


CROWD = Presence(
    MAX_NAMED, [Person(str(2**53 - n), "n" * (MAX_NAMES_BYTES // MAX_NAMED - 2)) for n in range(MAX_NAMED)]
)


def test_a_page_leaves_room_for_a_hundred_present_users(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 200, body="a line as people write them")
    size = len(encode(CROWD).encode())
    joined = join(alice, lounge, present_bytes=size)
    assert room_for_presence(joined.frame, PAGE_BYTES, is_page=True) >= size
    full = msgspec.structs.replace(joined.frame, present=CROWD)
    assert len(answer_text(LONGEST_REF, full).encode()) <= PAGE_BYTES
    assert len(joined.messages) == 50


def test_users_who_came_while_the_page_was_read_fit_or_are_not_named(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 50, body="words " * 120)
    frame = join(alice, lounge).frame
    size = len(answer_text(LONGEST_REF, msgspec.structs.replace(frame, present=Presence(1, []))).encode())
    assert size + room_for_presence(frame, PAGE_BYTES, is_page=True) <= PAGE_BYTES


# Scrolling


@pytest.mark.parametrize(
    ("where", "limit", "expected", "more"),
    [
        ({"before": 11}, 4, [7, 8, 9, 10], True),
        ({"before": 4}, 10, [1, 2, 3], False),
        ({"before": 1}, 10, [], False),
        ({"before": 0}, 10, [], False),
        ({"since": 17}, 2, [18, 19], True),
        ({"since": 17}, 10, [18, 19, 20], False),
        ({"since": 2**62}, 10, [], False),
        ({"around": 10}, 4, [8, 9, 10, 11], True),
        ({"around": 1}, 4, [1, 2], False),
        ({"around": 99}, 4, [19, 20], True),
    ],
)
def test_history(alice: Any, lounge: Room, where: dict[str, int], limit: int, expected: list[int], more: bool) -> None:
    post(alice, lounge, 20)
    page = read(alice, "lounge", limit, **where)
    assert (seqs(page), page.more) == (expected, more)


@pytest.mark.parametrize("where", [{}, {"before": 1, "since": 1}, {"before": 1, "since": 1, "around": 1}])
def test_history_wants_exactly_one_place(alice: Any, lounge: Room, where: dict[str, int]) -> None:
    with pytest.raises(Refused) as caught:
        read(alice, "lounge", 10, **where)
    assert caught.value.code == "invalid"


def test_an_outsider_reads_no_history(charlie: Any, attic: Room) -> None:
    with pytest.raises(Refused) as caught:
        read(charlie, "attic", 10, before=9)
    assert caught.value.code == "not_found"


# Repairing


def test_a_repair_tells_the_present_state_in_order_of_position(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 2)
    services.change_room(room_id=lounge.pk, title="Lobby")
    services.edit_message(user_id=alice.pk, slug="lounge", seq=1, body="edited")
    services.delete_message(user_id=alice.pk, slug="lounge", seq=2)
    changes = log_reading.read_changes(recovery.find, LOUNGE, 0)
    frames = [json.loads(text) for _, text in changes.frames]
    assert (changes.position, changes.more) == (5, False)
    assert [at for at, _ in changes.frames] == [3, 4, 5]
    assert [frame["type"] for frame in frames] == ["room.changed", "message.edited", "message.deleted"]
    assert frames[0]["changes"] == {"title": "Lobby", "description": "", "private": False, "archived": False}
    assert [frame["position"] for frame in frames] == [3, 4, 5]


def test_a_long_repair_is_read_in_parts_that_leave_nothing_out(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reading, "CHANGES_PER_READ", 4)
    monkeypatch.setattr(log_reading, "REPAIR_CHARS", 100)
    post(alice, lounge, 6)
    services.change_room(room_id=lounge.pk, title="Lobby")
    post(alice, lounge, 3)
    after, seen = 0, []
    while True:
        changes = log_reading.read_changes(recovery.find, LOUNGE, after)
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
        changes = log_reading.read_changes(recovery.find, LOUNGE, after)
        assert sum(len(text.encode()) for _, text in changes.frames) < 640 * 1024
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
    for user in (alice, bob):  # Whether they may change rooms is remembered for many joins.
        access.manages(str(user.pk), "member")
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


def test_a_shared_page_does_not_admit_an_outsider(alice: Any, charlie: Any, attic: Room) -> None:
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
