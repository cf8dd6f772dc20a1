"""Who a socket is: by session cookie with a checked Origin, or by access token.

Synchronous functions that read the database run in one thread hop. Nothing here writes at connect.
"""

import functools
import hashlib
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Q
from django.http import parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.http import is_same_domain
from django.views.decorators.debug import sensitive_variables

from hubbub import users
from hubbub.models import AccessToken
from hubbub.publish import publish_users_changed
from hubbub.rows import rows_by
from hubbub.sessions import Kept, read_sessions

TOKEN_PREFIX = "hub"  # noqa: S105 - not a secret: the word that tokens begin with
TOKEN_CHARS = 200
TOKEN_DIGITS = 18  # More than a database's integer holds.
NO_SHA256 = "-" * 64  # As long as one, and none.
NOTE_USE_EVERY = timedelta(minutes=1)
LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]  # Django's own default under DEBUG.


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


# By session cookie


def session_key_of(scope: dict[str, Any]) -> str | None:
    """The session cookie of a handshake; None when there is none. It may be empty or not valid any more."""
    cookies = parse_cookie("; ".join(value.decode("latin-1") for value in _headers(scope, b"cookie")))
    return cookies.get(settings.SESSION_COOKIE_NAME)


def origin_of(scope: dict[str, Any]) -> str:
    """The handshake's Origin as it came, for the log."""
    return ", ".join(value.decode("latin-1") for value in _headers(scope, b"origin")) or "no origin"


def is_own_origin(scope: dict[str, Any]) -> bool:
    """Whether the handshake's Origin is the request's own scheme, host and port, or a trusted one.

    A browser sends cookies along with any site's handshake: without this, that site would speak as the user.
    """
    origins = [value.decode("latin-1") for value in _headers(scope, b"origin")]
    hosts = [value.decode("latin-1") for value in _headers(scope, b"host")]
    if len(origins) != 1 or len(hosts) != 1:
        return False
    origin, host = origins[0], hosts[0]
    domain, _port = split_domain_port(host)
    allowed_hosts = settings.ALLOWED_HOSTS or (LOCAL_HOSTS if settings.DEBUG else [])
    if not domain or not validate_host(domain, allowed_hosts):
        return False
    return _origin(origin) == _origin(f"{_scheme(scope)}://{host}") is not None or _is_trusted(origin)


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
    return _identity(user, permission, session_key=session_key, expires_at=kept.expires_at, proof=_proof_of(user, kept))


@sensitive_variables()
def is_signed_in(user: Any, session: dict[str, Any]) -> bool:
    """Whether the session is the user's, of the password that they have now."""
    if session.get(SESSION_KEY) != users.id_of(user):
        return False
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return False
    if not hasattr(user, "get_session_auth_hash"):
        return True
    kept = session.get(HASH_SESSION_KEY) or ""
    fallbacks = getattr(user, "get_session_auth_fallback_hash", tuple)
    hashes: Iterable[str] = [user.get_session_auth_hash(), *fallbacks()]
    return any(constant_time_compare(kept, one) for one in hashes)


@sensitive_variables()
def _proof_of(user: Any, session: Kept) -> int | None:
    model: Any = type(user)
    read_fields = _reader_of_hash_fields(model)
    return None if read_fields is None else hash((session.text, read_fields(user)))


@functools.cache
def _reader_of_hash_fields(model: Any) -> Callable[[Any], Any] | None:
    """Reads the fields that the session hash of such users is made of; None: they are not known.

    A model with a hash of its own names them as SESSION_HASH_FIELDS, in the class that defines the hash.
    """
    method = "get_session_auth_hash"
    definer = next((one for one in model.__mro__ if method in vars(one)), object)
    fields = ("password",) if definer is AbstractBaseUser else vars(definer).get("SESSION_HASH_FIELDS", ())
    return attrgetter(*fields) if fields else None


def _load_user(backend_path: str, key: Any) -> Any:
    """As the backend's `get_user`."""
    backend = load_backend(backend_path)
    return users.read_users([key]).get(key) if _finds_plainly(backend) else backend.get_user(key)


def _finds_plainly(backend: Any) -> bool:
    """Whether the model's manager alone decides who is found."""
    return type(backend).get_user is ModelBackend.get_user


# By access token


def known_scopes() -> dict[str, str]:
    """What a token can be given, with what that allows: `settings.TOKEN_SCOPES`."""
    return getattr(settings, "TOKEN_SCOPES", {})


@sensitive_variables()
def create_token(
    *, user: Any, name: str, expires_at: datetime | None, scopes: Collection[str] | None = None
) -> tuple[AccessToken, str]:
    """A new token of `user`, and its text, which is not kept and cannot be had again. `scopes` None: all there are."""
    given = known_scopes() if scopes is None else scopes
    if unknown := set(given) - set(known_scopes()):
        raise ValueError(f"no such scope: {', '.join(sorted(unknown))}")
    secret = secrets.token_urlsafe(32)
    token = AccessToken.objects.create(
        user=user, name=name, expires_at=expires_at, secret_sha256=_sha256(secret), scopes=" ".join(sorted(given))
    )
    return token, f"{TOKEN_PREFIX}_{token.pk}_{secret}"


