"""The routes of sockets: their checks, their names, unknown paths, and page requests to the address of a socket."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, re_path
from django.utils.module_loading import import_string

from hubbub.delivery.asgi_outbox import send_denial

Application = Callable[[Any, Any, Any], Awaitable[None]]

UPGRADE = b"This is the address of a WebSocket: send the header Upgrade: websocket (RFC 6455).\n"
SOCKETS = "ws/"  # The prefix of all socket paths.
EXAMPLE = 'path("ws/polls/", live(PollTopic).as_asgi(), name="polls")'

# Those of `hubbub.asgi.application` by name; None: it has not been called.
_named: dict[str, URLPattern] | None = None


async def _refuse_path(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send_denial(scope, send, 404)


# The last route of a URLRouter: a socket on an unknown path gets 404, instead of a traceback in the log.
refuse_unknown_path = re_path(r"", _refuse_path)  # type: ignore[arg-type]


def with_upgrade_required(pages: Application, sockets: Sequence[Any]) -> Application:
    """Wrap `pages` so that a page request to the address of a socket gets 426.

    Args:
        pages: the ASGI application for HTTP.
        sockets: the routes of the sockets.
    """

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        if path.startswith(SOCKETS) and (path == SOCKETS or any(route.pattern.match(path) for route in sockets)):
            await _require_upgrade(scope, send)
        else:
            await pages(scope, receive, send)

    return wrapped


async def _require_upgrade(scope: Any, send: Any) -> None:
    """Send 426 with the required protocol: RFC 9110 section 15.5.22."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(UPGRADE)),
        (b"upgrade", b"websocket"),
        (b"connection", b"Upgrade"),
    ]
    await send({"type": "http.response.start", "status": 426, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else UPGRADE})


# Names


def socket_routes() -> dict[str, URLPattern]:
    """Return the routes of sockets by name. If no application is composed yet, load settings.ASGI_APPLICATION.

    Returns:
        By name: the route; `str(route.pattern)` is its path, without a leading slash. Routes without a name, and those
        within a nested `URLRouter`, are left out.

    Raises:
        ImproperlyConfigured: ASGI_APPLICATION is not set, or cannot be loaded.
    """
    if _named is None:
        path = getattr(settings, "ASGI_APPLICATION", None)
        if not path:
            raise ImproperlyConfigured(
                "ASGI_APPLICATION is not set, and it has the routes: ASGI_APPLICATION = 'mysite.asgi.application'."
            )
        try:
            import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(f"ASGI_APPLICATION={path!r} cannot be loaded: {error}.") from error
    return dict(_named or {})


def remember(routes: Sequence[Any]) -> None:
    """Keep the routes for `socket_routes`, beside those of an application that was composed before."""
    global _named
    _named = {**(_named or {}), **{route.name: route for route in routes if route.name}}


# Checks


def check_routes(http: Any, routes: Any) -> list[URLPattern]:
    """Return the routes as a list. Raises ImproperlyConfigured: they, or the application `http`, cannot work."""
    if not callable(http) or inspect.isclass(http):
        raise _wrong(f"http={http!r} is no application: pass the result of django.core.asgi.get_asgi_application()")
    if not isinstance(routes, list | tuple):
        raise _wrong(f"routes={routes!r} is no list: write [{EXAMPLE}]")
    by_path: dict[str, Any] = {}
    by_name: dict[str, Any] = {}
    for number, route in enumerate(routes):
        _check_route(number, route)
        address = str(route.pattern)
        if address in by_path:
            raise _wrong(f"routes: two have the path {address!r}, and only the first is ever reached")
        if route.name and route.name in by_name:
            raise _wrong(
                f"routes: {by_name[route.name]!r} and {address!r} have the name {route.name!r}: each has its own"
            )
        by_path[address] = by_name[route.name] = address
    return list(routes)


def _check_route(number: int, route: Any) -> None:
    if isinstance(route, URLResolver):
        raise _wrong(f"routes[{number}]={str(route.pattern)!r} is an include(): list its routes themselves")
    if not isinstance(route, URLPattern):
        raise _wrong(f"routes[{number}]={route!r} has no path: write {EXAMPLE}")
    address = str(route.pattern)
    if address.startswith(("/", "^/")):
        raise _wrong(f"routes: the path {address!r} is never reached: write it without the leading slash")
    if inspect.isclass(route.callback):
        name = route.callback.__name__
        raise _wrong(f"routes: {address!r} leads to the class {name}: write {name}.as_asgi()")


def _wrong(problem: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"hubbub.asgi.application: {problem}.")
