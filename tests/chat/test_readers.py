"""Readers of all rooms, without a membership: access, display, log."""

import logging
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from chat import access, bans, history, posting, revocation, services
from chat.models import Room
from hubbub.process import security_log
from hubbub.protocol import Refused
from tests.support.joins import join
from tests.support.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch, db: None) -> Any:
    monkeypatch.setattr(security_log, "_logged_at", {})
    return staff_with("read_any_room", "view_room")


def staff_with(*codenames: str) -> Any:
    user = make_user(f"staff-{'-'.join(codenames)}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def refusal(do: Any, **arguments: Any) -> str:
    with pytest.raises(Refused) as refused:
        do(**arguments)
    return str(refused.value.code)


def test_a_reader_opens_a_private_room_on_page_and_socket(client: Any, reader: Any, attic: Room) -> None:
    client.force_login(reader)
    page = client.get(reverse("chat:room", args=["attic"]))
    assert page.status_code == 200
    assert "You are not a member: you can read, but not write." in page.text
    assert 'data-role-here="reader"' in page.text
    assert join(reader, attic).viewer.role == "reader"
    history.read_history(user_id=str(reader.pk), slug="attic", before=10, since=None, around=None, limit=10)
    assert not attic.memberships.filter(user=reader).exists()
    assert "Attic" not in client.get("/").text


def test_a_reader_writes_nothing(reader: Any, alice: Any, attic: Room) -> None:
    user_id = str(reader.pk)
    posting.post_message(user_id=str(alice.pk), slug="attic", client_id=uuid.uuid4(), body="hello")
    post = {"user_id": user_id, "slug": "attic", "client_id": uuid.uuid4(), "body": "hello"}
    assert refusal(posting.post_message, **post) == "forbidden"
    assert refusal(services.edit_message, user_id=user_id, slug="attic", seq=1, body="x") == "forbidden"
    assert refusal(services.delete_message, user_id=user_id, slug="attic", seq=1) == "forbidden"
    attic.refresh_from_db()
    assert attic.last_seq == 1


def test_an_outsider_without_the_permission_finds_nothing_to_read_or_write(charlie: Any, attic: Room) -> None:
    post = {"user_id": str(charlie.pk), "client_id": uuid.uuid4(), "body": "hello"}
    for slug in ("attic", "no-such-room"):
        assert refusal(posting.post_message, slug=slug, **post) == "not_found"
        assert refusal(access.enter_room, user_id=str(charlie.pk), slug=slug) == "not_found"


def test_refusals_of_existing_and_missing_rooms_cost_the_same_queries(charlie: Any, attic: Room) -> None:
    def queries(slug: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            refusal(access.enter_room, user_id=str(charlie.pk), slug=slug)
        return len(seen)

    queries("warm-up")
    assert queries("attic") == queries("no-such-room")


def test_members_cost_one_query(alice: Any, attic: Room, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        access.enter_room(str(alice.pk), "attic")


def test_a_banned_or_inactive_reader_is_out(reader: Any, attic: Room) -> None:
    bans.ban_user(room_id=attic.pk, user_id=str(reader.pk), until=timezone.now() + timedelta(hours=1))
    assert refusal(join, user=reader, room=attic) == "not_found"
    bans.lift_ban(room_id=attic.pk, user_id=str(reader.pk))
    assert join(reader, attic).viewer.role == "reader"
    reader.is_active = False
    reader.save()
    assert refusal(join, user=reader, room=attic) == "not_found"


def test_the_sweep_leaves_readers_in_until_the_permission_is_taken(reader: Any, charlie: Any, attic: Room) -> None:
    inside = {"attic": {str(reader.pk), str(charlie.pk)}}
    assert revocation.denied_users(inside) == {"attic": {str(charlie.pk): "removed"}}
    reader.user_permissions.clear()
    assert revocation.denied_users(inside) == {"attic": {str(reader.pk): "removed", str(charlie.pk): "removed"}}


def test_a_public_room_made_private_needs_few_queries_for_its_members(
    lounge: Room, django_assert_max_num_queries: Any
) -> None:
    inside = {str(make_user(f"user-{number}").pk) for number in range(30)}
    services.change_room(room_id=lounge.pk, is_private=True)
    with django_assert_max_num_queries(6):
        assert revocation.denied_users({"lounge": inside}) == {"lounge": dict.fromkeys(inside, "removed")}


def test_each_opening_is_one_line_of_the_log(
    client: Any, reader: Any, alice: Any, attic: Room, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "hubbub.security")
    client.force_login(reader)
    client.get(reverse("chat:room", args=["attic"]))
    join(reader, attic)
    join(alice, attic)
    lines = [line for line in caplog.messages if line.startswith("room_read")]
    assert lines == [f"room_read address=- user={reader.pk} connection=- 'attic'"]


def test_view_on_site_is_shown_to_permitted_readers(client: Any, reader: Any, lounge: Room, attic: Room) -> None:
    def is_shown(user: Any, room: Room) -> bool:
        client.force_login(user)
        page = client.get(reverse("admin:chat_room_change", args=[room.pk])).content.decode()
        return reverse("chat:room", args=[room.slug]) in page

    other = staff_with("view_room")
    assert is_shown(reader, attic)
    assert not is_shown(other, attic)
    assert is_shown(other, lounge)
    services.set_membership(room_id=attic.pk, user_id=other.pk)
    assert is_shown(other, attic)


def test_new_room_stands_in_the_list_for_users_who_may_make_one(client: Any, alice: Any, lounge: Room) -> None:
    staff, member = staff_with("view_room"), alice
    member.user_permissions.set(Permission.objects.filter(codename="add_room"))
    for user, shown in ((member, True), (staff, False)):
        client.force_login(user)
        for address in ("/", reverse("chat:room", args=["lounge"])):
            assert ("New room" in client.get(address).text) is shown


def test_reports_of_readers_take_no_query_for_each_room(reader: Any, alice: Any) -> None:
    def queries(count: int) -> int:
        rooms = [services.create_room(slug=f"vault-{count}-{n}", title="Vault", is_private=True) for n in range(count)]
        banned = services.create_room(slug=f"closed-{count}", title="Closed", is_private=True)
        until = timezone.now() + timedelta(hours=1)
        services.set_membership(room_id=banned.pk, user_id=reader.pk, role="none", banned_until=until)
        slugs = [room.slug for room in (*rooms, banned)]
        wanted = [(user.pk, slug) for user in (reader, alice) for slug in slugs]
        with CaptureQueriesContext(connection) as captured:
            found = access.readable_rooms_for(wanted)
        assert {pair: room.slug for pair, room in found.items()} == {
            (reader.pk, room.slug): room.slug for room in rooms
        }
        return len(captured)

    assert queries(2) == queries(30)
