"""A view processes frames as clients must, and records breaches of the contract."""

import pytest

from chaos.view import View
from tests.support.rooms import EPOCH, answer, event, log, state


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
    view = View()
    view.take(event(1, state(1)))
    assert kinds(view) == ["disordered"]


def test_an_event_after_the_end_of_the_room_is_out_of_order() -> None:
    view = log(event(1, state(1)), {"type": "room.closed", "room": "lounge", "code": "deleted"}).view
    assert view.closed == "deleted"
    view.take(event(2, state(2)))
    assert kinds(view) == ["disordered"]


def test_a_resumed_join_is_applied_over_the_old_state() -> None:
    view = log(event(1, state(1)), event(2, state(2))).view
    view.left()
    view.joined(answer(4, [state(1, "better"), state(3)], complete=True, more=True))
    assert [view.messages[seq]["body"] for seq in (1, 2, 3)] == ["better", "body 2", "body 3"]
    view.take(event(5, state(4)))
    assert (view.position, view.skipped, view.breaches) == (5, set(), [])


def test_a_fresh_join_drops_the_old_state() -> None:
    view = log(event(1, state(1))).view
    view.left()
    view.joined(answer(400, [state(351), state(352)], more=True))
    assert set(view.messages) == {351, 352}
    assert (view.first_seq, view.pages, view.breaches) == (351, 2, [])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(answer(2, [state(1)], complete=True), ["duplicated"], id="what has not changed"),
        pytest.param(answer(3, [state(3), state(3)], complete=True), ["duplicated"], id="one twice"),
        pytest.param(answer(1, [], complete=True), ["disordered"], id="an earlier position"),
        pytest.param(
            answer(2, [], complete=True) | {"epoch": EPOCH + "x"}, ["disordered"], id="as complete for another epoch"
        ),
        pytest.param(answer(3, [state(3), state(2)]), ["disordered"], id="a page in another order"),
    ],
)
def test_a_wrong_answer_to_a_resumed_join_is_noted(given: dict[str, object], expected: list[str]) -> None:
    view = log(event(1, state(1)), event(2, state(2))).view
    view.left()
    view.joined(given)
    assert kinds(view) == expected
