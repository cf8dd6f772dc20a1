"""The routes of the sockets that this process serves, by name."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern

from hubbub.process.importing import load_application
from hubbub.process.refusals import BadDeclaration, CannotServe

# Those of `hubbub.asgi.application`; None: it has not been called.
_named: dict[str, URLPattern] | None = None
_live_path = ""


def socket_routes() -> dict[str, URLPattern]:
    """Return the routes of sockets by name. If no application is composed yet, load settings.ASGI_APPLICATION.

    Returns:
        By name: the route; `str(route.pattern)` is its path, without a leading slash. Routes without a name, and those
        within a nested `URLRouter`, are left out.

    Raises:
        ImproperlyConfigured: ASGI_APPLICATION is not set, or cannot be loaded.
    """
    if _named is None:
        if not getattr(settings, "ASGI_APPLICATION", None):
            raise ImproperlyConfigured(
                "ASGI_APPLICATION is not set, and it has the routes: ASGI_APPLICATION = 'mysite.asgi.application'."
            )
        try:
            load_application()
        except (BadDeclaration, CannotServe) as error:
            raise ImproperlyConfigured(str(error)) from error
    return dict(_named or {})


def live_path() -> str:
    """The path of the addresses for HTTP, without a leading slash; "" if there are none. Loads as `socket_routes`."""
    socket_routes()
    return _live_path


def remember(routes: Sequence[Any], live_path: str = "") -> None:
    """Keep the routes for `socket_routes`, beside those of an application that was composed before.

    Args:
        routes: of the sockets.
        live_path: of the addresses for HTTP; "": there are none.
    """
    global _named, _live_path
    _live_path = live_path or _live_path
    _named = {**(_named or {}), **{route.name: route for route in routes if route.name}}
