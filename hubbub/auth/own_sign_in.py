"""The configured `Authenticator`: loads it, calls it, and checks its answers. For threads, unless it says otherwise."""

import functools
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.views.decorators.debug import sensitive_variables

from hubbub import conf, users
from hubbub.auth.authenticator import ANONYMOUS, Answer, Authenticator, SignIn
from hubbub.auth.sign_in_loading import load_authenticator
from hubbub.process.log_once import LogOnce
from hubbub.process.times import utc
from hubbub.protocol import ErrorCode, Refused

T = TypeVar("T")


class Unchanged:
    """In place of an expiry: it stays as it is."""


UNCHANGED = Unchanged()

Expiry = datetime | None | Unchanged


def configured_path() -> str | None:
    """The dotted path in the settings; None: there is no sign-in of the project's own."""
    return conf.settings().authenticate or None


def authenticator() -> Authenticator | None:
    """The configured one; None: there is none. Raises ImproperlyConfigured, with one line. Also for the event loop."""
    path = configured_path()
    return None if path is None else load_authenticator(path)


def log_of(method: str) -> LogOnce:
    """The failures of a method. Also for the event loop."""
    return _log_of(configured_path(), method)


@functools.cache
def _log_of(path: str | None, method: str) -> LogOnce:
    return LogOnce(f"sign-in by {path}: {method}")


@sensitive_variables()
def ask(method: str, argument: Any) -> Answer:
    """Call a method of the first half. A token with control characters is none: a database may raise for one.

    Returns:
        Its answer; of a valid form.

    Raises:
        Refused: by the method; `internal` after any other exception and for a wrong answer, which is logged.
        DatabaseError: the database is away.
    """
    if isinstance(argument, str) and not argument.isprintable():
        return None
    return _logged(method, lambda own: _checked(method, getattr(own, method)(argument), own))


@sensitive_variables()
def still_valid(credentials: Collection[str]) -> Mapping[str, Expiry]:
    """Ask which credentials are still valid.

    Returns:
        Those by their text, each with its expiry.

    Raises:
        Refused: `unavailable`: it cannot tell, which is logged.
        DatabaseError: the database is away.
    """
    if not credentials:
        return {}
    try:
        return _logged("renew", lambda own: _expiries(own.renew(credentials)))
    except Refused as refused:
        detail = "the sign-in cannot be checked; try again"
        raise Refused(ErrorCode.UNAVAILABLE, detail, retry_after_ms=1000) from refused


def time_of(expires_at: Any) -> datetime | None:
    """An `expires_at` with its time zone. Raises TypeError, ValueError, OverflowError."""
    if expires_at is None:
        return None
    if isinstance(expires_at, int | float) and not isinstance(expires_at, bool):
        expires_at = datetime.fromtimestamp(expires_at, UTC)
    if not isinstance(expires_at, datetime):
        raise TypeError(f"expires_at is of type {_type_of(expires_at)}: a datetime, or seconds since 1970, is needed")
    return utc(expires_at)


def _logged(method: str, call: Callable[[Authenticator], T]) -> T:
    """Call it with the configured authenticator, and log a failure once."""
    try:
        own = authenticator()
        if own is None:
            raise ImproperlyConfigured("HUBBUB['AUTHENTICATE'] is not set any more")
        answer = call(own)
    except (Refused, DatabaseError):
        raise
    except Exception as error:
        log_of(method).failed(repr(error), with_traceback=True)
        raise Refused(ErrorCode.INTERNAL, "internal error; the server has logged it") from error
    log_of(method).recovered()
    return answer


@sensitive_variables()
def _checked(method: str, answer: Any, own: Authenticator) -> Answer:
    """Raises TypeError, ValueError: the answer is of no use."""
    if answer is None or answer is ANONYMOUS:
        return answer
    if not isinstance(answer, SignIn):
        raise TypeError(f"{method} returned {_type_of(answer)}: a SignIn, ANONYMOUS or None is needed")
    model = get_user_model()
    if not isinstance(answer.user, model):
        raise TypeError(f"{method}: SignIn.user is of type {_type_of(answer.user)}: a {model.__name__} is needed")
    if answer.user.pk is None or not users.id_of(answer.user):
        raise ValueError(f"{method}: SignIn.user is not saved")
    for name, expected in (("credential", str), ("session_key", str | None)):
        if not isinstance(value := getattr(answer, name), expected):
            raise TypeError(f"{method}: SignIn.{name} is of type {_type_of(value)}: a str is needed")
    time_of(answer.expires_at)
    if answer.scopes is not None and (isinstance(answer.scopes, str) or not _are_texts(answer.scopes)):
        raise TypeError(f"{method}: SignIn.scopes is a collection of str, or None")
    if not (answer.credential or answer.session_key or answer.expires_at is not None):
        raise ValueError(f"{method}: SignIn needs a credential, a session_key or expires_at: it would never end")
    if answer.session_key and (answer.credential or answer.expires_at is not None):
        raise ValueError(f"{method}: SignIn has a session_key, and so neither credential nor expires_at")
    if answer.credential and type(own).renew is Authenticator.renew:
        raise TypeError(f"{method}: SignIn.credential: the class has no `renew`, which checks it again")
    return answer


@sensitive_variables()
def _expiries(answer: Any) -> dict[str, Expiry]:
    if answer is None or isinstance(answer, str):
        raise TypeError(f"renew returned {_type_of(answer)}: a collection of the valid credentials is needed")
    if isinstance(answer, Mapping):
        found: dict[str, Expiry] = {key: time_of(value) for key, value in answer.items()}
    else:
        found = dict.fromkeys(answer, UNCHANGED)
    if not _are_texts(found):
        raise TypeError("renew returned a credential that is no str: the same texts as in SignIn are needed")
    return found


def _are_texts(values: Collection[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _type_of(value: object) -> str:
    # Not the value: it may be a secret.
    return type(value).__name__
