"""Access tokens on a real server: scopes, and limits on guesses."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.support.client import opened
from tests.support.raw_client import CLOSE, TEXT, connected, frame, handshake
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("site"))
    site.shell("from chat import services; services.create_room(slug='lounge', title='Lounge')")
    return site


@pytest.fixture(scope="module")
def tokens(site: Site) -> dict[str, str]:
    """Root's tokens: {scope: token}, and unusable ones."""
    lines = site.shell(
        """
        from datetime import timedelta
        from django.contrib.auth import get_user_model
        from django.utils import timezone
        from hubbub.auth.tokens import create_token, known_scopes, revoke_token
        from hubbub.models import AccessToken
        root = get_user_model().objects.create_superuser(username="root")
        for scope in known_scopes():
            print(scope, create_token(user=root, name=scope, expires_at=None, scopes=[scope])[1])
        gone = timezone.now() - timedelta(days=1)
        print("expired", create_token(user=root, name="expired", expires_at=gone)[1])
        token, text = create_token(user=root, name="revoked", expires_at=None)
        revoke_token(token)
        print("revoked", text)
        """
    )
    return dict(line.split() for line in lines.splitlines())


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    """It stands behind a proxy, so that tests can come from any address."""
    with site.serving("hubbub", 1, HUBBUB_TRUSTED_PROXIES="127.0.0.1") as (server,):
        yield server
        assert "Traceback" not in server.log.read_text()


async def answers(server: Server, token: str, address: str) -> list[Any]:
    """The answer to a token from that address: the frames after `auth.required`, and the close code."""
    async with connected(server) as raw:
        raw.send(handshake(server, "/ws/chat/", f"X-Forwarded-For: {address}"))
        assert await raw.status() == 101
        await raw.frame()
        raw.send(frame(TEXT, b'{"type": "auth", "token": "%s"}' % token.encode()))
        got: list[Any] = []
        while (received := await raw.frame())[0] == TEXT and b'"hello"' not in received[1]:
            got.append(received[1].decode())
        return [*got, int.from_bytes(received[1][:2]) if received[0] == CLOSE else "hello"]


# Scopes


async def test_a_read_only_token_cannot_write(server: Server, tokens: dict[str, str]) -> None:
    async with opened(server.url, token=tokens["chat.read"]) as client:
        assert (await client.join("lounge"))["type"] == "ok"
        for answer in (
            await client.post("lounge", "x"),
            await client.ask("lounge", "message.edit", seq=1, body="x"),
            await client.ask("lounge", "message.delete", seq=1),
        ):
            assert (answer["type"], answer["code"]) == ("error", "forbidden")
        assert (await client.join("lounge"))["position"] == 0


async def test_a_write_only_token_cannot_read(server: Server, tokens: dict[str, str]) -> None:
    async with opened(server.url, token=tokens["chat.write"]) as client:
        assert (await client.post("lounge", "from a robot"))["type"] == "ok"
        for answer in (await client.join("lounge"), await client.ask("lounge", "history", before=9)):
            assert (answer["type"], answer["code"]) == ("error", "forbidden")
        await client.post("lounge", "nobody tells it")
        assert (await client.request("ping"))["type"] == "pong"
        assert not client._events


@pytest.mark.parametrize(
    ("scope", "path"), [("monitor.read", "/ws/chat/"), ("chat.read", "/ws/monitor/"), ("chat.write", "/ws/monitor/")]
)
async def test_a_token_without_the_endpoints_scope_may_not_use_it(
    server: Server, tokens: dict[str, str], scope: str, path: str
) -> None:
    async with opened(server.url, path, wait_for_hello=False) as client:
        await client.event("auth.required")
        await client.send({"type": "auth", "token": tokens[scope]})
        error = await client.receive()
        assert (error["type"], error["code"]) == ("error", "forbidden")
        assert await client.closed() == (4005, "Forbidden")


async def test_the_monitors_scope_opens_the_monitor(server: Server, tokens: dict[str, str]) -> None:
    async with opened(server.url, "/ws/monitor/", token=tokens["monitor.read"]) as client:
        assert client.hello["user"]["name"] == "root"


# Guessing


async def test_the_answer_does_not_reveal_why_a_token_is_refused(server: Server, tokens: dict[str, str]) -> None:
    wrong = tokens["chat.read"][:-1] + ("a" if tokens["chat.read"][-1] != "a" else "b")
    attempts = ["hub_999999_" + "x" * 43, wrong, tokens["expired"], tokens["revoked"], "x", ""]
    got = [await answers(server, token, "203.0.113.1") for token in attempts]
    assert all(frame == got[0] for frame in got)
    assert (len(got[0]), got[0][1]) == (2, 4001)
    assert '"unauthorized"' in got[0][0]


async def test_guesses_at_tokens_are_ignored_and_other_users_are_not(server: Server, tokens: dict[str, str]) -> None:
    got = await asyncio.gather(*(answers(server, f"hub_{number}_x", "203.0.113.2") for number in range(1000, 1030)))
    codes = [frame[-1] for frame in got]
    assert (codes.count(4001), codes.count(4102)) == (10, 20)
    limited = next(frame for frame in got if frame[-1] == 4102)
    assert '"rate_limited"' in limited[0]
    assert '"retry_after_ms"' in limited[0]
    # A good one from there has to wait as well: otherwise the answer would tell which guess was right.
    assert (await answers(server, tokens["chat.read"], "203.0.113.2"))[-1] == 4102
    assert (await answers(server, tokens["chat.read"], "203.0.113.3"))[-1] == "hello"
    # A forged address in front of the proxy changes nothing.
    assert (await answers(server, tokens["chat.read"], "203.0.113.99, 203.0.113.2"))[-1] == 4102


async def test_guessing_at_one_token_from_everywhere_does_not_shut_out_its_owner(
    server: Server, tokens: dict[str, str]
) -> None:
    token = tokens["chat.write"]
    wrong = "_".join(token.split("_")[:2]) + "_guess"
    guesses = [answers(server, wrong, f"203.0.113.{100 + number % 8}") for number in range(40)]
    assert [guess[-1] for guess in await asyncio.gather(*guesses)].count(4001) <= 8 + 10
    assert (await answers(server, token, "198.51.100.1"))[-1] == "hello"


# Secrecy


async def test_no_log_holds_a_token_or_a_session(site: Site, tokens: dict[str, str]) -> None:
    """The server logs as much as it can, and things go wrong in every place that has the secret in its hands."""
    alice = site.make_user("alice")
    secrets = [token.split("_", 2)[2] for token in tokens.values()] + [alice["cookie"]]
    server = Server(site, "hubbub", "web-9", "tests.support.failing_site:application")
    try:
        server.wait_until_ready()
        for token in tokens.values():
            for path in ("/ws/chat/", f"/ws/chat/?token={token}", "/ws/monitor/"):
                async with opened(server.url, path, wait_for_hello=False) as client:
                    await client.event("auth.required")
                    await client.send({"type": "auth", "token": token, "extra": uuid4().hex})
                    await client.send({"type": "auth", "token": token})
                    assert (await client.closed())[0] in (1011, 4001)
        for origin in (server.url, "https://evil.example"):
            async with connected(server) as raw:
                raw.send(handshake(server, "/ws/chat/", f"Cookie: sessionid={alice['cookie']}", f"Origin: {origin}"))
                await raw.rest()
    finally:
        server.stop()
    log = server.log.read_text()
    assert "origin_refused" in log
    assert "planted" in log
    assert not [secret for secret in secrets if secret in log]
