"""Response headers that Django 5.2 has no setting for."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# Everything is served from here, without inline scripts or styles; 'self' covers same-origin WebSockets too.
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return middleware
