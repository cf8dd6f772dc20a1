"""The list of a room's members, invitations, roles and removals. On SQLite and on PostgreSQL."""

import logging
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat import managing, members, services
from chat.models import Membership, PersonalState, Room
from chat.topics import RoomTopic
from hubbub import Refused
from hubbub.testing import connect
from project.accounts.models import User
from project.accounts.shown_names import shown_name_key
from tests.chat.test_rooms_by_people import role_of
from tests.chat.test_services import code_of, in_threads
from tests.support.personas import make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def invite(by: Any, name: str, slug: str = "attic") -> Any:
    return members.invite_member(user_id=str(by.pk), slug=slug, name=name)


def remove(by: Any, user: Any, slug: str = "attic") -> None:
    members.remove_member(user_id=str(by.pk), slug=slug, member_id=str(user.pk))


def appoint(by: Any, user: Any, role: str = "moderator", slug: str = "attic") -> Any:
    return members.set_role(user_id=str(by.pk), slug=slug, member_id=str(user.pk), role=role)


def listed(user: Any, slug: str = "attic", limit: int = 100) -> list[str]:
    names: list[str] = []
    place = None
    while True:
        page = members.list_members(user_id=str(user.pk), slug=slug, after=place, limit=limit)
        names += [f"{member.name} {member.role}" for member in page.members]
        if (place := page.next) is None:
            return names


def ban(user: Any, room: Room, role: str = "none") -> Membership:
    until = timezone.now() + timedelta(hours=1)
    return services.set_membership(room_id=room.pk, user_id=user.pk, role=role, banned_until=until, ban_reason="noise")


def test_members_have_their_pictures(alice: Any, mona: Any, attic: Room) -> None:
    User.objects.filter(pk=mona.pk).update(shown_picture="a" * 32)
    page = members.list_members(user_id=str(alice.pk), slug="attic", after=None, limit=1)
    assert [member.picture for member in page.members] == ["a" * 32]


# Inviting


def test_an_invited_user_is_a_member_and_once(mona: Any, charlie: Any, attic: Room) -> None:
    for _ in range(2):
        member = invite(mona, "charlie")
        assert (member.id, member.name, member.role) == (str(charlie.pk), "charlie", "member")
    assert invite(mona, "mona").role == "moderator"
    assert listed(charlie) == ["mona moderator", "alice member", "bob member", "charlie member"]


@pytest.mark.parametrize("name", ["Émile Œuvre", "émile œuvre", " ÉMILE  ŒUVRE ", "E\u0301mile Œuvre"])
def test_a_display_name_invites_in_any_case(mona: Any, charlie: Any, attic: Room, name: str) -> None:
    charlie.shown_name = "Émile Œuvre"
    charlie.save()
    assert invite(mona, name).id == str(charlie.pk)


def test_a_name_that_only_reads_as_a_display_name_invites_nobody(mona: Any, charlie: Any, attic: Room) -> None:
    charlie.shown_name = "Jonas Weber"
    charlie.save()
    for name in ("Jonas", "Jonas W", "J0nas Weber", "-Jonas Weber-"):
        assert code_of(invite, by=mona, name=name) == "invalid"


def test_the_user_name_wins_over_a_display_name(mona: Any, alice: Any, charlie: Any, attic: Room) -> None:
    # The rule of names refuses this now; an old row may have it.
    User.objects.filter(pk=alice.pk).update(shown_name="Charlie", shown_name_key=shown_name_key("Charlie"))
    assert invite(mona, "Charlie").id == str(charlie.pk)


def test_the_display_name_of_a_closed_account_is_nobody(mona: Any, charlie: Any, attic: Room) -> None:
    charlie.shown_name, charlie.is_active = "Jonas Weber", False
    charlie.save()
    assert code_of(invite, by=mona, name="Jonas Weber") == "invalid"


@pytest.mark.parametrize("name", ["nobody", "a\x00b", "\ud800", "a\ud800b", " "])
def test_a_name_that_nobody_has_is_said_in_words(mona: Any, attic: Room, name: str) -> None:
    with pytest.raises(Refused, match="nobody here has the name") as refused:
        invite(mona, name)
    assert refused.value.code == "invalid"


