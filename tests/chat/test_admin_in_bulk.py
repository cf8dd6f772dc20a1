"""Actions on more rows than a form has fields: done in steps, or refused before anything is done. Links of rows."""

import uuid
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat import deletion, posting, services
from chat.models import Membership, Message, Room
from hubbub.admin_services import bulk
from hubbub.auth.tokens import create_token
from tests.support.admin_pages import MEMBERSHIPS, MESSAGES, ROOMS, confirm, make_rooms, select_all, shown_messages
from tests.support.personas import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]
TOKENS = reverse("admin:hubbub_accesstoken_changelist")
USERS = reverse("admin:accounts_user_changelist")


@pytest.fixture
def few_fields(settings: Any) -> None:
    """More rows take too long to make; of fewer fields than this no form of a list is."""
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 150


def to_the_end(client: Any, address: str, page: Any) -> list[str]:
    """Submit the forms of the pages until the end; return the messages on the way."""
    said = []
    while page.status_code == 200:
        page = confirm(client, address, page)
        said += shown_messages(page)
    return said


@pytest.mark.slow
def test_more_rooms_than_a_form_has_fields_are_deleted(admin: Any, few_fields: None) -> None:
    make_rooms(200)
    asked = select_all(admin, ROOMS, "delete_selected")
    page = asked.content.decode()
    assert "Delete 200 rooms?" in page
    assert "… and 100 more." in page
    assert to_the_end(admin, ROOMS, asked) == ["200 rooms deleted."]
    assert not Room.objects.exists()
    assert LogEntry.objects.count() == 200


@pytest.mark.slow
def test_more_users_than_form_fields_are_deleted_but_not_oneself(admin: Any, root: Any, few_fields: None) -> None:
    users = get_user_model()
    users.objects.bulk_create(users(username=f"user-{number}") for number in range(199))
    asked = select_all(admin, USERS, "delete_selected")
    said = to_the_end(admin, USERS, asked)
    assert said == ["199 users deleted.", "Not deleted: root (this is your own account)."]
    assert [*users.objects.all()] == [root]


@pytest.mark.slow
def test_more_messages_than_a_form_has_fields_are_moderated(
    admin: Any, alice: Any, lounge: Room, few_fields: None
) -> None:
    now = timezone.now()
    Message.objects.bulk_create(
        Message(room=lounge, seq=seq, author=alice, body="spam", at=now, posted_position=seq, position=seq)
        for seq in range(1, 201)
    )
    Room.objects.filter(pk=lounge.pk).update(position=200, last_seq=200)
    asked = select_all(admin, MESSAGES, "moderate")
    assert "… and 100 more." in asked.content.decode()
    assert to_the_end(admin, MESSAGES, asked) == ["200 messages deleted."]
    assert not Message.objects.filter(deleted_at=None).exists()


@pytest.mark.slow
def test_more_memberships_than_a_form_has_fields_are_deleted(admin: Any, lounge: Room, few_fields: None) -> None:
    users = get_user_model()
    users.objects.bulk_create(users(username=f"user-{number}") for number in range(200))
    made = users.objects.exclude(username="root")
    Membership.objects.bulk_create(Membership(room=lounge, user=user) for user in made)
    asked = select_all(admin, MEMBERSHIPS, "delete_selected")
    assert to_the_end(admin, MEMBERSHIPS, asked) == ["200 memberships deleted."]
    assert not Membership.objects.exists()


def test_more_tokens_than_a_form_has_fields_are_revoked(admin: Any, alice: Any, few_fields: None) -> None:
    for number in range(200):
        create_token(user=alice, name=f"probe {number}", expires_at=None)
    answer = select_all(admin, TOKENS, "revoke")
    assert shown_messages(answer) + to_the_end(admin, TOKENS, answer) == ["200 access tokens revoked."]


@pytest.mark.parametrize("action", ["delete_selected", "archive"])
def test_more_than_the_limit_is_refused_before_anything_is_done(
    admin: Any, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.setattr(bulk.BulkAdmin, "max_selected", 5)
    make_rooms(6)
    answer = select_all(admin, ROOMS, action)
    assert answer.status_code == 302
    assert shown_messages(answer) == [
        "6 rooms are selected, and at most 5 can be changed at once. Nothing was changed."
        " Use the search or the filters to select fewer."
    ]
    assert Room.objects.filter(is_archived=False).count() == 6


def test_protected_rows_are_named_beside_the_deleted_rows(client: Any, alice: Any, attic: Room) -> None:
    stan, zoe = make_user("stan", is_staff=True), make_user("zoe")
    stan.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "delete_user"]))
    client.force_login(stan)
    rows = [user.pk for user in (alice, zoe)]
    answer = client.post(USERS, {"action": "delete_selected", "_selected_action": rows, "post": "yes"})
    assert shown_messages(answer) == [
        "1 user deleted.",
        "Not deleted: alice (you lack the right to delete rows that belong to it).",
    ]
    assert [*get_user_model().objects.filter(pk__in=rows)] == [alice]


