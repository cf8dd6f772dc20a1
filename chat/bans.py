"""Bans and memberships as forms change them. All writes are calls of services."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from chat import access, services
from chat.models import BAD_END, Membership, database
from hubbub import users
from hubbub.process import utc

BAN_FIELDS = {"banned_until", "ban_reason"}
RELOAD = _("Reload the page to see the current state.")
AGAIN = "To change that ban, press the button again."


def ban_user(
    *,
    room_id: int,
    user_id: str,
    until: datetime,
    reason: str = "",
    by: str | None = None,
    keep_longer: bool = False,
    seen: Collection[str] | None = None,
) -> Membership:
    """Ban a user from a room until a time; an existing ban is replaced. The user's role stays.

    Args:
        by: The id of the user who bans.
        keep_longer: Never shorten a ban, and keep its reason unless a new one is given.
        seen: The versions of the bans that the banning user has seen; a ban of another version is not replaced.

    Raises:
        ValidationError: The end has passed, the user bans themselves, or there is a newer ban.
    """
    check_ban(user_id=user_id, until=until, by=by)
    try:
        return _ban(room_id, user_id, until, reason, keep_longer, seen)
    except IntegrityError:  # Another request has just created the entry: change that one.
        return _ban(room_id, user_id, until, reason, keep_longer, seen)


def lift_ban(*, room_id: int, user_id: str, seen: Collection[str] | None = None) -> Membership | None:
    """Lift a ban; the user keeps the role from before. `seen`: see `ban_user`.

    Returns:
        The entry before the change; None if there was no ban.

    Raises:
        ValidationError: There is a newer ban.
    """
    with transaction.atomic(using=database()):
        membership = access.membership_of(room_id, user_id, lock=True)
        if membership is None or membership.banned_until is None:
            return None
        _check_seen(membership, seen)
        if membership.is_member:
            services.set_membership(room_id=room_id, user_id=user_id, role=membership.role)
        else:
            services.remove_membership(room_id=room_id, user_id=user_id)
    return membership


def change_membership(
    *, room_id: int, user_id: str, seen_until: datetime | None, by: str | None = None, **changes: Any
) -> tuple[Membership, Membership]:
    """Set some of role, banned_until and ban_reason, as a form does.

    Args:
        seen_until: The end of the ban that the form showed; a newer ban is not changed.

    Returns:
        The entry before and after the change.

    Raises:
        ValidationError: A value is not allowed, or there is a newer ban.
        Membership.DoesNotExist: The entry was deleted.
    """
    with transaction.atomic(using=database()):
        before = access.membership_of(room_id, user_id, lock=True)
        if before is None:
            raise Membership.DoesNotExist
        if BAN_FIELDS & changes.keys():
            if _in_seconds(before.banned_until) != _in_seconds(seen_until):
                raise newer_ban(before, RELOAD)
            _check_end(user_id, changes.get("banned_until"), by)
        current = {name: getattr(before, name) for name in ("role", *BAN_FIELDS)}
        return before, services.set_membership(room_id=room_id, user_id=user_id, **(current | changes))


def add_membership(
    *, room_id: int, user_id: str, role: str = Membership.Role.MEMBER, by: str | None = None, **ban: Any
) -> Membership:
    """Add a user to a room. Raises ValidationError for a member and for a banned user: it does not lift bans."""
    with transaction.atomic(using=database()):
        before = access.membership_of(room_id, user_id, lock=True)
        if before is not None and before.is_banned:
            raise newer_ban(before, RELOAD)
        if before is not None and before.is_member:
            raise ValidationError(_("%(user)s is already a member."), params={"user": before.user})
        _check_end(user_id, ban.get("banned_until"), by)
        return services.set_membership(room_id=room_id, user_id=user_id, role=role, **ban)


def remove_membership(*, room_id: int, user_id: str, seen_until: datetime | None) -> Membership | None:
    """Delete the membership and ban. Returns the entry, if there was one. `seen_until`: see `change_membership`."""
    with transaction.atomic(using=database()):
        before = access.membership_of(room_id, user_id, lock=True)
        if before is None:
            return None
        if before.is_banned and _in_seconds(before.banned_until) != _in_seconds(seen_until):
            raise newer_ban(before, RELOAD)
        services.remove_membership(room_id=room_id, user_id=user_id)
    return before


def check_ban(*, user_id: str, until: datetime, by: str | None) -> None:
    """Raise ValidationError for an end in the past and for a ban of oneself."""
    if until <= timezone.now():
        raise ValidationError(_("The end of the ban is in the past."), code=BAD_END)
    if by is not None and users.key_of(by) == users.key_of(user_id):
        raise ValidationError(_("You cannot ban yourself."))


def version_of(ban: Membership) -> str:
    """The version of a ban: it changes with the end of the ban."""
    return f"{ban.pk}-{'' if ban.banned_until is None else utc(ban.banned_until).timestamp()}"


def end_of(ban: Membership) -> str:
    """The end of a ban as text; empty without a ban."""
    return "" if ban.banned_until is None else text_of(ban.banned_until)


def text_of(until: datetime) -> str:
    return f"{timezone.localtime(utc(until)):%Y-%m-%d %H:%M %Z}"


def newer_ban(ban: Membership, remedy: str | Promise) -> ValidationError:
    """The error for a form that has not seen this ban. `remedy`: advice to the user."""
    if not ban.is_banned:
        text = _("The ban of %(user)s was lifted since this page was opened.") % {"user": ban.user}
        return ValidationError(f"{text} {RELOAD}")
    values = {"user": ban.user, "end": end_of(ban), "reason": ban.ban_reason}
    if ban.ban_reason:
        text = _("%(user)s is banned until %(end)s (reason: %(reason)s).") % values
    else:
        text = _("%(user)s is banned until %(end)s.") % values
    unchanged = _("This page did not show that ban, so nothing was changed.")
    return ValidationError(f"{text} {unchanged} {remedy}")


def _ban(
    room_id: int, user_id: str, until: datetime, reason: str, keep_longer: bool, seen: Collection[str] | None
) -> Membership:
    with transaction.atomic(using=database()):
        before = access.membership_of(room_id, user_id, lock=True)
        role = Membership.Role.NONE if before is None else before.role
        if before is not None and before.banned_until is not None and before.is_banned:
            _check_seen(before, seen)
            if keep_longer:
                until, reason = max(until, before.banned_until), reason.strip() or before.ban_reason
        return services.set_membership(
            room_id=room_id, user_id=user_id, role=role, banned_until=until, ban_reason=reason
        )


def _check_seen(ban: Membership, seen: Collection[str] | None) -> None:
    if seen is not None and version_of(ban) not in seen:
        raise newer_ban(ban, AGAIN)


def _check_end(user_id: str, until: datetime | None, by: str | None) -> None:
    if until is not None and until > timezone.now():
        check_ban(user_id=user_id, until=until, by=by)


def _in_seconds(time: datetime | None) -> datetime | None:
    """Forms show whole seconds."""
    return None if time is None else time.replace(microsecond=0)
