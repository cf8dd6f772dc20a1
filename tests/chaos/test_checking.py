"""The checker finds every planted fault, and nothing where there is none."""

from collections.abc import Callable
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.db import connection

from chaos.checking import Report, Row, check, read_record
from chaos.log import Log, Sent
from chaos.room_view import RoomView
from chat import posting, services
from chat.models import Room
from tests.support.personas import alice, lounge  # noqa: F401
from tests.support.rooms import EPOCH, changed, event, log, posted, record, resumed, row, state

ALL = [event(seq, state(seq)) for seq in (1, 2, 3)]
ROWS = [row(seq) for seq in (1, 2, 3)]


def sender() -> Log[RoomView]:
    return log(*ALL, sent=[posted(seq) for seq in (1, 2, 3)])


def breach_kinds(report: Report) -> list[str]:
    return [breach.kind for breach in report.breaches]


def test_a_whole_room_is_whole() -> None:
    report = check(record(*ROWS), [sender(), log(*ALL)])
    assert report.is_consistent, str(report)
    assert (report.acknowledged, report.saved, report.delivered, report.unanswered) == (3, 3, 6, 0)


def test_a_whole_room_with_changes_is_whole() -> None:
    sent = [posted(1), posted(2), changed("message.edit", 1, 3, "better"), changed("message.delete", 2, 4)]
    edited, gone = event(3, state(1, "better"), "message.edited"), event(4, state(2, deleted=True), "message.deleted")
    rows = [row(1, "better", position=3), row(2, position=4, deleted=True)]
    report = check(record(*rows), [log(*ALL[:2], edited, gone, sent=sent)])
    assert report.is_consistent, str(report)


def test_a_post_without_an_answer_may_be_there_or_not() -> None:
    unanswered = Sent("message.post", 0.0, {"id": "id-3", "body": "body 3"})
    report = check(record(*ROWS), [log(*ALL, sent=[posted(1), posted(2), unanswered])])
    assert report.is_consistent
    report.add(check(record(*ROWS[:2]), [log(*ALL[:2], sent=[posted(1), posted(2), unanswered])]))
    assert report.is_consistent
    assert (report.unanswered, report.acknowledged) == (2, 4)


def test_a_hole_that_a_later_change_has_overwritten_is_no_loss() -> None:
    """A repair brings the present state: message 1 was posted at 1 and is at 3 now."""
    sent = [posted(1), posted(2), changed("message.edit", 1, 3, "better")]
    repaired = log(event(2, state(2)), event(3, state(1, "better"), "message.edited"), sent=sent)
    report = check(record(row(1, "better", position=3), row(2)), [repaired])
    assert report.is_consistent, str(report)


def lose_in_database() -> Report:
    return check(record(*ROWS[:2]), [log(*ALL[:2], sent=[posted(seq) for seq in (1, 2, 3)])])


def lose_at_reader() -> Report:
    return check(record(*ROWS), [sender(), log(ALL[0], ALL[2])], are_all_senders=False)


def lose_the_last_at_reader() -> Report:
    return check(record(*ROWS), [sender(), log(*ALL[:2])])


def lose_a_change() -> Report:
    rows = [row(1, "better", position=4), *ROWS[1:]]
    return check(record(*rows), [log(*ALL, event(4, state(1, "worse"), "message.edited"))], are_all_senders=False)


def lose_an_acknowledged_edit() -> Report:
    sent = [*(posted(seq) for seq in (1, 2, 3)), changed("message.edit", 1, 4, "better")]
    return check(record(*ROWS), [log(*ALL, sent=sent)])


def lose_an_acknowledged_deletion() -> Report:
    sent = [*(posted(seq) for seq in (1, 2, 3)), changed("message.delete", 1, 4)]
    rows = [row(1, position=4), *ROWS[1:]]
    return check(record(*rows), [log(*ALL, event(4, state(1), "message.edited"), sent=sent)])


def lose_a_change_of_the_room() -> Report:
    """Position 2 was the room's title."""
    rows = [row(1), row(2, position=3)]
    view = log(event(1, state(1)), event(3, state(2)))
    return check(record(*rows, changed_position=2), [view], are_all_senders=False)


def lose_a_client() -> Report:
    gone = log(*ALL)
    gone.view.left()
    return check(record(*ROWS), [sender(), gone])


def lose_in_a_resumption() -> Report:
    view = log(ALL[0])
    view.view.left()
    view.view.joined(resumed(3, ALL[2]))
    return check(record(*ROWS), [sender(), view])


