"""Admission of sockets on a real server: foreign origins, forged headers, unknown paths."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest

from tests.support.client import opened
from tests.support.raw_client import TEXT, answered, connected, frame, handshake
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

ALLOWED = "127.0.0.1,chat.example.org"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("site"), ALLOWED_HOSTS=ALLOWED)
    site.shell("from chat import services; services.create_room(slug='lounge', title='Lounge')")
    return site


@pytest.fixture(scope="module")
def alice(site: Site) -> dict[str, str]:
    return site.make_user("alice")


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    """It trusts no proxy."""
    with site.serving("hubbub", 1) as (server,):
        yield server
        assert "Traceback" not in server.log.read_text()


@pytest.fixture(scope="module")
def proxied(site: Site) -> Iterator[Server]:
    """It trusts a proxy on this machine, and serves by TLS there."""
    with site.serving("hubbub", 1, HUBBUB_TRUSTED_PROXIES="127.0.0.1", HUBBUB_TLS="true") as (server,):
        yield server
        assert "Traceback" not in server.log.read_text()


# Pages of other sites


@pytest.mark.parametrize(
    ("attack", "lines"),
    [
        ("another site", ["Origin: https://evil.example"]),
        ("no origin", []),
        ("null, of a sandboxed frame", ["Origin: null"]),
        ("another port", ["Origin: http://127.0.0.1:1"]),
        ("another scheme", ["Origin: https://127.0.0.1:{port}"]),
        ("a host that begins alike", ["Origin: http://127.0.0.1.evil.example:{port}"]),
        ("a host that ends alike", ["Origin: http://evil127.0.0.1:{port}"]),
        ("the host as a user name", ["Origin: http://127.0.0.1:{port}@evil.example"]),
        ("another name of this machine", ["Origin: http://localhost:{port}"]),
        ("two origins", ["Origin: http://127.0.0.1:{port}", "Origin: http://evil.example"]),
        ("a host that is not ours, of which it is", ["Host: evil.example", "Origin: http://evil.example"]),
        ("a header for a proxy that is not there", ["X-Forwarded-Proto: https", "Origin: https://127.0.0.1:{port}"]),
        ("a forwarded host", ["X-Forwarded-Host: evil.example", "Origin: http://evil.example"]),
        ("a trusted origin's look-alike path", ["Origin: http://127.0.0.1:{port}/"]),
    ],
)
async def test_a_page_of_another_site_gets_no_socket(
    server: Server, site: Site, alice: dict[str, str], attack: str, lines: list[str]
) -> None:
    post = json.dumps({"type": "message.post", "ref": 1, "topic": "room/lounge", "id": str(uuid4()), "body": attack})
    # An origin is checked wherever a session cookie is sent, be it valid or not.
    for cookie in (alice["cookie"], "0" * 32, ""):
        async with connected(server) as raw:
            expected_lines = [line.format(port=server.port) for line in lines]
            # The command comes right behind the handshake, as from one who expects no refusal.
            raw.send(
                handshake(server, "/ws/chat/", f"Cookie: sessionid={cookie}", *expected_lines),
                frame(TEXT, post.encode()),
            )
            head = await raw.head()
            # Two origins are one that is none: autobahn refuses it before us.
            assert int(head.split(b" ")[1]) == (400 if attack == "two origins" else 403), head
            assert b"hello" not in head + await raw.rest()
    with closing(sqlite3.connect(site.folder / "site.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM chat_message").fetchone() == (0,)


async def test_a_program_with_a_token_may_come_from_anywhere(server: Server, alice: dict[str, str]) -> None:
    async with opened(server.url, token=alice["token"], origin="https://evil.example") as client:
        assert client.hello["user"]["name"] == "alice"


async def test_a_token_in_the_address_is_not_taken(server: Server, alice: dict[str, str]) -> None:
    async with opened(server.url, f"/ws/chat/?token={alice['token']}", wait_for_hello=False) as client:
        assert (await client.receive())["type"] == "auth.required"
    assert alice["token"].rpartition("_")[2] not in server.log.read_text()


# Paths


@pytest.mark.parametrize(
    "path", ["/ws/nothing/", "/", "/ws/chat", "/ws/chat/../admin/", "/%00", "//evil.example/ws/x/", "/ws/chat/%2e%2e/x"]
)
async def test_a_socket_to_an_unknown_path_is_not_found(server: Server, path: str) -> None:
    assert (await answered(server, handshake(server, path)))[0] == 404


# Headers that daphne takes from anyone


@pytest.mark.parametrize("root", ["/ws", "/admin", "%2Fws", "é", "\xff"])
async def test_a_client_cannot_say_where_the_site_lies(server: Server, root: str) -> None:
    assert (await answered(server, handshake(server, "/ws/chat/", f"Daphne-Root-Path: {root}")))[0] == 101
    # Django would build its links, and its redirect to the sign-in, with it.
    page = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nDaphne-Root-Path: {root}\r\n\r\n"
    status, head = await answered(server, page.encode("latin-1"))
    assert status == 302
    assert b"\r\nLocation: /account/sign-in/?next=/\r\n" in head


async def test_a_forged_address_is_ignored_and_logged(server: Server, alice: dict[str, str]) -> None:
    forged = ["X-Forwarded-For: 198.51.100.66", "X-Real-IP: 198.51.100.66", "Forwarded: for=198.51.100.66"]
    evil = [f"Cookie: sessionid={alice['cookie']}", "Origin: https://evil.example"]
    assert (await answered(server, handshake(server, "/ws/chat/", *forged, *evil)))[0] == 403
    log = server.log.read_text()
    assert "198.51.100.66" not in log
    assert log.count("forwarding_ignored address=127.0.0.1 ") == 1


# Behind a proxy


async def test_behind_a_proxy_logs_name_the_true_client(proxied: Server, alice: dict[str, str]) -> None:
    lines = [
        *("X-Forwarded-For: 198.51.100.66, 203.0.113.7", "X-Forwarded-Proto: https"),
        *(f"Cookie: sessionid={alice['cookie']}", "Origin: https://evil.example"),
    ]
    assert (await answered(proxied, handshake(proxied, "/ws/chat/", *lines)))[0] == 403
    assert "origin_refused address=203.0.113.7 " in proxied.log.read_text()
    assert "198.51.100.66" not in proxied.log.read_text()


@pytest.mark.parametrize(
    ("proto", "origin", "status"),
    [("https", "https", 101), ("https", "http", 403), ("http", "https", 403), ("http", "http", 101)],
)
async def test_the_origins_scheme_is_the_one_that_the_proxy_tells(
    proxied: Server, alice: dict[str, str], proto: str, origin: str, status: int
) -> None:
    lines = [
        *("Host: chat.example.org", f"Origin: {origin}://chat.example.org"),
        *(f"X-Forwarded-Proto: {proto}", f"Cookie: sessionid={alice['cookie']}"),
    ]
    assert (await answered(proxied, handshake(proxied, "/ws/chat/", *lines)))[0] == status


async def test_pages_are_secure_when_the_proxy_says_so(proxied: Server) -> None:
    def page(proto: str) -> bytes:
        return f"GET / HTTP/1.1\r\nHost: chat.example.org\r\nX-Forwarded-Proto: {proto}\r\n\r\n".encode()

    status, head = await answered(proxied, page("http"))
    assert status == 301
    assert b"https://chat.example.org/" in head
    status, head = await answered(proxied, page("https"))
    assert status == 302
    assert b"strict-transport-security" in head.lower()
