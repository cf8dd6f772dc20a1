"""Sign-in of a project's own on two real processes: tokens of a table, JWTs, visitors, revocation on all of them."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus

from tests.support.client import opened
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

APPLICATION = "tests.support.polls.wall_asgi:application"
SETTINGS = "tests.support.polls.wall_settings"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"), DJANGO_SETTINGS_MODULE=SETTINGS)


@pytest.fixture(scope="module")
def alice(site: Site) -> dict[str, str]:
    return site.make_user("alice")


@pytest.fixture(scope="module")
def servers(site: Site) -> Iterator[list[Server]]:
    with site.serving("hubbub", 2, APPLICATION, HUBBUB_REVALIDATE_SECONDS="2") as servers:
        yield servers
        for server in servers:
            assert "Traceback" not in server.log.read_text()


def make_token(site: Site, user: dict[str, str], key: str) -> str:
    site.shell(
        f"""
        from tests.support.polls.models import ApiToken
        ApiToken.objects.create(key={key!r}, user_id={user["id"]})
        """
    )
    return key


def make_jwt(site: Site, user: dict[str, str], seconds: float) -> str:
    return site.shell(f"from tests.support.sign_ins import make_jwt; print(make_jwt({user['id']!r}, {seconds}))")


async def test_a_token_of_a_table_is_revoked_on_all_processes(
    site: Site, servers: list[Server], alice: dict[str, str]
) -> None:
    key = make_token(site, alice, "revoked-by-hint")
    first, second = (opened(server.url, "/ws/", token=key) for server in servers)
    async with first as page, second as other:
        for client in (page, other):
            assert client.hello["user"] == {"id": alice["id"], "name": "alice"}
            assert (await client.request("join", topic="office"))["state"] == "open"
        began = time.monotonic()
        await asyncio.to_thread(
            site.shell,
            """
            from django.contrib.auth import get_user_model
            from hubbub import publish
            from hubbub.auth import credentials_changed
            from tests.support.polls.models import ApiToken
            ApiToken.objects.filter(key="revoked-by-hint").delete()
            credentials_changed([get_user_model().objects.get(username="alice")])
            assert publish.flush(5)
            """,
        )
        for client in (page, other):
            assert (await client.closed())[0] == 4003
        assert time.monotonic() - began < 10
    async with opened(servers[0].url, "/ws/", wait_for_hello=False) as client:
        await client.event("auth.required")
        await client.send({"type": "auth", "token": key})
        assert (await client.event("error"))["code"] == "unauthorized"
        assert (await client.closed())[0] == 4001


async def test_a_revocation_without_a_hint_is_found_by_the_sweep(
    site: Site, servers: list[Server], alice: dict[str, str]
) -> None:
    key = make_token(site, alice, "revoked-silently")
    async with (
        opened(servers[0].url, "/ws/", token=key) as client,
        opened(servers[0].url, "/ws/", token=alice["token"]) as stays,
    ):
        code = (
            "from tests.support.polls.models import ApiToken; ApiToken.objects.filter(key='revoked-silently').delete()"
        )
        await asyncio.to_thread(site.shell, code)
        assert (await client.closed(10))[0] == 4003
        assert (await stays.request("ping"))["type"] == "pong"


async def test_a_jwt_closes_its_open_socket_in_time(site: Site, servers: list[Server], alice: dict[str, str]) -> None:
    token = make_jwt(site, alice, 4)
    expires_at = time.time() + 4
    async with opened(servers[0].url, "/ws/", token=token) as client:
        assert client.hello["user"]["name"] == "alice"
        assert (await client.closed())[0] == 4003
        assert expires_at - 2 <= time.time() <= expires_at + 1


async def test_a_jwt_in_a_cookie_counts_on_the_own_page_alone(
    site: Site, servers: list[Server], alice: dict[str, str]
) -> None:
    token = make_jwt(site, alice, 60)
    url = servers[0].url
    async with opened(url, "/ws/", headers={"Cookie": f"jwt={token}"}, origin=url) as client:
        assert client.hello["user"]["name"] == "alice"
    for origin in ("https://elsewhere.example.org", None):
        with pytest.raises(InvalidStatus) as refused:
            async with opened(url, "/ws/", headers={"Cookie": f"jwt={token}"}, origin=origin):
                pass
        assert refused.value.response.status_code == 403
    async with opened(url, "/ws/", headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.hello["user"]["name"] == "alice"


async def test_a_visitor_writes_on_a_public_wall_of_two_processes(
    site: Site, servers: list[Server], alice: dict[str, str]
) -> None:
    first, second = servers
    async with (
        opened(first.url, "/ws/", origin=first.url) as visitor,
        opened(second.url, "/ws/", cookie=alice["cookie"]) as page,
    ):
        assert visitor.hello["user"] == {"id": None, "name": ""}
        joined = await page.request("join", topic="wall/a")
        assert (await visitor.request("join", topic="wall/a"))["viewer"] == {"is_visitor": True}
        assert (await visitor.request("write", topic="wall/a", text="Hello"))["type"] == "ok"
        assert (await page.event("changed"))["position"] > joined["position"]
        for command, topic in (("scrub", "wall/a"), ("join", "office")):
            assert (await visitor.request(command, topic=topic))["code"] == "forbidden"
        await asyncio.to_thread(
            site.shell, "from hubbub import publish; publish.publish_users_changed(None); publish.flush(5)"
        )
        assert (await visitor.request("write", topic="wall/a", text="Still here"))["type"] == "ok"
        again = await page.request("join", topic="wall/a")
        assert [user["name"] for user in again["present"]["users"]] == ["alice"]
