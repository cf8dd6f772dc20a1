"""The protocol on real servers, two processes of each kind that the application supports."""

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import InvalidStatus

from tests.support.client import Client, opened
from tests.support.hostile import HOSTILE
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster


@dataclass
class Cluster:
    kind: str
    site: Site
    servers: list[Server]
    people: dict[str, dict[str, str]]

    def client(self, server: int, name: str, by: str = "cookie") -> Any:
        return opened(self.servers[server].url, **{by: self.people[name][by]})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def people(site: Site) -> dict[str, dict[str, str]]:
    return {name: site.make_user(name) for name in ("alice", "bob")}


@pytest.fixture(scope="module", params=["hubbub", "daphne", "uvicorn"])
def cluster(request: pytest.FixtureRequest, site: Site, people: dict[str, dict[str, str]]) -> Iterator[Cluster]:
    with site.serving(request.param, 2) as servers:
        yield Cluster(request.param, site, servers, people)


@pytest.fixture
def room(cluster: Cluster) -> str:
    """A new public room."""
    slug = f"room-{uuid4().hex[:12]}"
    cluster.site.shell(f"from chat import services; services.create_room(slug={slug!r}, title='Test')")
    return slug


# Talking


async def test_people_on_two_processes_talk_both_ways(cluster: Cluster, room: str) -> None:
    async with cluster.client(0, "alice") as alice, cluster.client(1, "bob") as bob:
        for client in (alice, bob):
            assert (await client.join(room))["viewer"]["body_chars"] == 4000
        for sender, body in ((alice, "from A"), (bob, "from B")):
            answer = await sender.post(room, body)
            assert answer["type"] == "ok"
            events = [await client.event("message.posted") for client in (alice, bob)]
            assert events[0] == events[1]
            message = events[0]["message"]
            assert (events[0]["position"], message["body"]) == (answer["position"], body)
            assert message["user"] == sender.hello["user"]


async def test_edits_and_deletions_reach_the_other_process(cluster: Cluster, room: str) -> None:
    async with cluster.client(0, "alice") as alice, cluster.client(1, "bob") as bob:
        await bob.join(room)
        seq = (await alice.post(room, "one"))["seq"]
        await alice.ask(room, "message.edit", seq=seq, body="two")
        await alice.ask(room, "message.delete", seq=seq)
        frames = [await bob.event(f"message.{done}") for done in ("posted", "edited", "deleted")]
        assert [frame["position"] for frame in frames] == [1, 2, 3]
        assert [frame["message"]["body"] for frame in frames] == ["one", "two", ""]
        refused = await bob.ask(room, "message.edit", seq=seq, body="x")
        assert (refused["type"], refused["code"]) == ("error", "forbidden")


async def test_all_members_see_the_same_order_without_a_hole(cluster: Cluster, room: str) -> None:
    async with (
        cluster.client(0, "alice") as first,
        cluster.client(1, "bob") as second,
        cluster.client(0, "bob") as third,
    ):
        clients = [first, second, third]
        for client in clients:
            await client.join(room)

        async def post_ten(client: Client) -> None:
            for number in range(10):
                assert (await client.post(room, str(number)))["type"] == "ok"

        await asyncio.gather(post_ten(first), post_ten(second))
        for client in clients:
            seen = [(await client.event("message.posted"))["position"] for _ in range(20)]
            assert seen == list(range(1, 21))


async def test_posts_of_one_socket_take_effect_in_the_order_sent(cluster: Cluster, room: str) -> None:
    async with cluster.client(0, "alice") as alice:
        for number in range(40):
            post = {"type": "message.post", "topic": f"room/{room}", "id": str(uuid4()), "body": str(number)}
            await alice.send(post | {"ref": number})
        await alice.answer(39)
        page = await alice.join(room)
        assert [message["body"] for message in page["messages"]] == [str(number) for number in range(40)]


async def test_a_socket_that_left_a_room_gets_no_more_of_it(cluster: Cluster, room: str) -> None:
    async with cluster.client(0, "alice") as alice, cluster.client(0, "bob") as bob:
        await alice.join(room)
        await bob.join(room)
        assert (await bob.ask(room, "leave"))["type"] == "ok"
        while_he_was_in = len(bob.unread)
        await alice.post(room, "alone?")
        await alice.event("message.posted")
        assert (await bob.request("ping"))["type"] == "pong"
        assert bob.unread[while_he_was_in:] == []


