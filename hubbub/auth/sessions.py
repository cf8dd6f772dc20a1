"""Sessions as they are on record, many by one query. Reads only: a socket cannot give a browser a new cookie."""

import functools
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from importlib import import_module
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import parse_cookie
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

from hubbub import users
from hubbub.auth.origin import headers_of
from hubbub.queries import rows_by


class StoredSession:
    """One session that has not expired. `text`: what is kept, as it is; it changes with what it says."""

    __slots__ = ("_values", "expires_at", "text")

    def __init__(self, text: str, expires_at: datetime | None, values: dict[str, Any] | None = None) -> None:
        self.text = text
        self.expires_at = expires_at
        self._values = values

    def values(self) -> dict[str, Any]:
        """What it says; empty when it was not written by us. Worked out at each call."""
        if self._values is not None:
            return self._values
        decoded: dict[str, Any] = store()().decode(self.text)
        return decoded


def store() -> Any:
    """The class of the configured session engine."""
    return import_module(settings.SESSION_ENGINE).SessionStore


def model() -> Any:
    """The model behind the engine; None for one that keeps its sessions elsewhere."""
    return _model_of(settings.SESSION_ENGINE)


@functools.cache
def _model_of(engine: str) -> Any:
    find = getattr(import_module(engine).SessionStore, "get_model_class", None)
    return find() if find is not None else None


@sensitive_variables()
def read_sessions(keys: Collection[str]) -> dict[str, StoredSession]:
    """Those of the sessions that exist and have not expired, by key.

    From the database itself, also where the engine has a cache before it: what was ended there may live on in that.
    """
    kept = model()
    if kept is None:
        return _load_one_by_one(keys)
    # No key of Django's otherwise, and nothing that a database should be asked for.
    wanted = [key for key in keys if key.isascii() and key.isalnum()]
    now = timezone.now()
    return {
        row.session_key: StoredSession(row.session_data, row.expire_date)
        for row in rows_by(kept, session_key=wanted)
        if row.expire_date > now
    }


@sensitive_variables()
def _load_one_by_one(keys: Collection[str]) -> dict[str, StoredSession]:
    found = {}
    for key in keys:
        session = store()(key)
        if values := dict(session.items()):
            # When it ends is known only to where it is kept.
            found[key] = StoredSession(repr(sorted(values.items())), None, values)
    return found


def session_key_of(scope: dict[str, Any]) -> str | None:
    """The session cookie of a handshake; None when there is none. It may be empty or not valid any more."""
    cookies = parse_cookie("; ".join(value.decode("latin-1") for value in headers_of(scope, b"cookie")))
    return cookies.get(settings.SESSION_COOKIE_NAME)


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
def proof_of(user: Any, session: StoredSession) -> int | None:
    """Of what the session and the password are now; None: more than these may decide. See `Identity.proof`."""
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
