"""Sign-in of a project's own, access tokens, identities of sockets, and permissions of many users at once.

The names are loaded when they are used first: some need models.
"""

from typing import TYPE_CHECKING

from hubbub.process.lazy_names import lazy_names

if TYPE_CHECKING:
    from hubbub.auth.authenticator import ANONYMOUS, Authenticator, SignIn, SignInRequest, credentials_changed
    from hubbub.auth.identity import Identity, revalidate, with_permission
    from hubbub.auth.issuing import create_token, revoke_token
    from hubbub.auth.pages import missing_for_pages
    from hubbub.auth.permissions import has_permission

__all__ = [
    "ANONYMOUS",
    "Authenticator",
    "Identity",
    "SignIn",
    "SignInRequest",
    "create_token",
    "credentials_changed",
    "has_permission",
    "missing_for_pages",
    "revalidate",
    "revoke_token",
    "with_permission",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ANONYMOUS": "hubbub.auth.authenticator",
        "Authenticator": "hubbub.auth.authenticator",
        "Identity": "hubbub.auth.identity",
        "SignIn": "hubbub.auth.authenticator",
        "SignInRequest": "hubbub.auth.authenticator",
        "create_token": "hubbub.auth.issuing",
        "credentials_changed": "hubbub.auth.authenticator",
        "has_permission": "hubbub.auth.permissions",
        "missing_for_pages": "hubbub.auth.pages",
        "revalidate": "hubbub.auth.identity",
        "revoke_token": "hubbub.auth.issuing",
        "with_permission": "hubbub.auth.identity",
    },
)