@pytest.mark.parametrize(
    "plant",
    [
        lose_in_database,
        lose_at_reader,
        lose_the_last_at_reader,
        lose_a_change,
        lose_an_acknowledged_edit,
        lose_an_acknowledged_deletion,
        lose_a_change_of_the_room,
        lose_a_client,
        lose_in_a_resumption,
    ],
)
def test_a_loss_is_found(plant: Callable[[], Report]) -> None:
    report = plant()
    assert set(breach_kinds(report)) == {"lost"}
    assert not report.is_consistent


def test_a_post_that_became_two_messages_is_found() -> None:
    twice = [row(1), row(2), Row(3, "id-2", "body 2", False, 3, 3)]
    events = [*ALL[:2], event(3, state(3) | {"id": "id-2", "body": "body 2"})]
    report = check(record(*twice), [log(*events, sent=[posted(1), posted(2)])])
    assert {"the database has id id-2 twice", "reader: has message id-2 twice"} <= {*report.of("duplicated")}


def test_another_answer_to_a_repeated_post_is_found() -> None:
    report = check(record(*ROWS), [log(*ALL, sent=[*(posted(seq) for seq in (1, 2, 3)), posted(2, position=9)])])
    assert breach_kinds(report) == ["duplicated"]


def test_an_event_that_came_twice_or_swapped_is_found() -> None:
    report = check(record(*ROWS), [sender(), log(*ALL, ALL[1])])
    assert report.of("duplicated") == ["reader: position 2 came twice"]
    report = check(record(*ROWS), [sender(), log(ALL[0], ALL[2], ALL[1])])
    assert report.of("disordered") == ["reader: position 2 came after 3"]


def test_a_resumption_out_of_order_is_found() -> None:
    swapped = log(ALL[0])
    swapped.view.left()
    # In the order of their positions, which are those of other changes.
    swapped.view.joined(resumed(3, event(2, state(3)), event(3, state(2))))
    assert breach_kinds(check(record(*ROWS), [sender(), swapped])) == ["disordered"]


def test_a_change_of_the_room_that_a_resumption_lacks_is_found() -> None:
    returner = log(ALL[0])
    returner.view.left()
    returner.view.joined(resumed(4, ALL[2], event(4, state(2))))
    rows = [ROWS[0], row(2, position=4), ROWS[2]]
    report = check(record(*rows, changed_position=2), [returner], are_all_senders=False)
    assert report.of("lost") == ["reader: never received position 2, the last change of the room"]
    changed_room = {"type": "room.changed", "topic": "room/lounge", "position": 2, "changes": {"title": "Salon"}}
    whole = log(ALL[0])
    whole.view.left()
    whole.view.joined(resumed(4, changed_room, ALL[2], event(4, state(2))))
    report = check(record(*rows, changed_position=2), [whole], are_all_senders=False)
    assert report.is_consistent, str(report)


def test_messages_that_were_never_sent_or_saved_are_found() -> None:
    assert breach_kinds(check(record(*ROWS), [log(*ALL, sent=[posted(1), posted(2)])])) == ["invented"]
    other = [row(1), row(2, "not what was sent"), row(3)]
    unlike = [ALL[0], event(2, state(2, "not what was sent")), ALL[2]]
    assert breach_kinds(check(record(*other), [log(*unlike, sent=[posted(seq) for seq in (1, 2, 3)])])) == ["invented"]
    assert breach_kinds(check(record(*ROWS), [sender(), log(*ALL, event(4, state(4)))])) == ["invented", "invented"]


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_the_record_is_read_from_the_database_itself(alice: object, lounge: Room) -> None:  # noqa: F811
    ids = [uuid4() for _ in range(2)]
    for id_ in ids:
        posting.post_message(user_id=alice.pk, slug="lounge", client_id=id_, body=f"said {id_}")  # type: ignore[attr-defined]
    services.delete_message(user_id=alice.pk, slug="lounge", seq=1)  # type: ignore[attr-defined]
    services.change_room(room_id=lounge.pk, title="Long")
    read = read_record(database_url(), "lounge")
    assert (read.position, read.changed_position) == (4, 4)
    assert read.epoch == lounge.epoch != EPOCH
    assert [(row.seq, row.id, row.body, row.deleted, row.posted_position, row.position) for row in read.rows] == [
        (1, str(ids[0]), "", True, 1, 3),
        (2, str(ids[1]), f"said {ids[1]}", False, 2, 2),
    ]


def database_url() -> str:
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    names = {"USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    return f"postgres:///{settings['NAME']}?" + urlencode({key: settings[name] for name, key in names.items()})
