"""Rooms as people make, change and leave them: permissions, names, races. On SQLite and on PostgreSQL."""

import logging
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from chat import access, managing, posting, services
from chat.models import Membership, Message, PersonalState, Room
from chat.topics import LobbyTopic, RoomTopic
from hubbub import Refused
from hubbub.testing import connect
from tests.chat.test_services import code_of, in_threads
from tests.support.topic_page import in_thread

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def allow(user: Any, codename: str) -> None:
    user.user_permissions.add(Permission.objects.get(codename=codename, content_type__app_label="chat"))


@pytest.fixture
def maker(alice: Any) -> Any:
    """Alice, who may make rooms."""
    allow(alice, "add_room")
    return alice


def make(user: Any, title: str = "Garden", **more: Any) -> str:
    return managing.make_room(user_id=str(user.pk), title=title, **more).slug


def change(user: Any, slug: str, **changes: Any) -> int:
    return managing.change_room(user_id=str(user.pk), slug=slug, **changes)


def role_of(user: Any, slug: str) -> str | None:
    return Membership.objects.filter(room__slug=slug, user=user).values_list("role", flat=True).first()


# Making


def test_a_room_has_its_maker_as_moderator(maker: Any) -> None:
    assert make(maker, "  Garden party ", is_private=True) == "garden-party"
    room = Room.objects.get(slug="garden-party")
    assert (room.title, room.is_private, role_of(maker, "garden-party")) == ("Garden party", True, "moderator")


def test_without_the_permission_no_room_is_made(bob: Any) -> None:
    assert code_of(make, user=bob) == "forbidden"
    with pytest.raises(Refused) as refused:
        LobbyTopic().create(bob, title="Garden", id="1")
    assert (refused.value.code, Room.objects.filter(slug="garden").count()) == ("forbidden", 0)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"title": "x" * 81}, "title: .*80 characters"),
        ({"title": "Gar\u200bden"}, "title: .*invisible character U\\+200B"),
        ({"title": "\u3164"}, "title: .*invisible"),
        ({"title": "   "}, "title: "),
        ({"title": "Garden", "description": "x" * 201}, "description: .*200 characters"),
        ({"title": "Garden", "slug": "Not A Slug"}, "slug: Use small letters"),
        ({"title": "Garden", "slug": ""}, "slug: "),
        ({"title": "Garden", "slug": "a\x00b"}, "slug: "),
    ],
)
def test_a_name_that_breaks_a_rule_is_refused_in_words(maker: Any, values: dict[str, str], words: str) -> None:
    before = Room.objects.count()
    with pytest.raises(Refused, match=words) as refused:
        make(maker, **values)
    assert (refused.value.code, Room.objects.count()) == ("invalid", before)


def test_a_slug_is_made_from_the_title_and_is_unique(maker: Any) -> None:
    assert [make(maker, "Café _ Bar!") for _ in range(3)] == ["cafe-bar", "cafe-bar-2", "cafe-bar-3"]
    assert [make(maker, "日本語"), make(maker, "日本語")] == ["room", "room-2"]
    long = make(maker, "abcdefg " * 10)
    assert len(long) <= 50
    assert len(make(maker, "abcdefg " * 10)) <= 50


def test_a_slug_that_is_taken_is_a_conflict(maker: Any, lounge: Room) -> None:
    assert code_of(make, user=maker, slug="lounge") == "conflict"
    assert role_of(maker, "lounge") is None


def test_a_slug_taken_in_the_same_instant_makes_one_room(maker: Any) -> None:
    def attempt() -> str:
        try:
            return make(maker, slug="garden")
        except Refused as refused:
            return refused.code

    assert sorted(in_threads([attempt] * 4)) == ["conflict", "conflict", "conflict", "garden"]
    assert Membership.objects.filter(room__slug="garden").count() == 1


def test_titles_in_the_same_instant_get_slugs_of_their_own(maker: Any) -> None:
    assert sorted(in_threads([lambda: make(maker)] * 4)) == ["garden", "garden-2", "garden-3", "garden-4"]


def test_a_room_made_twice_by_the_same_id_is_one(maker: Any) -> None:
    def create() -> Any:
        return LobbyTopic().create(maker, title="Garden", id="7")

    assert {str(answer) for answer in in_threads([create] * 3)} == {"{'slug': 'garden'}"}
    assert Room.objects.filter(title="Garden").count() == 1
    with pytest.raises(Refused) as refused:
        LobbyTopic().create(maker, title="Other", id="7")
    assert refused.value.code == "conflict"