def test_an_account_that_is_closed_is_nobody(mona: Any, charlie: Any, attic: Room) -> None:
    charlie.is_active = False
    charlie.save()
    assert code_of(invite, by=mona, name="charlie") == "invalid"


def test_a_banned_user_is_not_invited_before_the_ban_is_lifted(mona: Any, charlie: Any, attic: Room) -> None:
    ban(charlie, attic)
    with pytest.raises(Refused, match="lifted first") as refused:
        invite(mona, "charlie")
    assert (refused.value.code, role_of(charlie, "attic")) == ("conflict", "none")


def test_members_and_strangers_invite_nobody(alice: Any, charlie: Any, attic: Room) -> None:
    assert code_of(invite, by=alice, name="charlie") == "forbidden"
    assert code_of(invite, by=charlie, name="charlie") == "not_found"
    assert code_of(invite, by=charlie, name="nobody") == "not_found"
    assert role_of(charlie, "attic") is None


def test_an_invitation_brings_a_left_room_back(mona: Any, alice: Any, lounge: Room) -> None:
    services.set_membership(room_id=lounge.pk, user_id=mona.pk, role="moderator")
    managing.leave_room(user_id=str(alice.pk), slug="lounge")
    invite(mona, "alice", "lounge")
    assert not PersonalState.objects.get(user=alice, room=lounge).has_left


def test_one_user_invited_in_the_same_instant_is_one_member(mona: Any, charlie: Any, attic: Room) -> None:
    answers = in_threads([lambda: invite(mona, "charlie").role] * 4)
    assert (answers, Membership.objects.filter(user=charlie).count()) == (["member"] * 4, 1)


# Removing and appointing


async def test_a_removed_member_is_out_and_the_others_stay(alice: Any, bob: Any, mona: Any, attic: Room) -> None:
    async with (
        connect(RoomTopic, "attic", user=alice) as page,
        connect(RoomTopic, "attic", user=mona) as other,
        connect(RoomTopic, "attic", user=bob) as stays,
    ):
        await other.remove_member(member=str(alice.pk))
        assert await page.closed() == "removed"
        await other.remove_member(member=str(alice.pk))
        for lost in (page.members(), page.post(id=str(uuid4()), body="Still here"), page.leave_room()):
            with pytest.raises(Refused) as refused:
                await lost
            assert refused.value.code == "not_found"
        await other.post(id=str(uuid4()), body="Bye")
        assert (await stays.event("message.posted"))["message"]["body"] == "Bye"
        assert page.frames == []


def test_a_ban_outlives_the_removal(mona: Any, alice: Any, attic: Room) -> None:
    ban(alice, attic, role="member")
    remove(mona, alice)
    membership = Membership.objects.get(room=attic, user=alice)
    assert (membership.role, membership.is_banned, membership.ban_reason) == ("none", True, "noise")


def test_the_last_moderator_of_a_private_room_stays_one_but_in_the_admin(mona: Any, attic: Room) -> None:
    assert code_of(remove, by=mona, user=mona) == "conflict"
    assert code_of(appoint, by=mona, user=mona, role="member") == "conflict"
    services.remove_membership(room_id=attic.pk, user_id=mona.pk)
    assert role_of(mona, "attic") is None


def test_two_moderators_that_remove_each_other_at_once_leave_one(alice: Any, mona: Any, attic: Room) -> None:
    appoint(mona, alice)

    def attempt(by: Any, user: Any) -> str:
        try:
            remove(by, user)
        except Refused as refused:
            return refused.code
        return "removed"

    answers = in_threads([lambda: attempt(alice, mona), lambda: attempt(mona, alice)])
    assert sorted(answers) == ["not_found", "removed"]
    assert Membership.objects.filter(room=attic, role="moderator").count() == 1


