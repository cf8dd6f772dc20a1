"""The personas of the tests: Alice and Bob (members), Charlie (outsider), Mona (moderator), Root (staff); two rooms."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model

from chat import services
from chat.models import Room


def make_user(name: str, **more: Any) -> Any:
    """A user without a password, since hashing is slow. Sign in by `client.force_login`."""
    return get_user_model().objects.create_user(username=name, **more)


@pytest.fixture
def alice(db: None) -> Any:
    return make_user("alice")


@pytest.fixture
def bob(db: None) -> Any:
    return make_user("bob")


@pytest.fixture
def charlie(db: None) -> Any:
    return make_user("charlie")


@pytest.fixture
def mona(db: None) -> Any:
    return make_user("mona")


@pytest.fixture
def root(db: None) -> Any:
    return get_user_model().objects.create_superuser(username="root")


@pytest.fixture
def lounge(db: None) -> Room:
    """A public room."""
    return services.create_room(slug="lounge", title="Lounge")


@pytest.fixture
def attic(alice: Any, bob: Any, mona: Any) -> Room:
    """A private room of Alice, Bob and its moderator Mona."""
    room = services.create_room(slug="attic", title="Attic", is_private=True)
    for user in (alice, bob):
        services.set_membership(room_id=room.pk, user_id=user.pk)
    services.set_membership(room_id=room.pk, user_id=mona.pk, role="moderator")
    return room


@pytest.fixture
def admin(client: Any, root: Any) -> Any:
    """A test client with Root signed in."""
    client.force_login(root)
    return client
