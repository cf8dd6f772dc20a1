"""A view processes frames as clients must, and records breaches of the contract."""

import pytest

from chaos.room_view import RoomView
from chaos.view import View
from tests.support.rooms import EPOCH, TOPIC, event, joined, log, resumed, state


def kinds(view: View) -> list[str]:
    return [breach.kind for breach in view.breaches]


def test_events_are_put_at_their_seq() -> None:
    edited, deleted = state(1, "better"), state(2, deleted=True)
    view = log(
        event(1, state(1)), event(2, state(2)), event(3, edited, "message.edited"), event(4, deleted, "message.deleted")
    ).view
    assert view.messages == {1: edited, 2: deleted}
    assert (view.position, view.breaches) == (4, [])


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([event(1, state(1)), event(1, state(1))], ["duplicated"], id="a position twice"),
        pytest.param([event(2, state(2)), event(1, state(1))], ["disordered"], id="two swapped"),
        pytest.param([event(1, state(1)), event(2, state(1))], ["duplicated"], id="a message posted twice"),
    ],
)
def test_breaches_of_the_contract_are_noted(events: list[dict[str, object]], expected: list[str]) -> None:
    assert kinds(log(*events).view) == expected


def test_a_skipped_position_is_remembered_for_the_checker() -> None:
    assert log(event(1, state(1)), event(4, state(2))).view.skipped == {2, 3}


def test_an_event_before_the_answer_is_out_of_order() -> None:
    view = RoomView()
    view.take(event(1, state(1)))
    assert kinds(view) == ["disordered"]


def test_an_event_after_the_end_of_the_room_is_out_of_order() -> None:
    view = log(event(1, state(1)), {"type": "closed", "topic": TOPIC, "code": "deleted"}).view
    assert view.closed == "deleted"
    view.take(event(2, state(2)))
    assert kinds(view) == ["disordered"]


def test_a_resumed_join_is_applied_over_the_old_state() -> None:
    view = log(event(1, state(1)), event(2, state(2))).view
    view.left()
    view.joined(resumed(4, event(3, state(1, "better"), "message.edited"), event(4, state(3))))
    assert [view.messages[seq]["body"] for seq in (1, 2, 3)] == ["better", "body 2", "body 3"]
    view.take(event(5, state(4)))
    assert (view.position, view.skipped, view.breaches) == (5, set(), [])


def test_a_fresh_join_drops_the_old_state() -> None:
    view = log(event(1, state(1))).view
    view.left()
    view.joined(joined(400, [state(351), state(352)], more=True))
    assert set(view.messages) == {351, 352}
    assert (view.first_seq, view.states, view.breaches) == (351, 2, [])


EDITED = event(3, state(1, "better"), "message.edited")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(resumed(3, event(3, state(1), "message.edited")), ["duplicated"], id="what has not changed"),
        pytest.param(resumed(3, EDITED, EDITED), ["duplicated"] * 3, id="one change twice"),
        pytest.param(
            resumed(4, EDITED, event(4, state(1, "best"), "message.edited")), ["duplicated"], id="one message twice"
        ),
        pytest.param(resumed(3, event(3, state(1, "better"))), ["duplicated"], id="a message posted twice"),
        pytest.param(resumed(3, event(2, state(2, "x"), "message.edited"), EDITED), ["duplicated"], id="a known one"),
        pytest.param(resumed(1), ["disordered"], id="an earlier position"),
        pytest.param(resumed(2) | {"epoch": EPOCH + "x"}, ["disordered"], id="as complete for another epoch"),
        pytest.param(resumed(4, event(4, state(3)), EDITED), ["disordered"], id="changes in another order"),
        pytest.param(resumed(3, event(5, state(3))), ["disordered"], id="a change beyond the position"),
        pytest.param(resumed(3, EDITED | {"topic": "room/other"}), ["invented"], id="a change of another topic"),
        pytest.param(joined(3, [state(3), state(2)]), ["disordered"], id="a page in another order"),
        pytest.param(joined(3, [state(3), state(3)]), ["duplicated"], id="a page with one twice"),
        pytest.param(resumed(2, partial=True), ["disordered"] * 2, id="a part without a change"),
    ],
)
def test_a_wrong_answer_to_a_resumed_join_is_noted(given: dict[str, object], expected: list[str]) -> None:
    view = log(event(1, state(1)), event(2, state(2))).view
    view.left()
    view.joined(given)
    assert kinds(view) == expected


def test_a_position_that_was_resumed_and_comes_again_is_noted() -> None:
    view = log(event(1, state(1))).view
    view.left()
    view.joined(resumed(3, event(3, state(2))))
    assert view.skipped == {2}
    view.take(event(3, state(2)))
    view.take(event(2, state(3)))
    assert kinds(view) == ["duplicated", "disordered"]


def test_parts_are_applied_one_after_another_and_the_socket_is_in_after_the_last() -> None:
    view = log(event(1, state(1))).view
    view.left()
    view.joined(resumed(2, event(2, state(2)), partial=True))
    assert not view.is_live
    view.joined(resumed(3, event(3, state(3))))
    assert (view.is_live, set(view.messages), view.position, view.breaches) == (True, {1, 2, 3}, 3, [])


def test_a_topic_of_any_kind_has_positions_in_order() -> None:
    board = {"topic": "board/plans"}
    view = View()
    view.joined({**board, "epoch": "0", "position": 4, "complete": False, "state": []})
    view.take({**board, "type": "notice.posted", "position": 5})
    view.take({**board, "type": "notice.typing"})
    view.left()
    events = [{**board, "type": "notice.posted", "position": position} for position in (6, 7)]
    view.joined({**board, "epoch": "0", "position": 7, "complete": True, "events": events})
    view.take(events[1])
    assert (view.position, view.skipped, kinds(view)) == (7, set(), ["duplicated"])
