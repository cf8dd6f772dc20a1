"""Origin check: same origin, trusted origins, and the scheme behind a proxy."""

from typing import Any

import pytest

from hubbub.auth.origin import is_own_origin
from tests.support.scopes import HOST, scope

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture
def hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = [HOST, "[::1]"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.example.net", "https://*.partner.example:8443"]


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (f"http://{HOST}", HOST),
        (f"http://{HOST}", f"{HOST}:80"),
        (f"http://{HOST}:8000", f"{HOST}:8000"),
        (f"http://{HOST.upper()}", HOST),
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://app.example.net", HOST),
        ("https://a.partner.example:8443", HOST),
        ("https://partner.example:8443", HOST),  # As Django reads a wildcard: the domain itself too.
    ],
)
def test_its_own_and_trusted_origins_are_taken(origin: str, host: str) -> None:
    assert is_own_origin(scope(origin=origin, host=host))


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize(
    ("attack", "origin", "host"),
    [
        ("no origin", None, HOST),
        ("null, of a sandboxed frame", "null", HOST),
        ("another site", "http://evil.example", HOST),
        ("another port", f"http://{HOST}:8001", f"{HOST}:8000"),
        ("another scheme", f"https://{HOST}", HOST),
        ("a subdomain", f"http://evil.{HOST}", HOST),
        ("a host that ends alike", f"http://evil{HOST}", HOST),
        ("a host that begins alike", f"http://{HOST}.evil.example", HOST),
        ("the host as a user name", f"http://{HOST}@evil.example", HOST),
        ("a path", f"http://{HOST}/x", HOST),
        ("a port that is none", f"http://{HOST}:x", HOST),
        ("not a URL", "http://[", HOST),
        ("empty", "", HOST),
        ("a file", "file://", HOST),
        ("a host that is not allowed", "http://evil.example", "evil.example"),
        ("no host", f"http://{HOST}", ""),
        ("a trusted host by another scheme", "http://app.example.net", HOST),
        ("a trusted host on another port", "https://app.example.net:444", HOST),
        ("beside a wildcard", "https://evilpartner.example:8443", HOST),
    ],
)
def test_another_origin_is_refused(attack: str, origin: str | None, host: str) -> None:
    assert not is_own_origin(scope(origin=origin, host=host))


@pytest.mark.usefixtures("hosts")
def test_two_origins_or_hosts_are_refused() -> None:
    assert not is_own_origin(scope(headers=[(b"origin", f"http://{HOST}".encode())]))
    assert not is_own_origin(scope(headers=[(b"host", HOST.encode())]))


@pytest.mark.usefixtures("hosts")
def test_behind_tls_the_configured_header_says_the_scheme(settings: Any) -> None:
    forwarded = [(b"x-forwarded-proto", b"https")]
    secure = scope(origin=f"https://{HOST}", headers=forwarded)
    assert not is_own_origin(secure)
    assert is_own_origin(scope(origin=f"https://{HOST}", scheme="wss"))
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert is_own_origin(secure)
    assert not is_own_origin(scope(headers=forwarded))
