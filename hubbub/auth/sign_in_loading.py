"""Loads the class that `HUBBUB["AUTHENTICATE"]` names, and refuses one that cannot work."""

import functools
import inspect
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from hubbub.auth.authenticator import Authenticator
from hubbub.process.importing import CannotImport, load
from hubbub.process.refusals import BadDeclaration, CannotServe

# By method, its argument.
METHODS = {"from_request": "request", "from_token": "token", "renew": "credentials"}
FIRST_HALF = ("from_request", "from_token")


@functools.cache
def load_authenticator(path: str) -> Authenticator:
    """Make an object of the class at the dotted path.

    Raises:
        ImproperlyConfigured: it cannot be imported, or is no sign-in that can work. The text is one line.
    """
    where = f'HUBBUB["AUTHENTICATE"]={path!r}'
    try:
        found = load(where, *path.rsplit(".", 1))
    except (BadDeclaration, CannotImport, CannotServe) as error:
        raise ImproperlyConfigured(str(error).rstrip(".")) from None
    if not (isinstance(found, type) and issubclass(found, Authenticator)):
        raise ImproperlyConfigured(f"{where}: it is no subclass of hubbub.auth.Authenticator")
    try:
        made = found()
    except Exception as error:  # noqa: BLE001 - a class of the project's
        cause = " ".join(str(error).split()) or type(error).__name__
        raise ImproperlyConfigured(f"{where}: it cannot be made without arguments: {cause}") from None
    for name, argument in METHODS.items():
        method = getattr(made, name)
        if inspect.iscoroutinefunction(method):
            raise ImproperlyConfigured(f"{where}: {name} runs in a thread: write `def` instead of `async def`")
        if not _takes_one(method):
            raise ImproperlyConfigured(f"{where}: {name} is no method with one argument: def {name}(self, {argument})")
    if all(getattr(found, name) is getattr(Authenticator, name) for name in FIRST_HALF):
        raise ImproperlyConfigured(f"{where}: it has neither from_request nor from_token")
    return made


def _takes_one(method: Any) -> bool:
    try:
        inspect.signature(method).bind(None)
    except (TypeError, ValueError):
        return False
    return True
