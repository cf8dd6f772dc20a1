"""Bans by the service: duration, reason, end, and two bans at once."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone

from chat import access, bans, revocation, services
from chat.models import Membership, Room
from hubbub.protocol import Refused
from tests.support.admin_pages import post_message
from tests.support.bans import FAR, HOUR, ban_page, end_bans, may_read

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]


# The service


def test_the_end_of_a_ban_makes_no_member_of_a_private_room(charlie: Any, attic: Room) -> None:
    bans.ban_user(room_id=attic.pk, user_id=str(charlie.pk), until=timezone.now() + HOUR)
    assert not may_read(charlie, attic)
    end_bans()
    assert not may_read(charlie, attic)
    assert attic not in access.rooms_for(str(charlie.pk))
    assert revocation.denied_users({attic.slug: {str(charlie.pk)}}) == {attic.slug: {str(charlie.pk): "removed"}}
    with pytest.raises(Refused) as refused:
        post_message(charlie, attic)
    assert refused.value.code == "not_found"


def test_a_stranger_posts_again_after_a_ban_in_a_public_room(charlie: Any, lounge: Room) -> None:
    bans.ban_user(room_id=lounge.pk, user_id=str(charlie.pk), until=timezone.now() + HOUR)
    with pytest.raises(Refused):
        post_message(charlie, lounge)
    end_bans()
    assert access.enter_room(str(charlie.pk), "lounge")[1] == "member"
    assert access.role_in(str(charlie.pk), lounge) == "member"
    post_message(charlie, lounge)
    services.change_room(room_id=lounge.pk, is_private=True)
    assert not may_read(charlie, lounge)


def test_lifting_a_ban_keeps_role_and_membership(mona: Any, charlie: Any, attic: Room) -> None:
    for user in (mona, charlie):
        bans.ban_user(room_id=attic.pk, user_id=str(user.pk), until=timezone.now() + HOUR, reason="spam")
        bans.lift_ban(room_id=attic.pk, user_id=str(user.pk))
    membership = attic.memberships.get(user=mona)
    assert (membership.role, membership.banned_until, membership.ban_reason) == ("moderator", None, "")
    assert not attic.memberships.filter(user=charlie).exists()
    bans.lift_ban(room_id=attic.pk, user_id=str(charlie.pk))


def test_a_reason_is_kept_as_a_title_is(bob: Any, attic: Room) -> None:
    def ban(reason: str) -> Membership:
        return bans.ban_user(room_id=attic.pk, user_id=str(bob.pk), until=timezone.now() + HOUR, reason=reason)

    assert ban("cafe\u0301").ban_reason == "caf\u00e9"
    for wrong in ("a\u202eb", "a\nb", "x" * 201):
        with pytest.raises(ValidationError):
            ban(wrong)


def test_a_ban_of_oneself_or_until_a_past_time_is_refused(root: Any, bob: Any, lounge: Room) -> None:
    with pytest.raises(ValidationError, match="yourself"):
        bans.ban_user(room_id=lounge.pk, user_id=str(root.pk), until=timezone.now() + HOUR, by=str(root.pk))
    with pytest.raises(ValidationError, match="in the past"):
        bans.ban_user(room_id=lounge.pk, user_id=str(bob.pk), until=timezone.now() - HOUR)
    assert not lounge.memberships.exists()


def test_a_ban_of_more_than_a_hundred_years_is_refused(bob: Any, attic: Room) -> None:
    century = timezone.now() + timedelta(days=36_525)
    for until in (FAR, century + HOUR):
        with pytest.raises(ValidationError, match="100 years away"):
            bans.ban_user(room_id=attic.pk, user_id=str(bob.pk), until=until)
        with pytest.raises(ValidationError, match="100 years away"):
            services.set_membership(room_id=attic.pk, user_id=str(bob.pk), banned_until=until)
    assert bans.ban_user(room_id=attic.pk, user_id=str(bob.pk), until=century - HOUR).is_banned


def test_a_longer_ban_of_before_does_not_keep_the_role_from_being_changed(bob: Any, attic: Room) -> None:
    until = timezone.now() + timedelta(days=50_000)
    attic.memberships.filter(user=bob).update(banned_until=until)
    services.set_membership(room_id=attic.pk, user_id=str(bob.pk), role="moderator", banned_until=until)
    assert attic.memberships.get(user=bob).role == "moderator"


def test_two_bans_of_a_stranger_at_once(
    admin: Any, charlie: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one looked before the first one's entry was committed, and writes after it."""
    set_membership, answers = services.set_membership, iter([IntegrityError])

    def beaten(**how: Any) -> Membership:
        for error in answers:
            raise error
        return set_membership(**how)

    monkeypatch.setattr(services, "set_membership", beaten)
    answer = admin.post(ban_page(lounge), {"user": str(charlie.pk), "span": "day", "reason": "the second"})
    assert answer.status_code == 302
    assert lounge.memberships.get().ban_reason == "the second"


def test_an_entry_without_a_role_and_without_a_ban_is_refused(charlie: Any, attic: Room) -> None:
    with pytest.raises(ValidationError, match="neither a role nor a ban"):
        services.set_membership(room_id=attic.pk, user_id=charlie.pk, role=Membership.Role.NONE)
