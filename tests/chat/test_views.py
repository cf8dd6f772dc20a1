"""The lobby and the page of a room: visibility and cost."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from chat import posting, services
from chat.models import PersonalState, Room

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

SCRIPT = "<script>alert(1)</script>"


def post(user: Any, room: Room, body: str) -> int:
    return posting.post_message(user_id=user.pk, slug=room.slug, client_id=uuid4(), body=body).seq


def visit(client: Client, user: Any, name: str, *args: str) -> Any:
    client.force_login(user)
    return client.get(reverse(name, args=args))


@pytest.mark.parametrize("path", ["/", "/rooms/lounge/"])
def test_pages_need_a_login(client: Client, lounge: Room, path: str) -> None:
    response = client.get(path)
    assert response.headers["Location"] == f"{reverse('sign-in')}?next={path}"


def test_lobby_shows_permitted_rooms_with_their_last_message(
    client: Client, alice: Any, bob: Any, lounge: Room, attic: Room
) -> None:
    post(alice, attic, "an old word")
    post(bob, attic, "the last word")
    page = visit(client, alice, "chat:lobby").text
    assert reverse("chat:room", args=["lounge"]) in page
    assert "the last word" in page
    assert "an old word" not in page
    assert 'aria-label="private"' in page


def test_outsider_learns_nothing_of_a_private_room(client: Client, charlie: Any, alice: Any, attic: Room) -> None:
    post(alice, attic, "a secret")
    for path in (
        reverse("chat:lobby"),
        reverse("chat:room", args=["attic"]),
        reverse("chat:room", args=["no-such-room"]),
    ):
        client.force_login(charlie)
        response = client.get(path)
        assert "a secret" not in response.text
        assert "Attic" not in response.text
        assert response.status_code == (200 if path == "/" else 404)


def test_lobby_marks_deleted_messages_and_keeps_messages_of_deleted_users(
    client: Client, alice: Any, bob: Any, lounge: Room, attic: Room
) -> None:
    services.delete_message(user_id=alice.pk, slug="lounge", seq=post(alice, lounge, "regretted"))
    post(bob, attic, "stays")
    bob.delete()
    page = visit(client, alice, "chat:lobby").text
    assert "message deleted" in page
    assert "regretted" not in page
    assert "deleted user" in page
    assert "stays" in page


def test_lobby_marks_archived_rooms(client: Client, alice: Any, lounge: Room) -> None:
    services.change_room(room_id=lounge.pk, is_archived=True)
    assert "archived" in visit(client, alice, "chat:lobby").text


def test_lobby_without_rooms_says_so(client: Client, alice: Any) -> None:
    Room.objects.all().delete()
    assert "No rooms yet" in visit(client, alice, "chat:lobby").text


def test_lobby_costs_the_same_for_many_rooms(
    client: Client, alice: Any, lounge: Room, django_assert_num_queries: Any
) -> None:
    client.force_login(alice)
    post(alice, lounge, "hello")
    client.get("/")  # The browser is noted at its first page.
    with django_assert_num_queries(22):  # Seven for the page, and what the joins of two lists take.
        client.get("/")
    for number in range(20):
        post(alice, services.create_room(slug=f"room-{number}", title=f"Room {number}"), "hello")
    with django_assert_num_queries(22):
        client.get("/")


def test_markup_in_titles_topics_and_words_is_text(client: Client, alice: Any, lounge: Room) -> None:
    services.change_room(room_id=lounge.pk, title=SCRIPT, description=SCRIPT)
    post(alice, lounge, SCRIPT)
    for page in (visit(client, alice, "chat:lobby").text, visit(client, alice, "chat:room", "lounge").text):
        assert SCRIPT not in page
        assert "&lt;script&gt;" in page


def test_room_page_allows_no_inline_script_or_style(client: Client, alice: Any, lounge: Room) -> None:
    response = visit(client, alice, "chat:room", "lounge")
    assert " style=" not in response.text
    assert "<script>" not in response.text
    assert "unsafe" not in response.headers["Content-Security-Policy"]


def test_the_page_leads_to_a_rooms_page_in_the_admin_those_who_may(
    client: Client, alice: Any, root: Any, attic: Room
) -> None:
    address = reverse("chat:manage", args=["attic"])
    assert visit(client, alice, "chat:manage", "attic").status_code == 404
    assert "data-admin-path" not in visit(client, alice, "chat:room", "attic").text
    answer = visit(client, root, "chat:manage", "attic")
    assert answer.headers["Location"] == reverse("admin:chat_room_change", args=[attic.pk])
    assert client.get(reverse("chat:manage", args=["no-such-room"])).status_code == 404
    assert f'data-admin-path="{address.replace("attic", "slug")}"' in visit(client, root, "chat:lobby").text


def test_the_number_beside_the_arrow_back_is_there_at_first(
    client: Client, alice: Any, bob: Any, lounge: Room, attic: Room
) -> None:
    """The page would move when a script brings it."""
    total = '<span class="rooms-back-count" data-role="unread-total"'
    assert f"{total} hidden>" in visit(client, alice, "chat:room", "lounge").text
    own = PersonalState.objects.create(user=alice, room=attic, read_seq=post(bob, attic, "read"))
    for _ in range(2):
        post(bob, attic, "news")
    assert f"{total}>2<" in visit(client, alice, "chat:room", "lounge").text
    assert f"{total} hidden>" in visit(client, alice, "chat:room", "attic").text
    own.is_muted = True
    own.save()
    assert f"{total} hidden>" in visit(client, alice, "chat:room", "lounge").text


def test_a_room_without_a_description_has_a_line_in_its_place(client: Client, alice: Any, lounge: Room) -> None:
    services.change_room(room_id=lounge.pk, description="")
    assert "Public room</p>" in visit(client, alice, "chat:room", "lounge").text
