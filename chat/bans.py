"""Keeping somebody out of a room for a time, and letting them in again. Writes by services alone."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from chat import access, services
from chat.models import Membership
from hubbub import users


def ban_user(
    *,
    room_id: int,
    user_id: str,
    until: datetime,
    reason: str = "",
    by: str | None = None,
    keep_longer: bool = False,
) -> Membership:
    """Nobody of that id enters or reads the room until then; a ban of before is replaced.

    With `keep_longer` a ban is never shortened, and keeps its reason unless another is given.

    A member stays one, with their role; somebody who is none does not become one, neither now nor when the ban ends.
    `by`: the id of the user who bans, who cannot be the same. Raises ValidationError.
    """
    check_ban(user_id=user_id, until=until, by=by)
    try:
        return _ban(room_id, user_id, until, reason, keep_longer)
    except IntegrityError:  # Somebody else made the entry a moment ago: now it is there to be changed.
        return _ban(room_id, user_id, until, reason, keep_longer)


def lift_ban(*, room_id: int, user_id: str) -> None:
    """The user is again what they were before the ban; nothing happens if there is none."""
    with transaction.atomic():
        membership = access.membership_of(room_id, user_id, lock=True)
        if membership is None:
            return
        if membership.is_member:
            services.set_membership(room_id=room_id, user_id=user_id, role=membership.role)
        else:
            services.remove_membership(room_id=room_id, user_id=user_id)


def check_ban(*, user_id: str, until: datetime, by: str | None) -> None:
    """Raises ValidationError for a ban that nobody can mean."""
    if until <= timezone.now():
        raise ValidationError("The end of the ban has passed already.")
    if by is not None and users.key_of(by) == users.key_of(user_id):
        raise ValidationError("You cannot ban yourself.")


def _ban(room_id: int, user_id: str, until: datetime, reason: str, keep_longer: bool) -> Membership:
    with transaction.atomic():
        before = access.membership_of(room_id, user_id, lock=True)
        role = Membership.Role.NONE if before is None else before.role
        if keep_longer and before is not None and before.banned_until is not None and before.is_banned:
            until, reason = max(until, before.banned_until), reason.strip() or before.ban_reason
        return services.set_membership(
            room_id=room_id, user_id=user_id, role=role, banned_until=until, ban_reason=reason
        )