# Changing


def test_a_moderator_changes_everything_and_members_see_it(alice: Any, mona: Any, attic: Room) -> None:
    position = change(mona, "attic", title="Loft", description="Up", is_archived=True)
    attic.refresh_from_db()
    assert (attic.title, attic.description, attic.is_archived, attic.position) == ("Loft", "Up", True, position)
    change(mona, "attic", is_archived=False)
    attic.refresh_from_db()
    assert (attic.title, attic.is_archived) == ("Loft", False)


async def test_a_rename_reaches_a_page(alice: Any, mona: Any, attic: Room) -> None:
    async with connect(RoomTopic, "attic", user=alice) as page, connect(RoomTopic, "attic", user=mona) as other:
        await other.change(title="Loft")
        assert (await page.event("room.changed"))["changes"] == {"title": "Loft"}
        with pytest.raises(Refused, match="moderators"):
            await page.change(title="Mine")


def test_who_may_change_rooms_manages_those_that_it_may_read(alice: Any, bob: Any, charlie: Any, attic: Room) -> None:
    allow(charlie, "change_room")
    assert code_of(change, user=charlie, slug="attic", title="Mine") == "not_found"
    allow(charlie, "read_any_room")
    change(charlie, "attic", title="Loft")
    assert code_of(change, user=alice, slug="attic", title="Mine") == "forbidden"
    assert code_of(change, user=alice, slug="no-such-room", title="Mine") == "not_found"


def test_a_banned_moderator_manages_nothing(mona: Any, attic: Room) -> None:
    until = timezone.now() + timedelta(hours=1)
    services.set_membership(room_id=attic.pk, user_id=mona.pk, role="moderator", banned_until=until)
    assert code_of(change, user=mona, slug="attic", title="Mine") == "not_found"


def test_a_public_room_made_private_keeps_a_moderator(bob: Any, lounge: Room) -> None:
    allow(bob, "change_room")
    change(bob, "lounge", is_private=True)
    assert role_of(bob, "lounge") == "moderator"


def test_a_title_that_breaks_a_rule_changes_nothing(mona: Any, attic: Room) -> None:
    for title in ("x" * 81, "a\u200b", ""):
        assert code_of(change, user=mona, slug="attic", title=title, is_archived=True) == "invalid"
    attic.refresh_from_db()
    assert (attic.title, attic.is_archived, attic.position) == ("Attic", False, 0)


def test_a_rename_in_the_instant_of_a_post_loses_neither(alice: Any, mona: Any, attic: Room) -> None:
    def post() -> Any:
        return posting.post_message(user_id=alice.pk, slug="attic", client_id=uuid4(), body="hi").position

    calls = [
        post if number % 2 else lambda number=number: change(mona, "attic", title=f"Loft {number}")
        for number in range(8)
    ]
    positions = in_threads(calls)
    assert sorted(positions) == list(range(1, 9))
    attic.refresh_from_db()
    assert (attic.position, attic.last_seq, Message.objects.count()) == (8, 4, 4)


# Leaving


def test_who_leaves_a_private_room_loses_it(alice: Any, attic: Room) -> None:
    managing.leave_room(user_id=str(alice.pk), slug="attic")
    assert role_of(alice, "attic") is None
    for command in (managing.leave_room, managing.return_to_room, change):
        named = {"user": alice} if command is change else {"user_id": str(alice.pk)}
        assert code_of(command, slug="attic", **named) == "not_found"


async def test_who_leaves_a_private_room_is_out_and_the_others_stay(alice: Any, bob: Any, attic: Room) -> None:
    async with connect(RoomTopic, "attic", user=alice) as page, connect(RoomTopic, "attic", user=bob) as stays:
        await page.leave_room()
        assert await page.closed() == "removed"
        await stays.post(id=str(uuid4()), body="Bye")
        assert page.frames == []


def test_the_last_moderator_cannot_leave_a_private_room(alice: Any, mona: Any, attic: Room) -> None:
    with pytest.raises(Refused, match="needs a moderator") as refused:
        managing.leave_room(user_id=str(mona.pk), slug="attic")
    assert refused.value.code == "conflict"
    until = timezone.now() + timedelta(hours=1)
    services.set_membership(room_id=attic.pk, user_id=alice.pk, role="moderator", banned_until=until)
    assert code_of(managing.leave_room, user_id=str(mona.pk), slug="attic") == "conflict", "the other one is banned"
    services.set_membership(room_id=attic.pk, user_id=alice.pk, role="moderator")
    managing.leave_room(user_id=str(mona.pk), slug="attic")


