"""Who a socket is: by session cookie with a checked Origin, or by access token.

Synchronous functions that read the database run in one thread hop. Nothing here writes at connect.
"""

import hashlib
import secrets
from collections.abc import Collection, Iterable, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model, load_backend
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import UserManager
from django.contrib.sessions.backends.db import SessionStore as DatabaseSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Q
from django.http import parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.http import is_same_domain
from django.views.decorators.debug import sensitive_variables

from realtime.models import AccessToken

TOKEN_PREFIX = "hub"  # noqa: S105 - not a secret: the word that tokens begin with
TOKEN_CHARS = 200
TOKEN_DIGITS = 18  # More than a database's integer holds.
NO_SHA256 = "-" * 64  # As long as one, and none.
NOTE_USE_EVERY = timedelta(minutes=1)
LOAD_SESSION = f"SELECT session_data FROM {Session._meta.db_table} WHERE session_key = %s AND expire_date > %s"  # noqa: S608
LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]  # Django's own default under DEBUG.


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a socket belongs to, and what lets it in. `permitted`: may use the endpoint."""

    user_id: int
    name: str
    permitted: bool
    session_key: str | None = None
    token_id: int | None = None
    # What the token was given; None: everything, as for a session.
    scopes: frozenset[str] | None = None

    def has_any_scope(self, scopes: Set[str]) -> bool:
        """Whether it has one of them; where none is asked for, it has."""
        return self.scopes is None or not scopes or not scopes.isdisjoint(self.scopes)


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
    session = _load_session(session_key)
    try:
        user_id = get_user_model()._meta.pk.to_python(session[SESSION_KEY])
        backend_path = session[BACKEND_SESSION_KEY]
    except KeyError:
        return None
    if backend_path not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = _load_user(backend_path, user_id)
    if user is None or not user.is_active:
        return None
    if hasattr(user, "get_session_auth_hash"):
        kept = session.get(HASH_SESSION_KEY) or ""
        hashes: Iterable[str] = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
        if not any(constant_time_compare(kept, one) for one in hashes):
            return None
    return _identity(user, permission, session_key=session_key)


@sensitive_variables()
def _load_session(session_key: str) -> Any:
    """The session's values; none for a session that does not exist or has expired.

    Of Django's own database sessions by a query written by hand, as in `_load_user`: building the two anew costs more
    than half of all that a handshake takes, and after a restart everybody comes at once.
    """
    store = import_module(settings.SESSION_ENGINE).SessionStore
    if store is not DatabaseSession:
        return store(session_key)
    if not (session_key.isascii() and session_key.isalnum()):
        return {}  # No key of Django's, and nothing that a database should be asked for.
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(LOAD_SESSION, [session_key, now])
        row = cursor.fetchone()
    return store().decode(row[0]) if row else {}


def _load_user(backend_path: str, user_id: Any) -> Any:
    """As the backend's `get_user`."""
    backend = load_backend(backend_path)
    model = get_user_model()
    manager = model._default_manager
    # Only where nothing of the project's own decides who is found.
    if type(backend) is not ModelBackend or type(manager) is not UserManager:
        return backend.get_user(user_id)
    query = f"SELECT * FROM {model._meta.db_table} WHERE {model._meta.pk.column} = %s"  # noqa: S608 - our own names
    found = list(manager.raw(query, [user_id]))
    return found[0] if found else None


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
    row = tokens.values_list("secret_sha256", "expires_at", "revoked_at", "user__is_active").first()
    kept, expires_at, revoked_at, is_active = row or (NO_SHA256, None, None, False)
    is_right = constant_time_compare(_sha256(secret), kept)
    is_usable = revoked_at is None and is_active and (expires_at is None or expires_at > timezone.now())
    if not (is_right and is_usable):
        return None
    token = AccessToken.objects.select_related("user").filter(pk=token_id_of(text)).first()
    if token is None:
        return None
    return _identity(token.user, permission, token_id=token.pk, scopes=frozenset(token.scopes.split()))


def note_token_use(token_id: int) -> None:
    """Remember that the token was used, to the minute: reconnecting clients must not write each time."""
    now = timezone.now()
    AccessToken.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=now - NOTE_USE_EVERY), pk=token_id).update(
        last_used_at=now
    )


def _identity(
    user: Any,
    permission: str | None,
    *,
    session_key: str | None = None,
    token_id: int | None = None,
    scopes: frozenset[str] | None = None,
) -> Identity:
    return Identity(
        user_id=user.pk,
        name=user.get_username(),
        permitted=permission is None or user.has_perm(permission),
        session_key=session_key,
        token_id=token_id,
        scopes=scopes,
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
