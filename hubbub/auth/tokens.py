"""Access tokens: create, revoke, look up. Only the hash of a secret is stored."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from hubbub import conf, users
from hubbub.models import AccessToken
from hubbub.process.times import as_stored, now, utc
from hubbub.publish import publish_users_changed
from hubbub.queries import database_of

TOKEN_PREFIX = "hub"  # noqa: S105 - not a secret: the word that tokens begin with
TOKEN_CHARS = 200
TOKEN_DIGITS = 18  # A database's integer has at most 19.
NO_SHA256 = "-" * 64  # Compared where there is no token: same length, never equal.
NOTE_USE_EVERY = timedelta(minutes=1)


ALLOWED = {"read": _("See {topic}."), "write": _("Change {topic}.")}
# Scopes of topics, which declare them: by name, what each allows.
_declared: dict[str, Any] = {}


def declare_scope(name: str, verb: str, topic: str) -> None:
    """Add the scope to `read` or `write` a topic; `HUBBUB["TOKEN_SCOPES"]` may describe it in other words."""
    _declared[name] = format_lazy(ALLOWED[verb], topic=topic)


def known_scopes() -> dict[str, Any]:
    """The scopes that features declare and those of `HUBBUB["TOKEN_SCOPES"]`, each with what it allows.

    The text may be a lazy one.
    """
    return {**_declared, **(conf.settings().token_scopes or {})}


@sensitive_variables()
def create_token(
    *, user: Any, name: str, expires_at: datetime | None, scopes: Collection[str] | None = None
) -> tuple[AccessToken, str]:
    """Create a token.

    Args:
        user: its owner.
        name: for people.
        expires_at: None: never. On a site with USE_TZ off a naive time is in TIME_ZONE.
        scopes: None: all known scopes.

    Returns:
        The token, and its text, which is not stored and cannot be shown again.

    Raises:
        ValueError: an unknown scope.
    """
    given = known_scopes() if scopes is None else scopes
    if unknown := set(given) - set(known_scopes()):
        raise ValueError(f"unknown token scope: {', '.join(sorted(unknown))}")
    secret = secrets.token_urlsafe(32)
    token = AccessToken.objects.create(
        user=user,
        name=name,
        expires_at=None if expires_at is None else as_stored(expires_at),
        secret_sha256=_sha256(secret),
        scopes=" ".join(sorted(given)),
    )
    return token, f"{TOKEN_PREFIX}_{token.pk}_{secret}"


def revoke_token(token: AccessToken) -> None:
    """Revoke the token at once. A second call keeps the first time."""
    AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
    _hint(users.id_of_key(token.user_id))


def revoke_tokens_of(user: Any) -> int:
    """Revoke all tokens of the user. Returns how many were not revoked yet."""
    count = AccessToken.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())
    _hint(users.id_of(user))
    return count


def token_id_of(text: str) -> int:
    """The id in `hub_<id>_<secret>`; 0, which no token has, for any other text."""
    prefix, _, rest = text[:TOKEN_CHARS].partition("_")
    number = rest.partition("_")[0]
    if prefix != TOKEN_PREFIX or not (number.isascii() and number.isdigit()) or len(number) > TOKEN_DIGITS:
        return 0
    return int(number)


@sensitive_variables()
def find_usable_token(text: str) -> AccessToken | None:
    """The token `hub_<id>_<secret>`. None: unknown, wrong, expired, revoked, or its user is inactive.

    All of these cases take the same steps: the response time must not tell them apart.
    """
    secret = text[: TOKEN_CHARS + 1].partition("_")[2].partition("_")[2]
    tokens = AccessToken.objects.using(database_of(AccessToken)).filter(pk=token_id_of(text)).order_by()
    active = ["user__is_active"] if users.is_active_a_column() else []
    row = tokens.values_list("secret_sha256", "expires_at", "revoked_at", *active).first()
    stored_hash, expires_at, revoked_at, is_active = (*row, True)[:4] if row else (NO_SHA256, None, None, False)
    is_right = constant_time_compare(_sha256(secret), stored_hash)
    is_usable = revoked_at is None and is_active and (expires_at is None or utc(expires_at) > now())
    if not (is_right and is_usable):
        return None
    return tokens.first()


def scopes_of(token: AccessToken) -> frozenset[str]:
    """The scopes of the token."""
    return frozenset(token.scopes.split())


def note_token_use(token_id: int) -> None:
    """Save the time of use, at most once a minute: reconnecting clients must not write each time."""
    used_at = timezone.now()
    is_due = Q(last_used_at=None) | Q(last_used_at__lt=used_at - NOTE_USE_EVERY)
    AccessToken.objects.filter(is_due, pk=token_id).update(last_used_at=used_at)


def _hint(user_id: str) -> None:
    using = database_of(AccessToken)
    transaction.on_commit(lambda: publish_users_changed([user_id]), using=using, robust=True)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