def test_two_last_moderators_that_leave_at_once_leave_one(alice: Any, mona: Any, attic: Room) -> None:
    services.set_membership(room_id=attic.pk, user_id=alice.pk, role="moderator")

    def leave(user: Any) -> str:
        try:
            managing.leave_room(user_id=str(user.pk), slug="attic")
        except Refused as refused:
            return refused.code
        return "left"

    assert sorted(in_threads([lambda user=user: leave(user) for user in (alice, mona)])) == ["conflict", "left"]


def test_a_public_room_that_was_left_is_browsed_until_the_return(alice: Any, bob: Any, lounge: Room) -> None:
    posting.post_message(user_id=bob.pk, slug="lounge", client_id=uuid4(), body="hi")
    assert managing.browse_rooms(user_id=str(alice.pk), limit=10).rooms == []
    for _ in range(2):
        managing.leave_room(user_id=str(alice.pk), slug="lounge")
    state = PersonalState.objects.get(user=alice, room=lounge)
    assert (state.has_left, state.read_seq) == (True, 1)
    assert access.find_room(str(alice.pk), "lounge") is not None
    assert [room.slug for room in managing.browse_rooms(user_id=str(alice.pk), limit=10).rooms] == ["lounge"]
    assert managing.browse_rooms(user_id=str(bob.pk), limit=10).rooms == []
    managing.return_to_room(user_id=str(alice.pk), slug="lounge")
    assert managing.browse_rooms(user_id=str(alice.pk), limit=10).rooms == []


@pytest.mark.usefixtures("plain_static")
def test_the_page_of_a_room_brings_it_back(client: Any, alice: Any, lounge: Room) -> None:
    managing.leave_room(user_id=str(alice.pk), slug="lounge")
    client.force_login(alice)
    assert client.get("/rooms/lounge/").status_code == 200
    assert not PersonalState.objects.get(user=alice).has_left


def test_browsing_is_in_natural_order_by_pages(alice: Any) -> None:
    for number in (10, 2, 1, 33, 4):
        room = services.create_room(slug=f"project-{number}", title=f"Project {number}")
        managing.leave_room(user_id=str(alice.pk), slug=room.slug)
    for slug, hide in (("secret", {"is_private": True}), ("barred", {})):
        room = services.create_room(slug=slug, title="A")
        managing.leave_room(user_id=str(alice.pk), slug=slug) if slug == "barred" else None
        services.change_room(room_id=room.pk, **hide)
    until = timezone.now() + timedelta(hours=1)
    services.set_membership(room_id=room.pk, user_id=alice.pk, role="none", banned_until=until)
    seen, place = [], None
    while True:
        page = managing.browse_rooms(user_id=str(alice.pk), after=place, limit=2)
        seen += [room.title for room in page.rooms]
        if (place := page.next) is None:
            break
    assert seen == [f"Project {number}" for number in (1, 2, 4, 10, 33)]
    for bad in ("", "x", "1", "-1:2", "9" * 30 + ":1", "1:\x00"):
        if bad != "1":
            assert code_of(managing.browse_rooms, user_id=str(alice.pk), after=bad, limit=2) == "invalid"


def test_a_room_that_was_deleted_is_not_found(alice: Any, lounge: Room) -> None:
    lounge.delete()
    for command in (managing.leave_room, managing.return_to_room):
        assert code_of(command, user_id=str(alice.pk), slug="lounge") == "not_found"
    assert code_of(change, user=alice, slug="lounge", title="Mine") == "not_found"


def test_what_people_do_is_in_the_security_log(maker: Any, bob: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "hubbub.security"):
        slug = make(maker, is_private=True)
        change(maker, slug, is_private=False)
        change(maker, slug, title="Yard")
    assert [line.split(" address")[0] for line in caplog.messages] == ["room_made", "room_visibility"]
    assert f"user={maker.pk}" in caplog.messages[0]
    assert "'garden, private'" in caplog.messages[0]
    assert "'garden: public'" in caplog.messages[1]


async def test_the_commands_of_the_lobby_have_words_for_the_wire(maker: Any) -> None:
    async with connect(LobbyTopic, user=maker) as page:
        assert page.state is None
        assert await page.create(title="Garden") == {"slug": "garden"}
        await in_thread(managing.leave_room)(user_id=str(maker.pk), slug="garden")
