"""What others see of a user: of models with the optional attributes and without them, in presence, and its changes."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from redis import Redis

from hubbub import users
from hubbub.presence import store, topic_presence
from hubbub.presence.topic_presence import Change
from hubbub.protocol import Person, Presence, encode
from tests.support.hubs import until
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
