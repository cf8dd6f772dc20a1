"""What each request and each answer of the site must keep to, and Django 5.2 has no setting for."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, QueryDict

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
