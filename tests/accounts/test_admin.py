"""The admin of users: constant query counts, rights, and messages of deleted users."""

import uuid
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django.asserts import assertRedirects

from chat import posting, services
from chat.models import Membership, Message, Room
from hubbub.auth.tokens import create_token
from hubbub.models import AccessToken
from tests.support.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]

USERS = reverse("admin:accounts_user_changelist")


@pytest.fixture
def admin(client: Any, root: Any) -> Any:
    client.force_login(root)
    return client


def post_message(user: Any, room: Room) -> None:
    posting.post_message(user_id=user.pk, slug=room.slug, client_id=uuid.uuid4(), body="hello")


def test_the_list_counts_rooms_messages_and_tokens_without_mixing_them_up(
    admin: Any, alice: Any, lounge: Room, attic: Room
) -> None:
    services.set_membership(room_id=lounge.pk, user_id=alice.pk)
    for room in (lounge, lounge, attic):
        post_message(alice, room)
    create_token(user=alice, name="probe", expires_at=None)
    [row] = admin.get(USERS, {"q": "alice"}).context["cl"].result_list
    assert (row.room_count, row.message_count, row.token_count) == (2, 3, 1)
    [row] = admin.get(USERS, {"q": "root"}).context["cl"].result_list
    assert (row.room_count, row.message_count, row.token_count) == (0, 0, 0)


def test_the_list_costs_the_same_with_one_row_and_with_twenty(admin: Any, lounge: Room) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert admin.get(USERS).status_code == 200
        return len(seen)

    admin.get(USERS)  # Fills Django's cache of content types.
    with_one = queries()
    for number in range(19):
        post_message(make_user(f"user-{number}"), lounge)
    assert queries() == with_one


def test_recent_actions_are_first_on_the_page_of_a_user(admin: Any, alice: Any) -> None:
    page = admin.get(reverse("admin:accounts_user_change", args=[alice.pk])).text
    assert page.index("?author__exact=") < page.index('id="id_username"')
    assert "?author__exact=" not in admin.get(reverse("admin:accounts_user_add")).text


def test_the_newer_of_two_look_alikes_of_before_is_listed(admin: Any, alice: Any) -> None:
    users = get_user_model()
    bea = make_user("bea")
    assert "Like the name of an older account, or not compared yet" in admin.get(USERS).text
    assert [*admin.get(USERS, {"name_key": "missing"}).context["cl"].result_list] == []
    users.objects.filter(pk=bea.pk).update(username="a1ice", name_key=None)
    assert [str(user) for user in admin.get(USERS, {"name_key": "missing"}).context["cl"].result_list] == ["a1ice"]


def test_the_right_to_the_dashboard_is_given_on_a_users_page(admin: Any, alice: Any) -> None:
    page = reverse("admin:accounts_user_change", args=[alice.pk])
    right = Permission.objects.get(codename="view_dashboard")
    assert "Can see the live dashboard" in admin.get(page).content.decode()
    fields = {
        "username": "alice",
        "is_active": "on",
        "user_permissions": [str(right.pk)],
        "date_joined_0": "2026-01-01",
        "date_joined_1": "12:00:00",
    }
    assert admin.post(page, fields).status_code == 302
    assert get_user_model().objects.get(pk=alice.pk).has_perm("monitor.view_dashboard")


def test_a_user_is_made_with_a_password(admin: Any) -> None:
    password = "kettle-boils-9"
    fields = {
        "username": "dora",
        "usable_password": "true",
        "password1": password,
        "password2": password,
    }
    assert admin.post(reverse("admin:accounts_user_add"), fields).status_code == 302
    assert get_user_model().objects.get(username="dora").check_password(password)


@pytest.mark.parametrize("with_action", [True, False])
def test_deleting_a_user_keeps_their_messages_and_takes_their_tokens(
    client: Any, alice: Any, attic: Room, with_action: bool
) -> None:
    stan = make_user("stan", is_staff=True)
    stan.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "delete_user", "delete_membership"]))
    client.force_login(stan)
    post_message(alice, attic)
    create_token(user=alice, name="probe", expires_at=None)
    delete = reverse("admin:accounts_user_delete", args=[alice.pk])
    assert "Are you sure" in client.get(delete).content.decode()
    if with_action:
        fields = {"action": "delete_selected", "_selected_action": [alice.pk], "post": "yes"}
        assert client.post(USERS, fields).status_code == 302
    else:
        assert client.post(delete, {"post": "yes"}).status_code == 302
    assert not get_user_model().objects.filter(username="alice").exists()
    assert [(message.author, message.body) for message in Message.objects.all()] == [(None, "hello")]
    assert not AccessToken.objects.exists()
    assert Membership.objects.count() == 2


def test_a_member_without_the_staff_right_is_not_let_in(client: Any, alice: Any) -> None:
    client.force_login(alice)
    for name in ("accounts_user", "chat_room", "chat_message", "hubbub_accesstoken"):
        answer = client.get(reverse(f"admin:{name}_changelist"), follow=True)
        assert answer.status_code == 403
        assert "Your account has no permission to see this page" in answer.content.decode()


def test_the_admin_asks_visitors_to_sign_in_on_our_page_and_brings_them_back(client: Any, root: Any) -> None:
    answer = client.get(USERS, follow=True)
    assert answer.redirect_chain[-1][0] == f"{reverse('sign-in')}?next={USERS}"
    client.force_login(root)
    assertRedirects(client.get(reverse("admin:login"), {"next": USERS}), USERS)
    elsewhere = client.get(reverse("admin:login"), {"next": "https://example.org/"})
    assertRedirects(elsewhere, reverse("admin:index"))
