"""The identity of a socket: its user by a session or an access token, read at connect and again later.

Synchronous; each function is one thread hop. Nothing here writes.
"""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY, get_user_model, load_backend
from django.contrib.auth.backends import ModelBackend
from django.views.decorators.debug import sensitive_variables

from hubbub import users
from hubbub.auth import own_sign_in
from hubbub.auth.authenticator import SignIn, Visitor
from hubbub.auth.own_sign_in import Expiry, Unchanged
from hubbub.auth.sessions import StoredSession, is_signed_in, proof_of, read_sessions
from hubbub.auth.tokens import find_usable_token, scopes_of
from hubbub.models import AccessToken
from hubbub.process.security_log import Kind, log_event
from hubbub.process.times import now as utc_now
from hubbub.process.times import utc
from hubbub.protocol import Person
from hubbub.queries import database_of, read_users, rows_by


@dataclass(frozen=True, slots=True)
class Identity:
    """A user and the credential that admits them. `permitted`: the user may use the endpoint.

    An anonymous visitor has the user id "", and no credential.
    """

    user_id: str
    name: str
    permitted: bool
    session_key: str | None = field(default=None, repr=False)
    token_id: int | None = None
    # Of a sign-in of the project's own; "": it lives by its expiry alone.
    credential: str | None = field(default=None, repr=False)
    # Of the token; None: all scopes, as for a session.
    scopes: frozenset[str] | None = None
    # When the session or token expires, with its time zone; None: never.
    expires_at: datetime | None = None
    # A hash of the session and the password: while it is the same, the session need not be decoded again.
    # None: validity may depend on more than these.
    proof: int | None = None
    picture: str = ""
    status: str = ""

    @property
    def is_anonymous(self) -> bool:
        """Whether it is an anonymous visitor."""
        return not self.user_id

    @property
    def person(self) -> Person:
        """As others see the user; a visitor has no id."""
        return Person(self.user_id or None, self.name, self.picture, self.status)

    def has_any_scope(self, scopes: Set[str]) -> bool:
        """Whether it has one of `scopes`; True if `scopes` is empty."""
        return self.scopes is None or not scopes or not scopes.isdisjoint(self.scopes)

    def has_expired(self, now: datetime) -> bool:
        """Whether its credential has expired at the time `now`."""
        return self.expires_at is not None and self.expires_at <= now

    def covers(self, other: "Identity") -> bool:
        """Whether it has all scopes of `other`."""
        return self.scopes is None or (other.scopes is not None and other.scopes <= self.scopes)


VISITOR = Identity(user_id="", name="", permitted=True)


@sensitive_variables()
def identify_session(session_key: str, permission: str | None) -> Identity | None:
    """Find the user of a session, as strictly as django.contrib.auth.get_user. None: the session is not valid.

    Unlike get_user it never writes: that would renew a session whose hash is by a fallback key, and a socket cannot
    send the browser the new cookie.
    """
    session = read_sessions([session_key]).get(session_key)
    if session is None:
        return None
    values = session.values()
    key, backend_path = users.key_of(values.get(SESSION_KEY)), values.get(BACKEND_SESSION_KEY, "")
    if key is None or backend_path not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = _load_user(backend_path, key)
    if user is None or not users.is_active(user) or not is_signed_in(user, values):
        return None
    credential = {"session_key": session_key, "expires_at": session.expires_at, "proof": proof_of(user, session)}
    return _identity(user, permission, **credential)


@sensitive_variables()
def identify_token(text: str, permission: str | None) -> Identity | None:
    """Find the user of the token `hub_<id>_<secret>`. None: the token is not valid. See `find_usable_token`."""
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
        expires_at=_expiry_of(token),
        scopes=scopes_of(token),
    )


@sensitive_variables()
def identify_own(method: str, argument: Any, permission: str | None) -> Identity | None:
    """Find the user by the project's own sign-in; VISITOR for a visitor. None: not signed in.

    Args:
        method: `from_request` or `from_token`.
        argument: of the method.
        permission: of the endpoint.

    Raises:
        Refused, DatabaseError: see `own_sign_in.ask`.
    """
    answer = own_sign_in.ask(method, argument)
    if answer is None:
        return None
    if isinstance(answer, Visitor):
        return replace(VISITOR, permitted=permission is None)
    if not users.is_active(answer.user):
        detail = f"{method} returned an inactive user"
        log_event(Kind.TOKEN_REFUSED, user=users.id_of(answer.user), detail=detail)
        return None
    identity = _identity(answer.user, permission, **_own_credential(answer))
    if identity.session_key is not None:
        return revalidate([identity], {identity.user_id: answer.user})[identity]
    return None if identity.has_expired(utc_now()) else identity


def _own_credential(answer: SignIn) -> dict[str, Any]:
    return {
        "session_key": answer.session_key,
        "credential": None if answer.session_key else answer.credential,
        "expires_at": own_sign_in.time_of(answer.expires_at),
        "scopes": None if answer.scopes is None else frozenset(answer.scopes),
    }


# Sockets that are already admitted


@sensitive_variables()
def renew(identities: Collection[Identity], permission: str | None) -> dict[Identity, Identity | None]:
    """Read the identities again, in a few queries for all of them. None: the credential is not valid any more."""
    people = _load_users({identity.user_id for identity in identities})
    permitted = _permitted(people, permission)
    return {
        before: now and replace(now, permitted=now.user_id in permitted, **users.shown_of(people[now.user_id]))
        for before, now in revalidate(identities, people).items()
    }