def test_rows_made_after_the_question_are_not_deleted(admin: Any) -> None:
    make_rooms(3)
    asked = select_all(admin, ROOMS, "delete_selected")
    services.create_room(slug="later", title="Later")
    confirm(admin, ROOMS, asked)
    assert [room.slug for room in Room.objects.all()] == ["later"]


def test_a_form_of_too_many_fields_is_answered_by_a_sentence(admin: Any) -> None:
    admin.raise_request_exception = False
    answer = admin.post(ROOMS, {"action": "archive", "_selected_action": range(1_001)})
    assert answer.status_code == 400
    assert "This form is too large." in answer.content.decode()


def test_a_deletion_asks_for_the_token_of_the_form(root: Any, lounge: Room) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(root)
    assert client.post(reverse("admin:chat_room_delete", args=[lounge.pk]), {"post": "yes"}).status_code == 403
    assert Room.objects.filter(pk=lounge.pk).exists()


def test_a_room_of_many_messages_is_deleted_in_steps(
    alice: Any, lounge: Room, attic: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "MESSAGES_PER_STEP", 3)
    for room in [lounge] * 8 + [attic]:
        posting.post_message(user_id=alice.pk, slug=room.slug, client_id=uuid.uuid4(), body="hello")
    left: list[int] = []
    step = deletion.step_with_pause

    def counting(*using: str) -> Any:
        left.append(Message.objects.filter(room=lounge).count())
        return step(*using)

    monkeypatch.setattr(deletion, "step_with_pause", counting)
    deletion.delete_room(room_id=lounge.pk)
    assert left == [8, 5]
    assert Message.objects.get().room == attic
    assert not Room.objects.filter(pk=lounge.pk).exists()


def test_the_messages_of_a_deleted_user_lose_their_author_in_steps(
    admin: Any, alice: Any, bob: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "MESSAGES_PER_STEP", 2)
    for user in [alice] * 7 + [bob]:
        posting.post_message(user_id=user.pk, slug="lounge", client_id=uuid.uuid4(), body="hello")
    deletion.disown_messages(user_id=str(alice.pk))
    assert Message.objects.filter(author=alice).count() in (1, 2)
    admin.post(reverse("admin:accounts_user_delete", args=[alice.pk]), {"post": "yes"})
    assert [message.author for message in Message.objects.order_by("seq")] == [None] * 7 + [bob]


# Links


def test_rows_link_to_related_rows(admin: Any, alice: Any, attic: Room) -> None:
    posting.post_message(user_id=alice.pk, slug="attic", client_id=uuid.uuid4(), body="hello")
    create_token(user=alice, name="probe", expires_at=None)
    user_page = reverse("admin:accounts_user_change", args=[alice.pk])
    room_page = reverse("admin:chat_room_change", args=[attic.pk])
    of_user = [f"{MEMBERSHIPS}?user__exact={alice.pk}&amp;member=yes", f"{MESSAGES}?author__exact={alice.pk}"]
    of_user += [f"{TOKENS}?user__exact={alice.pk}"]
    of_room = [f"{MEMBERSHIPS}?room__id__exact={attic.pk}&amp;member=yes", f"{MESSAGES}?room__id__exact={attic.pk}"]
    message = reverse("admin:chat_message_change", args=[Message.objects.get().pk])
    membership = reverse("admin:chat_membership_change", args=[attic.memberships.get(user=alice).pk])
    in_room = f"{MESSAGES}?author__exact={alice.pk}&amp;room__id__exact={attic.pk}"
    for page, links in {
        USERS: of_user,
        user_page: of_user,
        ROOMS: of_room,
        room_page: of_room,
        MESSAGES: [user_page, room_page],
        message: [user_page, room_page],
        MEMBERSHIPS: [user_page, room_page, in_room],
        membership: [user_page, room_page, in_room],
        TOKENS: [user_page],
    }.items():
        shown = admin.get(page).content.decode()
        assert [link for link in links if f'href="{link}"' not in shown] == [], page
    for link in [address.replace("&amp;", "&") for address in (*of_user, *of_room, in_room)]:
        assert admin.get(link).status_code == 200, link
        assert len(admin.get(link).context["cl"].result_list) in (1, 3)


def test_a_list_of_another_users_rows_is_not_this_users(admin: Any, alice: Any, attic: Room) -> None:
    nobody = make_user("nobody")
    assert len(admin.get(f"{MEMBERSHIPS}?user__exact={nobody.pk}").context["cl"].result_list) == 0
