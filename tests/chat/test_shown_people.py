"""What others see of people in rooms: told when it changes, beside messages, without a further query."""

from typing import Any

import pytest

from chat import history
from chat.models import Room
from hubbub import users
from hubbub.process.times import now
from hubbub.protocol import Person
from hubbub.testing import published
from project.accounts.models import User
from tests.support.posts import post_all, post_by

pytestmark = [pytest.mark.database, pytest.mark.django_db]

PICTURE = "0123456789abcdef" * 2


@pytest.mark.parametrize("field", ["shown_name", "shown_picture", "shown_status"])
def test_each_change_of_what_others_see_is_told(alice: Any, attic: Room, field: str) -> None:
    setattr(alice, field, "new")
    with published() as frames:
        alice.save(update_fields=[field])
    shown = {"shown_name": "name", "shown_picture": "picture", "shown_status": "status"}[field]
    user = {"id": str(alice.pk), "name": "alice", shown: "new"}
    assert frames == [{"type": "person.changed", "user": user}]
    with published() as frames:
        alice.save()
        alice.last_login = now()
        alice.save(update_fields=["last_login"])
        alice.save(update_fields=["password"])
    assert frames == []


def test_a_property_may_decide_what_others_see(alice: Any, attic: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    assert users.shown_fields() == {"username", *users.SHOWN}
    monkeypatch.setattr(users, "status_of", lambda user: user.first_name)
    monkeypatch.setattr(users, "_columns", lambda: {"username", "shown_name", "shown_picture"})
    assert users.shown_fields() is None
    alice.first_name = "Alice"
    with published() as frames:
        alice.save(update_fields=["first_name"])
    assert [frame["user"]["status"] for frame in frames] == ["Alice"]


def test_messages_have_the_picture_and_not_the_status(alice: Any, lounge: Room, django_assert_num_queries: Any) -> None:
    User.objects.filter(pk=alice.pk).update(shown_name="Ada", shown_picture=PICTURE, shown_status="here")
    alice.refresh_from_db()
    with published() as frames:
        post_all([post_by(alice, lounge)])
    [frame] = [frame for frame in frames if frame["type"] == "message.posted"]
    assert frame["message"]["user"] == {"id": str(alice.pk), "name": "Ada", "picture": PICTURE}
    lounge.refresh_from_db()
    with django_assert_num_queries(1):
        [state] = history.latest_page(lounge, 100_000).messages
    assert state.user == Person(str(alice.pk), "Ada", PICTURE)
