"""Middleware for rules on requests and responses that Django 5.2 has no settings for."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import get_user
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.functional import SimpleLazyObject

from project.page_policy import policy_of

GetResponse = Callable[[HttpRequest], HttpResponse]

HEADERS = {
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    # Other sites may not embed images, or detect from them whether a user is signed in.
    "Cross-Origin-Resource-Policy": "same-origin",
}


def security_headers(get_response: GetResponse) -> GetResponse:
    """Set HEADERS and the policy of the page on each response that does not have them."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", policy_of(request.path_info))
        return response

    return middleware


def no_store(get_response: GetResponse) -> GetResponse:
    """Forbid browsers and proxies to store responses, unless the view sets a Cache-Control.

    A stored page would show again with "Back" after signing out. Static files have a Cache-Control of their own.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "no-store, private")
        return response

    return middleware


def keep_session_key(get_response: GetResponse) -> GetResponse:
    """Keep the session key when Django signs a session again after a change of SECRET_KEY.

    Django would give the session another key at its first request after the change. That would end the open sockets of
    the browser, and its concurrent requests.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.SECRET_KEY_FALLBACKS:
            user: Any = SimpleLazyObject(lambda: _get_user(request))
            request.user = user
        return get_response(request)

    return middleware


def _get_user(request: HttpRequest) -> Any:
    session: Any = request.session
    # Only during this call: a sign-in must change the key.
    session.cycle_key = _keep
    try:
        return get_user(request)
    finally:
        del session.cycle_key


def _keep() -> None:
    """Replaces `cycle_key`."""


def no_nul(get_response: GetResponse) -> GetResponse:
    """Refuse a NUL in an address or a cookie, which a query on PostgreSQL would answer with an error.

    Form fields refuse it themselves.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        if (
            "\0" in request.path
            or "%00" in query
            or "\0" in query
            or any("\0" in cookie for cookie in request.COOKIES.values())
        ):
            raise BadRequest("an address or a cookie contains the character NUL")
        return get_response(request)

    return middleware


def utf8_forms(get_response: GetResponse) -> GetResponse:
    """Refuse a form in another encoding than UTF-8. Browsers send only UTF-8.

    Django would decode a multipart form with any codec of Python, which may fail, or return text that no database
    accepts: both would be server errors.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if (request.content_params or {}).get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            request.POST = QueryDict()  # The error page would read the form for its token.
            raise BadRequest("a form is not in UTF-8")
        return get_response(request)

    return middleware
