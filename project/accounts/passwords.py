"""Sets passwords: by the user or by a reset link, which works once, for a limited time and for unchanged rights.

The email address for such links is set here as well.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from hubbub import users
from hubbub.auth.tokens import revoke_tokens_of
from project.accounts.models import User


class ResetTokens(PasswordResetTokenGenerator):
    """Django's tokens, which end with the password, the next sign-in and after settings.PASSWORD_RESET_TIMEOUT seconds.

    They also end when the account's rights change: the administrator who made the link may lack the new rights.
    """

    key_salt = "project.accounts.passwords.ResetTokens"

    def check_token(self, user: Any, token: Any) -> bool:
        return user is not None and user.is_active and super().check_token(user, token)

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        rights = [user.is_staff, user.is_superuser, *sorted(user.get_all_permissions())]
        return f"{super()._make_hash_value(user, timestamp)}{rights}"


reset_tokens = ResetTokens()


def reset_link(user: Any, site: str) -> str:
    """The address that lets its holder set a new password. `site`: the scheme and host, as `https://chat.example`."""
    uid = urlsafe_base64_encode(users.id_of(user).encode())
    # Read again: rights cached with the object may be outdated.
    token = reset_tokens.make_token(User.objects.get(pk=user.pk))
    return f"{site}{reverse('reset', args=[uid, token])}"


def lifetime() -> str:
    """The lifetime of a link in words: "24 hours"."""
    minutes = settings.PASSWORD_RESET_TIMEOUT // 60
    hours = minutes // 60
    if minutes >= 120:
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}


def find_by_uid(uid: str) -> User | None:
    """The active user of a reset link."""
    try:
        key = users.key_of(urlsafe_base64_decode(uid).decode())
    except ValueError:
        return None
    return None if key is None else User.objects.filter(pk=key, is_active=True).first()


@sensitive_variables()
def set_password(
    user: Any,
    password: str | None,
    *,
    end_tokens: bool,
    allows: Callable[[User], bool],
    request: HttpRequest | None = None,
) -> bool:
    """Set the password and end all sessions except the request's. False: `allows(user)` is no longer true.

    Saves no other field: they may have changed while the hash was made. None: no password signs in.

    `allows` sees the user under a lock: of two uses of one link at the same time, one succeeds.
    """
    made = make_password(password)  # Before the transaction: SQLite has one writer.
    with transaction.atomic():
        current = _locked(user, allows)
        if current is None:
            return False
        current.password = made
        current.save(update_fields=["password"])
        if end_tokens:
            revoke_tokens_of(current)
        if request is not None:
            # In the transaction: other pages of this browser reconnect as soon as the old session ends.
            update_session_auth_hash(request, current)
    return True


def set_email(user: Any, email: str, *, allows: Callable[[User], bool]) -> bool:
    """Set the email address for reset links. False: `allows(user)`, checked under a lock, is no longer true."""
    with transaction.atomic():
        current = _locked(user, allows)
        if current is None:
            return False
        current.email = email
        current.save(update_fields=["email"])
    return True


def _locked(user: Any, allows: Callable[[User], bool]) -> User | None:
    """The current account, locked until the end of the transaction. None: deleted, or refused by `allows`."""
    current = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    return current if current is not None and allows(current) else None
