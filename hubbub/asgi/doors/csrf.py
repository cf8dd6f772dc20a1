"""Django's protection against forged requests, for a POST that acts by a cookie."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware, get_token

from hubbub import threads
from hubbub.asgi.doors.answers import Header

T = TypeVar("T")


async def new_token(scope: dict[str, Any]) -> tuple[str, list[Header]]:
    """A token for the header `X-CSRFToken` of later requests, and the headers that set its cookie, if it is new."""

    def make() -> tuple[str, list[Header]]:
        tokens: list[str] = []

        def view(request: Any) -> HttpResponse:
            tokens.append(get_token(request))
            return HttpResponse()

        answer: Any = CsrfViewMiddleware(view)
        if settings.CSRF_USE_SESSIONS:
            answer = SessionMiddleware(answer)
        cookies = answer(_request(scope)).cookies.values()
        return tokens[0], [(b"set-cookie", morsel.OutputString().encode("latin-1")) for morsel in cookies]

    return await _run(make)


async def is_valid(scope: dict[str, Any]) -> bool:
    """Whether the request has a token that belongs to its cookie, and comes from a page of this site."""

    def check() -> bool:
        request = _request(scope)
        middleware = CsrfViewMiddleware(_view)
        try:
            if settings.CSRF_USE_SESSIONS:
                SessionMiddleware(_view).process_request(request)
            middleware.process_request(request)
            return middleware.process_view(request, _view, (), {}) is None
        except DisallowedHost:
            return False

    return await _run(check)


def _request(scope: dict[str, Any]) -> Any:
    return ASGIRequest({**scope, "type": "http"}, BytesIO())


def _view(request: Any) -> HttpResponse:
    return HttpResponse()


async def _run(call: Callable[[], T]) -> T:
    """Sessions are in the database; else no thread is needed."""
    return await threads.read(call) if settings.CSRF_USE_SESSIONS else call()
