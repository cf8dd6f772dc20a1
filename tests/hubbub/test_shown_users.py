"""What others see of a user: of models with the optional attributes and without them, in presence, and its changes."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from redis import Redis

from chat import history
from chat.models import Room
from hubbub import users
from hubbub.presence import store, topic_presence
from hubbub.presence.topic_presence import Change
from hubbub.process.times import now
from hubbub.protocol import Person, Presence, encode
from hubbub.testing import published
from project.accounts.models import User
from tests.support.hubs import until
from tests.support.posts import post_all, post_by
from tests.support.sides import ALICE, BOB, GROUP, names

PICTURE = "0123456789abcdef" * 2


def user_of(**more: str) -> Any:
    return SimpleNamespace(get_username=lambda: "anna", **more)


def test_a_model_without_the_attributes_shows_the_user_name() -> None:
    assert users.shown_of(user_of()) == {"name": "anna", "picture": "", "status": ""}
    assert users.label_of(user_of()) == "anna"


def test_a_model_shows_what_its_attributes_say() -> None:
    anna = user_of(shown_name="Anna Berg", shown_picture=PICTURE, shown_status="here")
    assert users.shown_of(anna) == {"name": "Anna Berg", "picture": PICTURE, "status": "here"}
    assert users.label_of(anna) == "Anna Berg (anna)"
    assert users.name_of(user_of(shown_name="")) == "anna"


def test_empty_fields_are_not_on_the_wire() -> None:
    assert encode(Person("1", "anna")) == '{"id":"1","name":"anna"}'
    assert encode(Person(None, "gone")) == '{"id":null,"name":"gone"}'
    assert msgspec.json.decode(encode(Person("1", "anna", PICTURE, "here"))) == {
        "id": "1",
        "name": "anna",
        "picture": PICTURE,
        "status": "here",
    }


def test_a_card_is_the_person_without_the_id() -> None:
    for person in (Person("1", "anna"), Person("1", "anna", PICTURE), Person("1", "anna", "", "here")):
        assert Person.of("1", person.card) == person
    assert Person("1", "anna").card == "anna"  # As processes of the release before write it.


def test_cards_pass_through_redis() -> None:
    cards: topic_presence.Users = {"1": "anna", "2": ("bob", PICTURE, "here")}
    assert store._users(store._encode(cards)) == cards


@pytest.mark.slow
async def test_a_picture_and_a_status_are_announced_on_other_processes(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE), b.enter(BOB)
    await until(lambda: names(here) == names(there) == {"alice", "bob"})
    shown = Person("1", "alice", PICTURE, "here")
    here.rename("1", shown.card)
    await until(lambda: there.announced == {"1": shown.card, "2": "bob"})
    assert b.changes[GROUP][-1] == Change(2, [shown], [])
    assert there.presence_for(BOB) == Presence(2, [shown, BOB])


@pytest.mark.slow
async def test_status_lines_give_way_to_names(redis: Redis, sides: Any) -> None:
    side = sides()
    crowd = [Person(str(number), f"user-{number}", PICTURE, "x" * 80) for number in range(1, 101)]
    people = side.enter(*crowd)
    await until(lambda: len(people.announced or ()) == 100)
    presence = people.presence_for(crowd[0])
    assert [(user.name, user.picture, user.status) for user in presence.users][:1] == [("user-1", PICTURE, "")]
    assert len(presence.users) == 100


@pytest.mark.django_db
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


@pytest.mark.django_db
def test_a_property_may_decide_what_others_see(alice: Any, attic: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    assert users.shown_fields() == {"username", *users.SHOWN}
    monkeypatch.setattr(User, "shown_status", property(lambda user: user.first_name), raising=False)
    monkeypatch.setattr(users, "_columns", lambda: {"username", "shown_name", "shown_picture"})
    assert users.shown_fields() is None
    alice.first_name = "Alice"
    with published() as frames:
        alice.save(update_fields=["first_name"])
    assert [frame["user"]["status"] for frame in frames] == ["Alice"]


@pytest.mark.django_db
def test_messages_have_the_picture_and_not_the_status(alice: Any, lounge: Room, django_assert_num_queries: Any) -> None:
    User.objects.filter(pk=alice.pk).update(shown_name="Ada", shown_picture=PICTURE, shown_status="here")
    alice.refresh_from_db()
    with published() as frames:
        post_all([post_by(alice, lounge)])
    [frame] = [frame for frame in frames if frame["type"] == "message.posted"]
    assert frame["message"]["user"] == {"id": str(alice.pk), "name": "Ada", "picture": PICTURE}
    with django_assert_num_queries(1):
        [state] = history.latest_page(history_room(lounge), 100_000).messages
    assert state.user == Person(str(alice.pk), "Ada", PICTURE)


def history_room(room: Room) -> Room:
    room.refresh_from_db()
    return room
