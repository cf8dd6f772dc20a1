"""Sign-in of a project's own: a subclass of `Authenticator`, named in the settings. docs/sign-in.md shows how."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import Any

from django.http import parse_cookie

from hubbub import users
from hubbub.auth.origin import headers_of
from hubbub.publish import publish_users_changed


class Visitor(Enum):
    """The type of ANONYMOUS."""

    ANONYMOUS = "anonymous"


ANONYMOUS = Visitor.ANONYMOUS


@dataclass(frozen=True, slots=True)
class SignIn:
    """A user, and what the connection lives by: at least one of `credential`, `session_key` and `expires_at`.

    Attributes:
        user: an active, saved user of the site's model.
        credential: a text of your own, such as the id of a token. `Authenticator.renew` says whether it is still valid.
        session_key: a session of Django; the engine itself checks it again.
        expires_at: a datetime, or the seconds since 1970; the socket is closed then. None: no fixed time.
        scopes: the scopes of the connection, as for an access token. None: all.
    """

    user: Any
    credential: str = field(default="", repr=False)
    session_key: str | None = field(default=None, repr=False)
    expires_at: datetime | float | None = None
    scopes: Collection[str] | None = None


# None: not signed in by this; the next way is tried.
Answer = SignIn | Visitor | None


class SignInRequest:
    """A handshake.

    Attributes:
        scope: of ASGI, as middleware has left it.
    """

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self.scope = dict(scope)

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers by name in lower case; several of one name are joined by commas."""
        found: dict[str, str] = {}
        for name, value in self.scope["headers"]:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            found[key] = f"{found[key]}, {text}" if key in found else text
        return found

    @cached_property
    def cookies(self) -> dict[str, str]:
        """The cookies by name, without those that have control characters: a database may raise for one."""
        found = parse_cookie("; ".join(value.decode("latin-1") for value in headers_of(self.scope, b"cookie")))
        return {name: value for name, value in found.items() if value.isprintable()}

    @property
    def user(self) -> Any:
        """The user that a middleware such as `AuthMiddlewareStack` has set; None: there is no such middleware."""
        return self.scope.get("user")


class Authenticator:
    """Signs users in. All methods run in threads; the ORM is allowed.

    An exception is logged and closes the socket with 1011, or with 4103 while the database is away. A method that takes
    longer than four seconds closes it with 4103.
    """

    def from_request(self, request: SignInRequest) -> Answer:
        """The user of a handshake, by its cookies, headers or `user`. Counts only from pages of the own Origin.

        Args:
            request: the handshake.

        Returns:
            The sign-in; ANONYMOUS: a visitor, where the endpoint has public topics; None: neither.
        """
        return None

    def from_token(self, token: str) -> Answer:
        """The user of a token of the first message, or of `Authorization: Bearer` or `Token`, from any Origin.

        Args:
            token: from the client, perhaps long or empty. It is printable, and does not begin with `hub_`.

        Returns:
            As `from_request`; None: the token is not valid.
        """
        return None

    def renew(self, credentials: Collection[str]) -> Collection[str]:
        """Find the credentials that are still valid, in as few queries as possible.

        Asked about all open sockets at each sweep, about those of a user after a hint, and in the transaction of each
        command that writes. It must not wait for anything but the database.

        Args:
            credentials: of sign-ins, each once.

        Returns:
            Those that are still valid. A dictionary gives each a new `expires_at`.
        """
        raise NotImplementedError("a sign-in with a credential needs `renew`")


def credentials_changed(changed: Collection[Any] | None) -> None:
    """Check the sockets of these users again at once, on all processes, after the commit of an open transaction.

    Args:
        changed: users whose credentials have ended or changed. None: all users.
    """
    publish_users_changed(None if changed is None else [users.id_of(user) for user in changed])
