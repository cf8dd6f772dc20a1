"""Behind a proxy that ends TLS: all is by https, and cookies too."""

import http.client
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

PASSWORD = "correct horse 7"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    site = Site(tmp_path_factory.mktemp("tls"), HUBBUB_TLS="true", HUBBUB_TRUSTED_PROXIES="127.0.0.1")
    make = f"get_user_model().objects.create_user('alice', password={PASSWORD!r})"
    site.shell(f"from django.contrib.auth import get_user_model; {make}")
    with site.serving("hubbub", 1) as [server]:
        yield server


def ask(server: Server, path: str, fields: dict[str, str] | None = None, **headers: str) -> tuple[int, str, str]:
    """Status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if fields is None:
        connection.request("GET", path, headers=sent)
    else:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("POST", path, urlencode(fields), sent)
    answer = connection.getresponse()
    header_text, body = str(answer.headers), answer.read().decode()
    connection.close()
    return answer.status, header_text, body


@pytest.mark.parametrize("proto", [{}, {"X_Forwarded_Proto": "http"}])
def test_a_request_by_http_is_sent_to_https_and_gets_no_cookie(server: Server, proto: dict[str, str]) -> None:
    status, headers, _ = ask(server, "/account/sign-in/", **proto)
    assert status == 301
    assert f"Location: https://127.0.0.1:{server.port}/account/sign-in/" in headers
    assert "Set-Cookie" not in headers


def test_probes_need_no_https(server: Server) -> None:
    assert ask(server, "/healthz")[0] == 200
    assert ask(server, "/readyz")[0] == 200


def test_cookies_go_by_https_alone_and_browsers_remember_it(server: Server) -> None:
    secure = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "203.0.113.7"}
    status, headers, body = ask(server, "/account/sign-in/", **secure)
    assert status == 200
    assert "Strict-Transport-Security: max-age=31536000\n" in headers
    cookie = re.search(r"Set-Cookie: (csrftoken=\w+);.*", headers)
    assert cookie
    assert "; Secure" in cookie[0]
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', body)
    assert token
    fields = {"csrfmiddlewaretoken": token[1], "username": "alice", "password": PASSWORD}
    came_from = {"Cookie": cookie[1], "Referer": f"https://127.0.0.1:{server.port}/account/sign-in/"}
    status, headers, _ = ask(server, "/account/sign-in/", fields, **secure, **came_from)
    assert status == 302
    session = re.search(r"Set-Cookie: sessionid=.*", headers)
    assert session
    for part in ("; Secure", "; HttpOnly", "; SameSite=Lax"):
        assert part in session[0]
    # A failed try is logged with the address that the proxy saw.
    ask(server, "/account/sign-in/", {**fields, "password": "wrong"}, **secure, **came_from)
    assert "sign_in_failed address=203.0.113.7" in server.log.read_text()
