"""Identities of sockets and programs, and permissions of many users at once.

The names are loaded when they are used first: some need models.
"""

from typing import TYPE_CHECKING

from hubbub.process.lazy_names import lazy_names

if TYPE_CHECKING:
    from hubbub.auth.identity import Identity, revalidate, with_permission
    from hubbub.auth.pages import missing_for_pages

__all__ = ["Identity", "missing_for_pages", "revalidate", "with_permission"]

__getattr__ = lazy_names(
    __name__,
    {
        "Identity": "hubbub.auth.identity",
        "missing_for_pages": "hubbub.auth.pages",
        "revalidate": "hubbub.auth.identity",
        "with_permission": "hubbub.auth.identity",
    },
)
