"""What each request and each answer of the site must keep to, and Django 5.2 has no setting for."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import get_user
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.functional import SimpleLazyObject

GetResponse = Callable[[HttpRequest], HttpResponse]

# Everything is served from here, without inline scripts or styles; 'self' covers same-origin WebSockets too.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    # No other site may show our pictures, or learn from whether they load who is signed in.
    "Cross-Origin-Resource-Policy": "same-origin",
}


def security_headers(get_response: GetResponse) -> GetResponse:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return middleware


def no_store(get_response: GetResponse) -> GetResponse:
    """Have browsers and proxies keep no page, error or download, unless its view has said otherwise.

    What is kept is shown again by "Back" after signing out. Static files come with a Cache-Control of their own.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "no-store, private")
        return response

    return middleware


def keep_session_key(get_response: GetResponse) -> GetResponse:
    """Let a session that was made under a former SECRET_KEY keep its own key when it is signed anew.

    Django signs it anew at its first request after the change, and gives it another key. The open sockets of the
    browser live by the first one and would end; so would requests that were sent at the same time.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.SECRET_KEY_FALLBACKS:
            user: Any = SimpleLazyObject(lambda: _get_user(request))
            request.user = user
        return get_response(request)

    return middleware


def _get_user(request: HttpRequest) -> Any:
    session: Any = request.session
    # For this one call: a sign-in does need another key.
    session.cycle_key = _keep
    try:
        return get_user(request)
    finally:
        del session.cycle_key


def _keep() -> None:
    """Instead of `cycle_key`."""


def no_nul(get_response: GetResponse) -> GetResponse:
    """Refuse a NUL in an address or a cookie: PostgreSQL takes none, so a look-up with it would be an error of ours.

    Fields of forms refuse it by themselves.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        if (
            "\0" in request.path
            or "%00" in query
            or "\0" in query
            or any("\0" in one for one in request.COOKIES.values())
        ):
            raise BadRequest("an address or a cookie contains the character NUL")
        return get_response(request)

    return middleware


def utf8_forms(get_response: GetResponse) -> GetResponse:
    """Refuse a form in another encoding. Browsers send none; Django decodes a multipart form by any that Python has.

    Among those are some that decode no text, and some that make text which no database takes: errors of ours.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if (request.content_params or {}).get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            request.POST = QueryDict()  # The page that says so looks for a token in the form.
            raise BadRequest("a form is not in UTF-8")
        return get_response(request)

    return middleware