def revoke_token(token: AccessToken) -> None:
    """From now on the token lets nobody in. Revoking twice keeps the first time."""
    AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
    transaction.on_commit(lambda: publish_users_changed([users.id_of_key(token.user_id)]), robust=True)


def revoke_tokens_of(user: Any) -> int:
    """Revoke all tokens of the user that are not revoked yet; how many those were."""
    count = AccessToken.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())
    transaction.on_commit(lambda: publish_users_changed([users.id_of(user)]), robust=True)
    return count


def token_id_of(text: str) -> int:
    """The number of the token `hub_<id>_<secret>`; 0, which none has, of what does not look like one."""
    prefix, _, rest = text[:TOKEN_CHARS].partition("_")
    number = rest.partition("_")[0]
    if prefix != TOKEN_PREFIX or not (number.isascii() and number.isdigit()) or len(number) > TOKEN_DIGITS:
        return 0
    return int(number)


@sensitive_variables()
def identify_token(text: str, permission: str | None) -> Identity | None:
    """Who the token `hub_<id>_<secret>` belongs to; None: unknown, wrong, expired, revoked, or its user is inactive.

    All of these take the same steps, so that nobody learns from the time which of them it is.
    """
    secret = text[: TOKEN_CHARS + 1].partition("_")[2].partition("_")[2]
    tokens = AccessToken.objects.filter(pk=token_id_of(text)).order_by()
    active = ["user__is_active"] if users.is_active_a_column() else []
    row = tokens.values_list("secret_sha256", "expires_at", "revoked_at", *active).first()
    kept, expires_at, revoked_at, is_active = (*row, True)[:4] if row else (NO_SHA256, None, None, False)
    is_right = constant_time_compare(_sha256(secret), kept)
    is_usable = revoked_at is None and is_active and (expires_at is None or expires_at > timezone.now())
    if not (is_right and is_usable):
        return None
    token = AccessToken.objects.filter(pk=token_id_of(text)).first()
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
        scopes=_scopes_of(token),
    )


def _scopes_of(token: AccessToken) -> frozenset[str]:
    return frozenset(token.scopes.split())


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
                replace(one, expires_at=token.expires_at, scopes=_scopes_of(token)) if token and usable else None
            )
    return found


@sensitive_variables()
def _renewed(identity: Identity, user: Any, session: Kept | None) -> Identity | None:
    if session is None:
        return None
    proof = _proof_of(user, session)
    # To decode a session costs more than all the rest.
    if (proof is None or proof != identity.proof) and not is_signed_in(user, session.values()):
        return None
    if (session.expires_at, proof) == (identity.expires_at, identity.proof):
        return identity
    return replace(identity, expires_at=session.expires_at, proof=proof)


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


def note_token_use(token_id: int) -> None:
    """Remember that the token was used, to the minute: reconnecting clients must not write each time."""
    now = timezone.now()
    AccessToken.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=now - NOTE_USE_EVERY), pk=token_id).update(
        last_used_at=now
    )


def _identity(user: Any, permission: str | None, **credential: Any) -> Identity:
    return Identity(
        user_id=users.id_of(user),
        name=users.name_of(user),
        permitted=users.has_perm(user, permission),
        **credential,
    )


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _headers(scope: dict[str, Any], name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


def _scheme(scope: dict[str, Any]) -> str:
    # As HttpRequest.scheme: the header that settings name decides, where they name one.
    if settings.SECURE_PROXY_SSL_HEADER:
        header, secure = settings.SECURE_PROXY_SSL_HEADER
        values = _headers(scope, header.removeprefix("HTTP_").replace("_", "-").lower().encode())
        if values:
            return "https" if values[0].decode("latin-1").split(",")[0].strip() == secure else "http"
    return "https" if scope.get("scheme") in ("https", "wss") else "http"


def _origin(text: str) -> tuple[str, str, int] | None:
    """(scheme, host, port), or None for what is not an http origin, such as `null`."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    default_ports = {"http": 80, "https": 443}
    if parts.scheme not in default_ports or not parts.hostname or parts.path or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname, port or default_ports[parts.scheme]


def _is_trusted(origin: str) -> bool:
    parsed = _origin(origin)
    if parsed is None:
        return False
    scheme, host, port = parsed
    for one in settings.CSRF_TRUSTED_ORIGINS:
        # A wildcard host, as in https://*.example.org, is Django's own syntax.
        trusted = _origin(one.rstrip("/").replace("://*.", "://"))
        if trusted is None or (scheme, port) != (trusted[0], trusted[2]):
            continue
        if host == trusted[1] if "*" not in one else is_same_domain(host, f".{trusted[1]}"):
            return True
    return False