@sensitive_variables()
def revalidate(identities: Collection[Identity], people: Mapping[str, Any]) -> dict[Identity, Identity | None]:
    """As `renew`, without permissions, for callers that have read the users already.

    At most two queries, and those of the project's own `renew`.

    A service calls it within its transaction, so a revocation takes effect with its commit.

    Args:
        identities: any number.
        people: the users by id.

    Returns:
        Each identity with its present state; None: the credential is not valid any more.

    Raises:
        Refused: `unavailable`: the project's own `renew` has failed.
    """
    sessions = read_sessions({identity.session_key for identity in identities if identity.session_key})
    token_ids = {identity.token_id for identity in identities if identity.token_id}
    tokens = {token.pk: token for token in rows_by(AccessToken, pk=token_ids)}
    valid = own_sign_in.still_valid({identity.credential for identity in identities if identity.credential})
    now = utc_now()
    renewed: dict[Identity, Identity | None] = {}
    for identity in identities:
        user = people.get(identity.user_id)
        if identity.is_anonymous:
            renewed[identity] = identity
        elif user is None or not users.is_active(user):
            renewed[identity] = None
        elif identity.session_key is not None:
            renewed[identity] = _by_session(identity, user, sessions.get(identity.session_key))
        elif identity.credential is not None:
            renewed[identity] = _by_credential(identity, valid, now)
        else:
            renewed[identity] = _by_token(identity, user, tokens.get(identity.token_id or 0), now)
    return renewed


@sensitive_variables()
def _by_session(identity: Identity, user: Any, session: StoredSession | None) -> Identity | None:
    if session is None:
        return None
    proof = proof_of(user, session)
    # Decoding a session costs more than all other steps.
    if (proof is None or proof != identity.proof) and not is_signed_in(user, session.values()):
        return None
    if (session.expires_at, proof) == (identity.expires_at, identity.proof):
        return identity
    return replace(identity, expires_at=session.expires_at, proof=proof)


def _by_credential(identity: Identity, valid: Mapping[str, Expiry], now: datetime) -> Identity | None:
    if identity.credential:
        if identity.credential not in valid:
            return None
        expires_at = valid[identity.credential]
        if not isinstance(expires_at, Unchanged) and expires_at != identity.expires_at:
            identity = replace(identity, expires_at=expires_at)
    return None if identity.has_expired(now) else identity


def _by_token(identity: Identity, user: Any, token: AccessToken | None, now: datetime) -> Identity | None:
    if token is None or token.user_id != user.pk or not token.is_usable(now):
        return None
    return replace(identity, expires_at=_expiry_of(token), scopes=scopes_of(token))


def _expiry_of(token: AccessToken) -> datetime | None:
    return None if token.expires_at is None else utc(token.expires_at)


def with_permission(ids: Set[str], permission: str) -> Collection[str]:
    """The active users among `ids` that have the permission. Two queries, where Django's own tables decide."""
    active = {user_id: user for user_id, user in _load_users(ids).items() if users.is_active(user)}
    return _permitted(active, permission)


def _permitted(people: Mapping[str, Any], permission: str | None) -> Collection[str]:
    if permission is None:
        return people.keys()
    [path, *other_paths] = settings.AUTHENTICATION_BACKENDS
    backend: Any = load_backend(path)
    if not other_paths and type(backend) is ModelBackend and users.are_permissions_plain():
        # Includes inactive users, which `revalidate` drops: not every user table has a column for that.
        is_active: Any = None
        pks = [user.pk for user in people.values()]
        found = backend.with_perm(permission, is_active=is_active).using(database_of(get_user_model()))
        keys = set(found.filter(pk__in=pks).values_list("pk", flat=True))
        return {user_id for user_id, user in people.items() if user.pk in keys}
    return {user_id for user_id, user in people.items() if users.has_perm(user, permission)}


def _identity(user: Any, permission: str | None, **credential: Any) -> Identity:
    return Identity(
        user_id=users.id_of(user),
        permitted=users.has_perm(user, permission),
        **users.shown_of(user),
        **credential,
    )


def _load_users(ids: Collection[str]) -> dict[str, Any]:
    keys = {user_id: key for user_id in ids if (key := users.key_of(user_id)) is not None}
    backends = [load_backend(path) for path in settings.AUTHENTICATION_BACKENDS]
    if all(map(_has_default_get_user, backends)):
        rows = read_users(set(keys.values()))
        people = {user_id: rows.get(key) for user_id, key in keys.items()}
    else:
        people = {
            user_id: next(filter(None, (backend.get_user(key) for backend in backends)), None)
            for user_id, key in keys.items()
        }
    return {user_id: user for user_id, user in people.items() if user is not None}


def _load_user(backend_path: str, key: Any) -> Any:
    """As the backend's `get_user`."""
    backend = load_backend(backend_path)
    return read_users([key]).get(key) if _has_default_get_user(backend) else backend.get_user(key)


def _has_default_get_user(backend: Any) -> bool:
    """Whether `get_user` is Django's own, so that the model's manager alone decides."""
    return type(backend).get_user is ModelBackend.get_user
