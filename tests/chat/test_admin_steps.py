"""An action on many rows: short requests, pages that show the progress, and a last message that counts all."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.http import QueryDict

from chat import services
from chat.admin import RoomAdmin
from chat.models import Room
from hubbub.admin_services import bulk
from hubbub.admin_services.bulk import OtherResult
from hubbub.admin_services.tally import MAX_NAMED, Tally
from tests.support.admin_pages import ROOMS, confirm, make_rooms, select_all, shown_messages

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

ACTIONS = [("delete_selected", "deleted"), ("archive", "archived")]


@pytest.fixture
def three_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(bulk, "STEP_SECONDS", 3)
    monkeypatch.setattr(bulk, "BUTTON_STEP_SECONDS", 5)
    monkeypatch.setattr(bulk, "monotonic", lambda: next(clock))


def begin(client: Any, action: str) -> Any:
    """The page after the first step; for a deletion, the question before is answered."""
    answer = select_all(client, ROOMS, action)
    return confirm(client, ROOMS, answer) if action == "delete_selected" else answer


def press(client: Any, page: Any, button: str) -> Any:
    """Press a button of the page, as in a browser without scripts."""
    fields: dict[str, Any] = {button: "1"}
    for name, value in page.context["fields"]:
        fields.setdefault(name, []).append(value)
    assert re.search(f'<button[^>]* type="submit" name="{button}" value="1">', page.text)
    return client.post(ROOMS, fields)


def left() -> int:
    return Room.objects.filter(is_archived=False).count()


@pytest.mark.parametrize(("action", "done"), ACTIONS)
def test_each_step_shows_the_progress_and_the_last_message_counts_all(
    admin: Any, three_a_step: None, action: str, done: str
) -> None:
    make_rooms(7)
    page = begin(admin, action)
    for seen in (3, 6):
        assert f"<h1>{seen} of 7 rooms {done}</h1>" in page.text
        assert f'max="7" value="{seen}"' in page.text
        assert shown_messages(page) == []
        assert left() == 7 - seen
        page = confirm(admin, ROOMS, page)  # As the script does.
    assert page.status_code == 302
    assert shown_messages(page) == [f"7 rooms {done}."]
    assert left() == 0
    assert LogEntry.objects.count() == 7


def test_without_scripts_a_button_goes_on_by_longer_steps(admin: Any, three_a_step: None) -> None:
    make_rooms(9)
    page = press(admin, begin(admin, "archive"), "continue")
    assert "<h1>8 of 9 rooms archived</h1>" in page.text
    page = press(admin, page, "continue")
    assert shown_messages(page) == ["9 rooms archived."]


@pytest.mark.parametrize(("action", "done"), ACTIONS)
def test_a_button_stops_and_the_rest_is_unchanged(admin: Any, three_a_step: None, action: str, done: str) -> None:
    make_rooms(7)
    page = press(admin, begin(admin, action), "stop")
    assert (page.status_code, page.headers["Location"]) == (302, ROOMS)
    assert shown_messages(page) == [f"Stopped. 3 of 7 rooms {done}. The rest is unchanged."]
    assert left() == 4


def test_rows_that_were_refused_are_named_at_the_end_and_counted(
    admin: Any, three_a_step: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rooms(MAX_NAMED + 7)
    change_room = services.change_room

    def refuse(*, room_id: int, **changes: Any) -> None:
        if Room.objects.get(pk=room_id).title[5:].startswith("1"):
            raise ValidationError("It is in use.")
        change_room(room_id=room_id, **changes)

    monkeypatch.setattr(services, "change_room", refuse)
    page = begin(admin, "archive")
    assert "Not archived: Room 1 (It is in use)." in page.text
    while page.status_code == 200:
        page = confirm(admin, ROOMS, page)
    done, failed = shown_messages(page)
    assert done == "9 rooms archived."
    assert failed.startswith("Not archived: Room 1 (It is in use); Room 10 (It is in use)")


def test_rows_deleted_meanwhile_are_not_counted(admin: Any, three_a_step: None) -> None:
    make_rooms(7)
    page = begin(admin, "delete_selected")
    Room.objects.first().delete()  # type: ignore[union-attr]
    page = confirm(admin, ROOMS, page)
    page = confirm(admin, ROOMS, page) if page.status_code == 200 else page
    assert shown_messages(page) == ["6 of 7 rooms deleted."]


def test_a_result_of_its_own_is_reported_and_logged_instead(
    admin: Any, three_a_step: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rooms(4)

    def archive(of: Any, request: Any, rows: Any) -> Any:
        def do(room: Room) -> OtherResult | None:
            return OtherResult(f"{room} stays open") if room.title == "Room 1" else None

        return of.for_each(request, rows, do, done="archived")

    monkeypatch.setattr(RoomAdmin, "archive", archive)
    page = begin(admin, "archive")
    while page.status_code == 200:
        page = confirm(admin, ROOMS, page)
    assert shown_messages(page) == ["3 rooms archived.", "Room 1 stays open."]
    messages = [entry.get_change_message() for entry in LogEntry.objects.all()]
    assert sorted(messages) == ["Archived."] * 3 + ["Room 1 stays open."]


def form(**fields: Any) -> QueryDict:
    query = QueryDict(mutable=True)
    for name, value in fields.items():
        query.setlist(name, value if isinstance(value, list) else [value])
    return query


def test_counts_travel_in_the_form() -> None:
    tally = Tally(total=1_000, done=600)
    for number in range(MAX_NAMED + 2):
        tally.fail(f"room {number}", "in use")
    tally.add_other("alice stays banned")
    fields: dict[str, list[str]] = {}
    for name, value in tally.fields():
        fields.setdefault(name, []).append(value)
    assert Tally.from_form(form(**fields), 300) == tally
    assert tally.describe_failures().endswith("room 9 (in use) and 2 more")
    assert len(tally.failures) == MAX_NAMED


@pytest.mark.parametrize("total", ["", "-5", "x", "²", "9" * 40])
def test_a_form_with_other_counts_begins_anew(total: str) -> None:
    assert Tally.from_form(form(total=total, done="3"), 7) == Tally(7)


def test_a_page_repeats_only_some_errors_of_a_form() -> None:
    tally = Tally.from_form(form(total="5", done="9", failure=["x"] * 100), 2)
    assert (tally.done, len(tally.failures)) == (5, MAX_NAMED)


def test_the_page_is_the_lists_with_its_query(admin: Any, three_a_step: None) -> None:
    make_rooms(7)
    address = f"{ROOMS}?q=Room"
    page = confirm(admin, address, select_all(admin, address, "delete_selected"))
    page = admin.post(address, {**dict(page.context["fields"]), "stop": "1"})
    assert page.headers["Location"] == address