async def test_joining_twice_is_one_membership(cluster: Cluster, room: str) -> None:
    async with cluster.client(0, "alice") as alice:
        await alice.join(room)
        await alice.join(room)
        await alice.post(room, "once")
        await alice.event("message.posted")
        assert (await alice.request("ping"))["type"] == "pong"
        assert "message.posted" not in [frame["type"] for frame in alice.unread]


async def test_a_client_resumes_on_another_process_with_nothing_lost(cluster: Cluster, room: str) -> None:
    async with cluster.client(0, "alice") as alice:
        await alice.post(room, "before")
        joined = await alice.join(room)
    async with cluster.client(0, "bob") as bob:
        for body in ("missed one", "missed two"):
            await bob.post(room, body)
    async with cluster.client(1, "alice") as alice:
        resumed = await alice.join(room, after=joined["position"], epoch=joined["epoch"])
        assert resumed["complete"]
        assert [event["message"]["body"] for event in resumed["events"]] == ["missed one", "missed two"]


async def test_the_same_id_on_two_processes_is_one_message(cluster: Cluster, room: str) -> None:
    message_id = str(uuid4())
    async with cluster.client(0, "alice") as here, cluster.client(1, "alice") as there:
        answers = await asyncio.gather(*(client.post(room, "once", message_id) for client in (here, there)))
        assert [answer["type"] for answer in answers] == ["ok", "ok"]
        assert {(answer["seq"], answer["position"], answer["at"]) for answer in answers} == {(1, 1, answers[0]["at"])}


# Admission


async def test_a_session_cookie_is_greeted_first(cluster: Cluster) -> None:
    async with cluster.client(1, "alice") as alice:
        hello = alice.hello
        assert (hello["protocol"], hello["user"]["name"], hello["state"]) == (2, "alice", "ok")
        assert hello["limits"] == {"frame_bytes": 65536}
        assert (hello["connection"][:6], hello["server_time"][-1]) == ("web-2:", "Z")


async def test_a_good_token_is_let_in(cluster: Cluster) -> None:
    async with cluster.client(0, "alice", by="token") as alice:
        assert alice.hello["user"]["name"] == "alice"


async def test_a_bad_token_is_closed_with_4001(cluster: Cluster) -> None:
    async with opened(cluster.servers[0].url, wait_for_hello=False) as client:
        assert await client.receive() == {"type": "auth.required", "within_ms": 5000}
        await client.send({"type": "auth", "token": cluster.people["alice"]["token"] + "x"})
        error = await client.receive()
        assert (error["type"], error["code"], "ref" in error) == ("error", "unauthorized", False)
        assert (await client.closed())[0] == 4001
    log = cluster.servers[0].log.read_text()
    assert "token_refused address=127.0.0.1 user=- connection=web-1:" in log
    assert cluster.people["alice"]["token"] not in log


async def test_a_silent_client_is_closed_with_4002_after_five_seconds(cluster: Cluster) -> None:
    async with opened(cluster.servers[0].url, wait_for_hello=False) as client:
        began = time.monotonic()
        assert (await client.closed())[0] == 4002
        assert 4.5 < time.monotonic() - began < 6.5


async def test_other_frames_before_the_token_are_refused_and_the_clock_runs_on(cluster: Cluster, room: str) -> None:
    async with opened(cluster.servers[0].url, wait_for_hello=False) as client:
        await client.receive()
        began = time.monotonic()
        await client.send({"type": "join", "ref": 1, "topic": f"room/{room}"})
        error = await client.receive()
        assert (error["code"], error["ref"]) == ("unauthorized", 1)
        await asyncio.sleep(3)
        await client.send({"type": "ping", "ref": 2})
        assert (await client.receive())["code"] == "unauthorized"
        assert (await client.closed())[0] == 4002
        assert time.monotonic() - began < 6.5


