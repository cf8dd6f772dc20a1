"""Access tokens from code: the public functions of `hubbub.auth`. `tokens` stores and finds them."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from hubbub import users
from hubbub.auth import tokens
from hubbub.auth.own_sign_in import time_of
from hubbub.models import AccessToken


@sensitive_variables()
def create_token(
    user: Any,
    *,
    name: str,
    scopes: Collection[str] | None,
    expires_in: timedelta | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Create an access token, with which a program opens sockets as its user. Not for the event loop.

    Args:
        user: its owner: saved and active.
        name: its purpose, for people: 1 to 80 characters.
        scopes: what it allows: names that topics or `HUBBUB["TOKEN_SCOPES"]` declare, such as ["poll.read"].
            None: all that are known now.
        expires_in: the time for which it is valid; None: see `expires_at`.
        expires_at: the time until which it is valid; without a time zone, it is in that of the settings.
            With neither the token does not expire.

    Returns:
        The token, `hub_<id>_<secret>`. Only its hash is stored: it cannot be shown again.

    Raises:
        ValueError: an argument cannot work; the text is one line that names it.
    """
    _, text = tokens.create_token(
        user=_checked_user(user),
        name=_checked_name(name),
        scopes=_checked_scopes(scopes),
        expires_at=_expiry(expires_in, expires_at),
    )
    return text


@sensitive_variables()
def revoke_token(token: str | AccessToken) -> bool:
    """Revoke an access token. Its open sockets, on all processes, are closed with 4003 after the commit.

    Args:
        token: its whole text, `hub_<id>_<secret>`; or a row of `user.access_tokens`, for code that has no secret.

    Returns:
        Whether it could be used until now; False: it is unknown, wrong, expired or revoked, or its user is inactive.
    """
    found = tokens.find_usable_token(token) if isinstance(token, str) else token
    if found is None:
        return False
    was_usable = AccessToken.objects.usable().filter(pk=found.pk).exists() and users.is_active(found.user)
    tokens.revoke_token(found)
    return was_usable


def _checked_user(user: Any) -> Any:
    model = get_user_model()
    if not isinstance(user, model) or user.pk is None:
        raise ValueError(f"user={user!r}: a saved {model.__name__} is needed")
    if not users.is_active(user):
        raise ValueError(f"user: {users.name_of(user)} is not active: the token would not be valid")
    return user


def _checked_name(name: str) -> str:
    longest = AccessToken._meta.get_field("name").max_length or 0
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= longest or not name.strip().isprintable():
        raise ValueError(f"name={name!r}: a text of 1 to {longest} printable characters is needed")
    return name.strip()


def _checked_scopes(scopes: Collection[str] | None) -> list[str]:
    known = tokens.known_scopes()
    if isinstance(scopes, str):
        raise ValueError(f"scopes={scopes!r}: a list of scopes is needed")
    given = sorted(known if scopes is None else {*scopes})
    if unknown := [scope for scope in given if scope not in known]:
        raise ValueError(f"scopes: {unknown[0]!r} is unknown: known are {', '.join(sorted(known)) or 'none'}")
    longest = AccessToken._meta.get_field("scopes").max_length or 0
    if len(" ".join(given)) > longest:
        raise ValueError(f"scopes: all names together have more than {longest} characters: give the token fewer")
    return given


def _expiry(expires_in: timedelta | None, expires_at: datetime | None) -> datetime | None:
    if expires_in is not None and expires_at is not None:
        raise ValueError("expires_in and expires_at: give one of them")
    now = timezone.now()
    if expires_in is not None:
        if not isinstance(expires_in, timedelta):
            raise ValueError(f"expires_in={expires_in!r}: a timedelta is needed")
        try:
            expires_at = now + expires_in
        except OverflowError:
            raise ValueError(f"expires_in={expires_in!r}: this is too long; None: it does not expire") from None
    if expires_at is None:
        return None
    if not isinstance(expires_at, datetime):
        raise ValueError(f"expires_at={expires_at!r}: a datetime is needed")
    if (moment := time_of(expires_at)) is None or moment <= now:
        given = f"expires_at={expires_at!r}" if expires_in is None else f"expires_in={expires_in!r}"
        raise ValueError(f"{given}: this time is in the past: the token would never be valid")
    return moment
