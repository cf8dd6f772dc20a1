"""Stored sessions, many per query. Reads only: a socket cannot send a browser a new cookie."""

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
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

from hubbub import users
from hubbub.auth.origin import headers_of
from hubbub.process.times import now, utc
from hubbub.queries import rows_by


class StoredSession:
    """A session that has not expired. `text`: its encoded content."""

    __slots__ = ("_values", "expires_at", "text")

    def __init__(self, text: str, expires_at: datetime | None, values: dict[str, Any] | None = None) -> None:
        self.text = text
        self.expires_at = expires_at
        self._values = values

    def values(self) -> dict[str, Any]:
        """Decode the content, at each call; empty if the signature is wrong."""
        if self._values is not None:
            return self._values
        decoded: dict[str, Any] = store()().decode(self.text)
        return decoded


def store() -> Any:
    """The class of the configured session engine."""
    return import_module(settings.SESSION_ENGINE).SessionStore


def model() -> Any:
    """The model of the engine; None: the engine stores sessions elsewhere."""
    return _model_of(settings.SESSION_ENGINE)


@functools.cache
def _model_of(engine: str) -> Any:
    try:
        store = import_module(engine).SessionStore
    except (ImportError, AttributeError):
        return None  # E003 reports it.
    find = getattr(store, "get_model_class", None)
    return find() if find is not None else None


@sensitive_variables()
def read_sessions(keys: Collection[str]) -> dict[str, StoredSession]:
    """The sessions that exist and have not expired, by key.

    They are read from the database even where the engine has a cache: an ended session may remain in the cache.
    """
    session_model = model()
    if session_model is None:
        return _load_one_by_one(keys)
    # Django makes no other keys; a database may reject them.
    valid = [key for key in keys if key.isascii() and key.isalnum()]
    present = now()
    return {
        row.session_key: StoredSession(row.session_data, expires_at)
        for row in rows_by(session_model, session_key=valid)
        if (expires_at := utc(row.expire_date)) > present
    }


@sensitive_variables()
def _load_one_by_one(keys: Collection[str]) -> dict[str, StoredSession]:
    sessions = {}
    for key in keys:
        session = store()(key)
        if values := dict(session.items()):
            # The engine does not tell when the session expires.
            sessions[key] = StoredSession(repr(sorted(values.items())), None, values)
    return sessions


def session_key_of(scope: dict[str, Any]) -> str | None:
    """The session cookie of a handshake; None: no cookie. It may be empty or invalid."""
    cookies = parse_cookie("; ".join(value.decode("latin-1") for value in headers_of(scope, b"cookie")))
    return cookies.get(settings.SESSION_COOKIE_NAME)


@sensitive_variables()
def is_signed_in(user: Any, session: dict[str, Any]) -> bool:
    """Whether the session belongs to the user and was made with their present password."""
    if session.get(SESSION_KEY) != users.id_of(user):
        return False
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return False
    if not hasattr(user, "get_session_auth_hash"):
        return True
    stored_hash = session.get(HASH_SESSION_KEY) or ""
    fallbacks = getattr(user, "get_session_auth_fallback_hash", tuple)
    hashes: Iterable[str] = [user.get_session_auth_hash(), *fallbacks()]
    return any(constant_time_compare(stored_hash, valid) for valid in hashes)


@sensitive_variables()
def proof_of(user: Any, session: StoredSession) -> int | None:
    """A hash of the session and the password; None: validity may depend on more. See `Identity.proof`."""
    model: Any = type(user)
    read_fields = _reader_of_hash_fields(model)
    return None if read_fields is None else hash((session.text, read_fields(user)))


@functools.cache
def _reader_of_hash_fields(model: Any) -> Callable[[Any], Any] | None:
    """A reader of the user fields that the session hash is made of; None: they are not known.

    A model with its own hash lists them in SESSION_HASH_FIELDS, in the class that defines the hash.
    """
    method = "get_session_auth_hash"
    definer = next((parent for parent in model.__mro__ if method in vars(parent)), object)
    fields = ("password",) if definer is AbstractBaseUser else vars(definer).get("SESSION_HASH_FIELDS", ())
    return attrgetter(*fields) if fields else None