async def test_a_session_that_is_no_longer_valid_is_asked_for_a_token(cluster: Cluster) -> None:
    url = cluster.servers[0].url
    async with opened(url, cookie="0" * 32, wait_for_hello=False) as client:
        assert (await client.receive())["type"] == "auth.required"
        await client.send({"type": "auth", "token": cluster.people["bob"]["token"]})
        assert (await client.receive())["user"]["name"] == "bob"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
async def test_another_sites_page_cannot_use_the_cookie(cluster: Cluster, origin: str) -> None:
    for cookie in (cluster.people["alice"]["cookie"], "0" * 32):
        with pytest.raises(InvalidStatus) as caught:
            async with opened(cluster.servers[0].url, cookie=cookie, origin=origin):
                pass
        assert caught.value.response.status_code == 403
    log = cluster.servers[0].log.read_text()
    assert re.search(f"origin_refused address=127.0.0.1 user=- connection=web-1:\\w+ '{origin}'", log)


async def test_a_client_with_a_token_may_come_from_anywhere(cluster: Cluster) -> None:
    token = cluster.people["alice"]["token"]
    async with opened(cluster.servers[0].url, token=token, origin="https://elsewhere.example") as client:
        assert client.hello["type"] == "hello"


async def test_an_unknown_path_is_refused_without_a_traceback(cluster: Cluster) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with opened(cluster.servers[0].url, "/ws/nothing/"):
            pass
    # The stock daphne command cannot say anything else.
    assert caught.value.response.status_code == (403 if cluster.kind == "daphne" else 404)
    assert "Traceback" not in cluster.servers[0].log.read_text()


# Hostile input


async def test_hostile_frames_are_answered_with_an_error_and_the_socket_lives(cluster: Cluster) -> None:
    async with cluster.client(0, "alice") as alice:
        for frame in HOSTILE:
            await alice.send(frame)
            answer = await alice.receive()
            assert (answer["type"], answer["code"]) == ("error", "invalid"), frame
        assert (await alice.request("ping"))["type"] == "pong"


async def test_an_address_that_is_none_here_is_not_found(cluster: Cluster) -> None:
    async with cluster.client(0, "alice") as alice:
        for address in ("room/../../etc", "room/General", "room/", "room", "../../etc", "", "metrics"):
            assert (await alice.request("join", topic=address))["code"] == "not_found", address


async def test_a_socket_that_keeps_sending_rubbish_is_closed(cluster: Cluster) -> None:
    async with cluster.client(0, "alice") as alice:
        for _ in range(20):
            await alice.send("rubbish")
        assert (await alice.closed())[0] == 4008


async def test_a_frame_that_is_too_big_closes_its_socket_only(cluster: Cluster, room: str) -> None:
    async with cluster.client(0, "bob") as bob:
        async with cluster.client(0, "alice") as alice:
            post = {"type": "message.post", "ref": 1, "topic": f"room/{room}", "id": str(uuid4())}
            await alice.send(post | {"body": "x" * 70_000})
            # Stock daphne cannot close with 1009.
            assert (await alice.closed())[0] == (4008 if cluster.kind == "daphne" else 1009)
        assert (await bob.request("ping"))["type"] == "pong"


async def test_a_body_that_cannot_be_kept_is_refused(cluster: Cluster, room: str) -> None:
    async with cluster.client(0, "alice") as alice:
        assert (await alice.post(room, "  "))["code"] == "invalid"
        assert (await alice.post(room, "a\x00b"))["code"] == "invalid"
        assert (await alice.post(room, "x" * 4001))["code"] == "too_long"
        assert (await alice.post("no-such-room", "x"))["code"] == "not_found"
        assert (await alice.join(room))["messages"] == []


# The end of a process


async def test_a_process_that_ends_tells_its_clients_to_come_back(cluster: Cluster) -> None:
    server = Server(cluster.site, cluster.kind, "web-9")
    server.wait_until_ready()
    async with opened(server.url, cookie=cluster.people["alice"]["cookie"]) as alice:
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        code, _ = await alice.closed(15)
        # Stock daphne cuts the connection and may fail at its own end; ours and uvicorn end in order.
        assert code == (1006 if cluster.kind == "daphne" else 1012)
        exit_code = await stopping
    if cluster.kind == "hubbub":
        assert exit_code == 0
        assert "Traceback" not in server.log.read_text()
