"""The Origin check of a handshake: whether it comes from a page of this site. A leaf."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]  # Django's own default under DEBUG.


def origin_of(scope: dict[str, Any]) -> str:
    """The Origin header as sent, for the log."""
    return ", ".join(value.decode("latin-1") for value in headers_of(scope, b"origin")) or "no origin"


def is_own_origin(scope: dict[str, Any]) -> bool:
    """Whether the handshake's Origin is the request's own scheme, host and port, or a trusted one.

    Browsers send cookies with handshakes of any site: without this check a foreign site would act as the user.
    """
    origins = [value.decode("latin-1") for value in headers_of(scope, b"origin")]
    hosts = [value.decode("latin-1") for value in headers_of(scope, b"host")]
    if len(origins) != 1 or len(hosts) != 1:
        return False
    origin, host = origins[0], hosts[0]
    domain, _port = split_domain_port(host)
    allowed_hosts = settings.ALLOWED_HOSTS or (LOCAL_HOSTS if settings.DEBUG else [])
    if not domain or not validate_host(domain, allowed_hosts):
        return False
    return _origin(origin) == _origin(f"{_scheme(scope)}://{host}") is not None or _is_trusted(origin)


def own_origin(scope: dict[str, Any]) -> str | None:
    """The Origin of this site, as a page of it would send it; None: the request has no single host."""
    hosts = headers_of(scope, b"host")
    return f"{_scheme(scope)}://{hosts[0].decode('latin-1')}" if len(hosts) == 1 else None


def headers_of(scope: dict[str, Any], name: bytes) -> list[bytes]:
    """All values of a header. `name`: in lower case."""
    return [value for key, value in scope["headers"] if key == name]


def _scheme(scope: dict[str, Any]) -> str:
    # As HttpRequest.scheme: SECURE_PROXY_SSL_HEADER decides if it is set.
    if settings.SECURE_PROXY_SSL_HEADER:
        header, secure = settings.SECURE_PROXY_SSL_HEADER
        values = headers_of(scope, header.removeprefix("HTTP_").replace("_", "-").lower().encode())
        if values:
            return "https" if values[0].decode("latin-1").split(",")[0].strip() == secure else "http"
    return "https" if scope.get("scheme") in ("https", "wss") else "http"


def _origin(text: str) -> tuple[str, str, int] | None:
    """(scheme, host, port); None: not an http origin, such as `null`."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    default_ports = {"http": 80, "https": 443}
    if parts.scheme not in default_ports or not parts.hostname or parts.path or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname, port or default_ports[parts.scheme]


def _is_trusted(origin: str) -> bool:
    parsed = _origin(origin)
    if parsed is None:
        return False
    scheme, host, port = parsed
    for pattern in settings.CSRF_TRUSTED_ORIGINS:
        # A wildcard host, as in https://*.example.org, is Django's own syntax.
        trusted = _origin(pattern.rstrip("/").replace("://*.", "://"))
        if trusted is None or (scheme, port) != (trusted[0], trusted[2]):
            continue
        if host == trusted[1] if "*" not in pattern else is_same_domain(host, f".{trusted[1]}"):
            return True
    return False