def test_a_moderator_appoints_and_steps_down(alice: Any, mona: Any, charlie: Any, attic: Room) -> None:
    assert appoint(mona, alice).role == "moderator"
    assert appoint(mona, alice).role == "moderator"
    assert appoint(mona, mona, "member").role == "member"
    assert code_of(appoint, by=mona, user=mona) == "forbidden"
    assert code_of(appoint, by=alice, user=charlie) == "conflict"
    ban(mona, attic, role="member")
    assert code_of(appoint, by=alice, user=mona) == "conflict"


@pytest.mark.parametrize("member_id", ["0", "-1", "x", "9" * 40, "\x00"])
def test_ids_of_nobody_are_no_members(mona: Any, attic: Room, member_id: str) -> None:
    members.remove_member(user_id=str(mona.pk), slug="attic", member_id=member_id)
    named = {"user_id": str(mona.pk), "slug": "attic", "member_id": member_id, "role": "member"}
    assert code_of(members.set_role, **named) == "conflict"


def test_changes_of_members_are_in_the_security_log(
    alice: Any, mona: Any, charlie: Any, attic: Room, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "hubbub.security"):
        invite(mona, "charlie")
        invite(mona, "charlie")
        appoint(mona, alice)
        remove(mona, charlie)
        remove(mona, charlie)
    assert [line.split()[0] for line in caplog.messages] == ["member_added", "member_role", "member_removed"]
    assert f"user={mona.pk} connection=- 'attic: user {charlie.pk}'" in caplog.messages[0]


# The list


def test_moderators_come_first_and_then_names_without_regard_to_case(mona: Any, attic: Room) -> None:
    for name in ("Zoe", "Émile", "adam", "_x", "bo-b", "bo.c", "ßa"):
        invite(mona, make_user(name).username)
    expected = ["_x", "adam", "alice", "bo-b", "bo.c", "bob", "Zoe", "ßa", "Émile"]
    expected.sort(key=lambda name: "".join(c.lower() if c.isascii() else c for c in name))
    assert listed(mona) == ["mona moderator", *(f"{name} member" for name in expected)]
    for limit in (1, 2, 3):
        assert listed(mona, limit=limit) == listed(mona)


def test_banned_members_are_left_out_and_strangers_see_nothing(alice: Any, bob: Any, charlie: Any, attic: Room) -> None:
    ban(bob, attic, role="member")
    ban(charlie, attic)
    assert listed(alice) == ["mona moderator", "alice member"]
    assert code_of(listed, user=charlie) == "not_found"


def test_a_page_goes_on_where_the_one_before_ended_though_members_go(mona: Any, alice: Any, attic: Room) -> None:
    first = members.list_members(user_id=str(mona.pk), slug="attic", after=None, limit=2)
    assert [member.name for member in first.members] == ["mona", "alice"]
    remove(mona, alice)
    second = members.list_members(user_id=str(mona.pk), slug="attic", after=first.next, limit=2)
    assert ([member.name for member in second.members], second.next) == (["bob"], None)


@pytest.mark.parametrize("place", ["", "x", "2:1:a", "0:x:a", "0:-1:a", "0:²:a", "1:" + "9" * 30 + ":a", "0:1:\x00"])
def test_a_place_that_no_page_has_given_is_invalid(mona: Any, attic: Room, place: str) -> None:
    named = {"user_id": str(mona.pk), "slug": "attic", "after": place, "limit": 2}
    assert code_of(members.list_members, **named) == "invalid"


def test_the_number_of_queries_does_not_grow_with_members(mona: Any, attic: Room, charlie: Any) -> None:
    def count() -> list[int]:
        counts = []
        for call in (lambda: listed(mona), lambda: invite(mona, "charlie"), lambda: remove(mona, charlie)):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                call()
            counts.append(len(queries))
        return counts

    few = count()
    for number in range(60):
        services.set_membership(room_id=attic.pk, user_id=make_user(f"member{number}").pk)
    assert count() == few


def test_a_page_does_not_name_the_user_behind_a_shown_name(attic: Any, bob: Any, mona: Any) -> None:
    page = members.list_members(user_id=str(mona.pk), slug="attic", after=None, limit=1)
    assert page.next is not None
    assert page.members[0].name not in page.next
    assert page.next.endswith(f":{page.members[0].id}")
