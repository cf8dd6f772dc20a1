"""Who a socket belongs to: by a session or by an access token, and as that is now.

Synchronous functions that read the database run in one thread hop. Nothing here writes at connect.
"""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.auth.backends import ModelBackend
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from hubbub import users
from hubbub.auth.sessions import StoredSession, is_signed_in, proof_of, read_sessions
from hubbub.auth.tokens import find_usable_token, scopes_of
from hubbub.models import AccessToken
from hubbub.queries import rows_by


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a socket belongs to, and what lets it in. `permitted`: may use the endpoint."""

    user_id: str
    name: str
    permitted: bool
    session_key: str | None = None
    token_id: int | None = None
    # What the token was given; None: everything, as for a session.
    scopes: frozenset[str] | None = None
    # When the session or the token ends by itself; None: never.
    expires_at: datetime | None = None
    # Of what the session and the password were when it was looked at: as long as both are the same, so is the verdict.
    # None: more than these may decide.
    proof: int | None = None

    def has_any_scope(self, scopes: Set[str]) -> bool:
        """Whether it has one of them; where none is asked for, it has."""
        return self.scopes is None or not scopes or not scopes.isdisjoint(self.scopes)

    def covers(self, other: "Identity") -> bool:
        """Whether it has all the scopes that the other one has."""
        return self.scopes is None or (other.scopes is not None and other.scopes <= self.scopes)


@sensitive_variables()
def identify_session(session_key: str, permission: str | None) -> Identity | None:
    """Who the session belongs to, as strictly as django.contrib.auth.get_user; None: it lets nobody in.

    Unlike get_user this never writes: it would renew the session of a user whose hash is by a fallback key, and a
    socket cannot give the browser the new cookie.
    """
    kept = read_sessions([session_key]).get(session_key)
    if kept is None:
        return None
    values = kept.values()
    key, backend_path = users.key_of(values.get(SESSION_KEY)), values.get(BACKEND_SESSION_KEY, "")
    if key is None or backend_path not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = _load_user(backend_path, key)
    if user is None or not users.is_active(user) or not is_signed_in(user, values):
        return None
    return _identity(user, permission, session_key=session_key, expires_at=kept.expires_at, proof=proof_of(user, kept))


@sensitive_variables()
def identify_token(text: str, permission: str | None) -> Identity | None:
    """Who the token `hub_<id>_<secret>` belongs to; None: it lets nobody in. See `find_usable_token`."""
    token = find_usable_token(text)
    if token is None:
        return None
    user_id = users.id_of_key(token.user_id)
    user = _load_users([user_id]).get(user_id)
    if user is None or not users.is_active(user):
        return None
    return _identity(
        user,
        permission,
        token_id=token.pk,
        expires_at=token.expires_at,
        scopes=scopes_of(token),
    )


# Of those who are in already


@sensitive_variables()
def renew(identities: Collection[Identity], permission: str | None) -> dict[Identity, Identity | None]:
    """The identities as they are now; None: it lets nobody in any more. A few queries for all of them."""
    found = _load_users({one.user_id for one in identities})
    permitted = _permitted(found, permission)
    return {
        one: now and replace(now, name=users.name_of(found[now.user_id]), permitted=now.user_id in permitted)
        for one, now in look_again(identities, found).items()
    }


@sensitive_variables()
def look_again(identities: Collection[Identity], people: Mapping[str, Any]) -> dict[Identity, Identity | None]:
    """As `renew`, without permissions, for callers that have read the users already, by id: two queries at most.

    For a command that changes something, within its transaction: from the moment of the change it is refused.
    """
    sessions = read_sessions({one.session_key for one in identities if one.session_key})
    tokens = {one.pk: one for one in rows_by(AccessToken, pk={one.token_id for one in identities if one.token_id})}
    now = timezone.now()
    found: dict[Identity, Identity | None] = {}
    for one in identities:
        user = people.get(one.user_id)
        if user is None or not users.is_active(user):
            found[one] = None
        elif one.session_key is not None:
            found[one] = _renewed(one, user, sessions.get(one.session_key))
        else:
            token = tokens.get(one.token_id or 0)
            usable = token is not None and token.user_id == user.pk and token.is_usable(now)
            found[one] = (
                replace(one, expires_at=token.expires_at, scopes=scopes_of(token)) if token and usable else None
            )
    return found


@sensitive_variables()
def _renewed(identity: Identity, user: Any, session: StoredSession | None) -> Identity | None:
    if session is None:
        return None
    proof = proof_of(user, session)
    # To decode a session costs more than all the rest.
    if (proof is None or proof != identity.proof) and not is_signed_in(user, session.values()):
        return None
    if (session.expires_at, proof) == (identity.expires_at, identity.proof):
        return identity
    return replace(identity, expires_at=session.expires_at, proof=proof)


def with_permission(ids: Set[str], permission: str) -> Collection[str]:
    """Of these users, those who are active and have the permission. Two queries where Django's own tables decide."""
    return _permitted({one: user for one, user in _load_users(ids).items() if users.is_active(user)}, permission)


def _permitted(people: Mapping[str, Any], permission: str | None) -> Collection[str]:
    if permission is None:
        return people.keys()
    [path, *others] = settings.AUTHENTICATION_BACKENDS
    backend: Any = load_backend(path)
    if not others and type(backend) is ModelBackend and users.are_permissions_plain():
        # Inactive ones are found as well: `look_again` drops them, and not every table says who is active.
        everybody: Any = None
        allowed = backend.with_perm(permission, is_active=everybody).filter(pk__in=[one.pk for one in people.values()])
        keys = set(allowed.values_list("pk", flat=True))
        return {user_id for user_id, user in people.items() if user.pk in keys}
    return {user_id for user_id, user in people.items() if users.has_perm(user, permission)}


def _identity(user: Any, permission: str | None, **credential: Any) -> Identity:
    return Identity(
        user_id=users.id_of(user),
        name=users.name_of(user),
        permitted=users.has_perm(user, permission),
        **credential,
    )


def _load_users(ids: Collection[str]) -> dict[str, Any]:
    keys = {user_id: key for user_id in ids if (key := users.key_of(user_id)) is not None}
    backends = [load_backend(path) for path in settings.AUTHENTICATION_BACKENDS]
    if all(map(_finds_plainly, backends)):
        rows = users.read_users(set(keys.values()))
        found = {user_id: rows.get(key) for user_id, key in keys.items()}
    else:
        found = {
            user_id: next(filter(None, (one.get_user(key) for one in backends)), None) for user_id, key in keys.items()
        }
    return {user_id: user for user_id, user in found.items() if user is not None}


def _load_user(backend_path: str, key: Any) -> Any:
    """As the backend's `get_user`."""
    backend = load_backend(backend_path)
    return users.read_users([key]).get(key) if _finds_plainly(backend) else backend.get_user(key)


def _finds_plainly(backend: Any) -> bool:
    """Whether the model's manager alone decides who is found."""
    return type(backend).get_user is ModelBackend.get_user
