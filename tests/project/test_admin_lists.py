"""Every list of the admin, also one that comes later: search, order, and as many queries for many rows as for few."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from chat import posting, services
from chat.list_filters import MAX_ROOMS_LISTED
from chat.models import Membership, Message, Room
from hubbub.auth.tokens import create_token
from hubbub.models import AccessToken
from tests.support.personas import make_user

pytestmark = [
    pytest.mark.database,
    pytest.mark.django_db,
    pytest.mark.usefixtures("plain_static"),
    pytest.mark.slow,
]

# Without those of the test apps.
MODELS = sorted(
    (model for model in site._registry if not model.__module__.startswith("tests.")), key=lambda model: model.__name__
)
MEMBERSHIPS = reverse("admin:chat_membership_changelist")
MESSAGES = reverse("admin:chat_message_changelist")
TOKENS = reverse("admin:hubbub_accesstoken_changelist")


def list_of(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def add_rows(number: int) -> None:
    """Add one row to every list of the admin, with values for its columns."""
    user = make_user(f"user-{number}", email=f"user-{number}@example.org")
    room = services.create_room(slug=f"room-{number}", title=f"Room {number}")
    until = timezone.now() + timedelta(days=1)
    posting.post_message(user_id=str(user.pk), slug=room.slug, client_id=uuid.uuid4(), body=f"hello {number}")
    services.set_membership(room_id=room.pk, user_id=str(user.pk), banned_until=until, ban_reason="loud")
    create_token(user=user, name=f"probe {number}", expires_at=None)
    user.groups.add(Group.objects.create(name=f"group {number}"))


def count_queries(client: Any, address: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


def rows(client: Any, address: str, **query: Any) -> list[Any]:
    return [*client.get(address, query).context["cl"].result_list]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_list_costs_the_same_with_few_rows_and_with_many(admin: Any, model: Any) -> None:
    Room.objects.all().delete()
    for number in range(2):
        add_rows(number)
    address = list_of(model)
    admin.get(address)  # Fills Django's cache of content types.
    before = count_queries(admin, address)
    for number in range(2, 20):
        add_rows(number)
    assert count_queries(admin, address) == before
    assert len(rows(admin, address)) >= 20


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_list_has_a_search_with_help_and_an_order(admin: Any, model: Any) -> None:
    changelist = admin.get(list_of(model)).context["cl"]
    assert changelist.search_fields
    assert changelist.search_help_text
    order = changelist.queryset.query.order_by
    assert len(order) > 1 or order in (("-pk",), ("pk",)), (
        f"{order}: the primary key alone is no order that people know"
    )


FOUND_BY = [
    (Room, ["room-3", "Room 3"]),
    (Membership, ["user-3", "room-3", "Room 3", "loud user-3"]),
    (Message, ["hello 3", "user-3", "Room 3", "room-3 hello"]),
    (AccessToken, ["probe 3", "user-3"]),
    (get_user_model(), ["user-3", "user-3@example.org"]),
    (Group, ["group 3"]),
]


def test_every_list_is_searched_by_common_facts() -> None:
    assert sorted(model.__name__ for model, _ in FOUND_BY) == [model.__name__ for model in MODELS]


@pytest.mark.parametrize(("model", "words"), FOUND_BY, ids=lambda value: getattr(value, "__name__", ""))
def test_a_search_by_common_facts_finds_the_row(admin: Any, model: Any, words: list[str]) -> None:
    for number in range(5):
        add_rows(number)
    for word in words:
        assert len(rows(admin, list_of(model), q=word)) == 1, word


# Of one user or one room


@pytest.mark.parametrize(
    ("model", "query", "title"),
    [
        (Membership, "user__exact={user}", "Memberships: user-3"),
        (Membership, "room__id__exact={room}", "Memberships: Room 3"),
        (Message, "author__exact={user}", "Messages: user-3"),
        (Message, "author__exact={user}&room__id__exact={room}", "Messages: Room 3, user-3"),
        (AccessToken, "user__exact={user}", "Access tokens: user-3"),
    ],
)
def test_a_list_of_ones_rows_says_whose_they_are_and_leads_back(admin: Any, model: Any, query: str, title: str) -> None:
    for number in range(5):
        add_rows(number)
    user, room = get_user_model().objects.get(username="user-3"), Room.objects.get(slug="room-3")
    page = admin.get(f"{list_of(model)}?{query.format(user=user.pk, room=room.pk)}")
    assert f"<h1>{title}</h1>" in page.text
    scope = page.text.split('<p class="list-scope">')[1].split("</p>")[0]
    for row in (user, room):
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[quote(row.pk)])
        assert (f'href="{address}">{row}</a>' in scope) is (str(row) in title)
    assert f'<a href="{list_of(model)}">Show all {model._meta.verbose_name_plural}</a>' in scope
    assert len(page.context["cl"].result_list) == 1


@pytest.mark.parametrize("value", ["0", "12345", "x", ""])
def test_a_list_of_an_unknown_user_is_empty_or_leads_to_all(admin: Any, value: str) -> None:
    add_rows(0)
    page = admin.get(TOKENS, {"user__exact": value})
    if page.status_code == 200:
        assert "no such user" in page.text
        assert rows(admin, TOKENS, user__exact=value) == []
    else:
        assert page.headers["Location"] == f"{TOKENS}?e=1"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_list_of_all_rows_names_no_user(admin: Any, model: Any) -> None:
    add_rows(0)
    assert "list-scope" not in admin.get(list_of(model)).text


# By room


@pytest.mark.parametrize("address", [MEMBERSHIPS, MESSAGES])
def test_the_filter_by_room_names_few_rooms_and_of_many_the_chosen_one(admin: Any, address: str) -> None:
    Room.objects.all().delete()
    for number in range(2):
        add_rows(number)
    room = Room.objects.get(slug="room-1")
    chosen = f"room__id__exact={room.pk}"
    assert f'<a href="?{chosen}">Room 1</a>' in admin.get(address).text
    Room.objects.bulk_create(Room(slug=f"more-{number}", title=f"More {number}") for number in range(MAX_ROOMS_LISTED))
    assert '<a href="?room__id__exact' not in admin.get(address).text
    page = admin.get(f"{address}?{chosen}")
    assert f'<a href="?{chosen}">Room 1</a>' in page.text
    assert "More 1" not in page.text
    assert [row.room for row in page.context["cl"].result_list] == [room]


@pytest.mark.parametrize("address", [MEMBERSHIPS, MESSAGES])
def test_the_list_of_a_room_that_does_not_exist_is_empty(admin: Any, address: str) -> None:
    """Also where there is one room alone, of which Django's filter makes no choice, and ignores the query."""
    Room.objects.all().delete()
    add_rows(0)
    assert rows(admin, address, room__id__exact="0") == []


@pytest.mark.parametrize(("address", "title"), [(MESSAGES, "author"), (TOKENS, "user"), (MEMBERSHIPS, "user")])
def test_a_column_of_users_sorts_by_name(admin: Any, address: str, title: str) -> None:
    for name in ("zoe", "adam"):
        user = make_user(name)
        room = services.create_room(slug=f"of-{name}", title=f"Of {name}")
        posting.post_message(user_id=str(user.pk), slug=room.slug, client_id=uuid.uuid4(), body="hello")
        services.set_membership(room_id=room.pk, user_id=str(user.pk))
        create_token(user=user, name=name, expires_at=None)
    changelist = admin.get(address).context["cl"]
    columns = [getattr(changelist.model_admin, name, None) for name in changelist.list_display]
    number = [getattr(column, "short_description", "") for column in columns].index(title)
    names = [str(getattr(row, title)) for row in rows(admin, address, o=number)]
    assert names == ["adam", "zoe"]
