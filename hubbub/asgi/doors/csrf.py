"""Django's protection against forged requests, for a POST that acts by a cookie."""

from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware, get_token

from hubbub import threads
from hubbub.asgi.doors.answers import Header


class _Check(CsrfViewMiddleware):
    """Without CSRF_FAILURE_VIEW: it answers pages, and may need a thread, the user or a form."""

    def _reject(self, request: Any, reason: str) -> HttpResponse:
        return HttpResponse(status=403)


async def new_token(scope: dict[str, Any]) -> tuple[str, list[Header]]:
    """Make a token for the header `X-CSRFToken` of later requests of a user who is signed in, or of a visitor.

    Returns:
        The token, and the headers that set its cookie.

    Raises:
        Refused, DatabaseError, BadRequest, SuspiciousOperation: with CSRF_USE_SESSIONS, the session cannot be saved.
    """

    def make() -> tuple[str, list[Header]]:
        tokens: list[str] = []

        def view(request: Any) -> HttpResponse:
            tokens.append(get_token(request))
            return HttpResponse()

        answer: Any = _Check(view)
        if settings.CSRF_USE_SESSIONS:
            answer = SessionMiddleware(answer)
        cookies = answer(_request(scope)).cookies.values()
        return tokens[0], [(b"set-cookie", morsel.OutputString().encode("latin-1")) for morsel in cookies]

    # Sessions are in the database; else no thread is needed.
    return await threads.write(make) if settings.CSRF_USE_SESSIONS else make()


async def is_valid(scope: dict[str, Any]) -> bool:
    """Whether the request has a token that belongs to its cookie, and comes from a page of this site.

    Raises:
        Refused, DatabaseError: with CSRF_USE_SESSIONS, the session cannot be read.
    """

    def check() -> bool:
        request = _request(scope)
        middleware = _Check(_view)
        try:
            if settings.CSRF_USE_SESSIONS:
                SessionMiddleware(_view).process_request(request)
            middleware.process_request(request)
            return middleware.process_view(request, _view, (), {}) is None
        except DisallowedHost:
            return False

    return await threads.read(check) if settings.CSRF_USE_SESSIONS else check()


def _request(scope: dict[str, Any]) -> Any:
    return ASGIRequest({**scope, "type": "http"}, BytesIO())


def _view(request: Any) -> HttpResponse:
    return HttpResponse()
