"""Django's protection against forged requests, for a POST that acts by a cookie."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware, get_token

from hubbub import threads
from hubbub.asgi.doors.answers import Header
from hubbub.auth.sessions import session_key_of, store

T = TypeVar("T")


async def new_token(scope: dict[str, Any]) -> tuple[str, list[Header]]:
    """A token for the header `X-CSRFToken` of later requests, and the headers that set its cookie, if it is new."""

    def make() -> tuple[str, list[Header]]:
        request, middleware = _request(scope)
        token = get_token(request)
        response = middleware.process_response(request, HttpResponse())
        cookies = [morsel.OutputString().encode("latin-1") for morsel in response.cookies.values()]
        if settings.CSRF_USE_SESSIONS and request.session.modified:
            request.session.save()
        return token, [(b"set-cookie", cookie) for cookie in cookies]

    return await _run(make)


async def is_valid(scope: dict[str, Any]) -> bool:
    """Whether the request has a token that belongs to its cookie, and comes from a page of this site."""

    def check() -> bool:
        request, middleware = _request(scope)
        try:
            return middleware.process_view(request, _view, (), {}) is None
        except DisallowedHost:
            return False

    return await _run(check)


def _request(scope: dict[str, Any]) -> tuple[Any, CsrfViewMiddleware]:
    request: Any = ASGIRequest({**scope, "type": "http"}, BytesIO())
    if settings.CSRF_USE_SESSIONS:
        request.session = store()(session_key_of(scope))
    middleware = CsrfViewMiddleware(lambda _: HttpResponse())
    middleware.process_request(request)
    return request, middleware


def _view(request: Any) -> HttpResponse:
    return HttpResponse()


async def _run(call: Callable[[], T]) -> T:
    """Sessions are in the database; else no thread is needed."""
    return await threads.read(call) if settings.CSRF_USE_SESSIONS else call()
