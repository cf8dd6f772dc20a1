"""Topics by HTTP and server-sent events, on two processes: the promises of a socket, for clients without one."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import psutil
import pytest

from tests.support.client import opened
from tests.support.door_client import Door, Stream, by_cookie, by_token
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

ROOM = "room/lounge"

POSTS = 3000  # 12 MB, more than the kernel takes for a client that does not read.
MAX_GROWN = 24 << 20


class Place:
    """Two processes, and the users alice (a member) and bob."""

    def __init__(self, site: Site, servers: list[Server]) -> None:
        self.site = site
        self.servers = servers
        self.alice = site.make_user("alice")
        self.bob = site.make_user("bob")

    def door(self, process: int, name: str = "alice") -> Door:
        return by_token(self.servers[process].url, getattr(self, name)["token"])

    def page(self, process: int, name: str = "alice") -> Door:
        return by_cookie(self.servers[process].url, getattr(self, name)["cookie"])

    async def post(self, process: int, body: str, name: str = "alice") -> dict[str, Any]:
        answer = await self.door(process, name).command("message.post", topic=ROOM, id=str(uuid4()), body=body)
        assert answer.status == 200, answer
        result: dict[str, Any] = answer.json["result"]
        return result


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    site = Site(tmp_path_factory.mktemp("site"), HUBBUB_HEARTBEAT_SECONDS="1", HUBBUB_PRESENCE_GRACE_SECONDS="0")
    site.shell("from chat import services; services.create_room(slug='lounge', title='Lounge')")
    with site.serving("hubbub", 2) as servers:
        yield Place(site, servers)
        for server in servers:
            assert "Traceback" not in server.log.read_text()


async def joined(stream: Stream, ref: int = 0) -> dict[str, Any]:
    return await stream.frame("ok", ref=ref)


# State, command and stream


async def test_state_is_read_without_joining(place: Place) -> None:
    answer = await place.door(0).state(ROOM)
    assert (answer.status, answer.json["topic"], answer.json["complete"]) == (200, ROOM, False)
    assert answer.json["state"]["room"]["slug"] == "lounge"
    again = await place.door(0).state(ROOM, **{"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    await place.post(0, "news")
    assert (await place.door(1).state(ROOM, **{"If-None-Match": answer.headers["etag"]})).status == 200


async def test_a_post_by_http_reaches_streams_of_both_processes_in_the_bytes_of_a_socket(place: Place) -> None:
    async with place.door(0).stream(ROOM) as here, place.door(1, "bob").stream(ROOM) as there:
        await joined(here)
        await joined(there)
        posted = await place.post(0, "hello")
        frames = [await stream.frame("message.posted") for stream in (here, there)]
        assert frames[0] == frames[1]
        assert (frames[0]["position"], frames[0]["message"]["body"]) == (posted["position"], "hello")
        while not here.id.endswith(f":{posted['position']}"):
            await here.read()


async def test_a_stream_resumes_by_its_last_id_on_the_other_process_and_misses_nothing(place: Place) -> None:
    async with place.door(0).stream(ROOM) as stream:
        await joined(stream)
        await place.post(0, "seen")
        await stream.frame("message.posted")
        known = stream.id
    bodies = [f"missed {number}" for number in range(30)]
    for body in bodies:
        await place.post(1, body)
    async with place.door(1).stream(ROOM, resume=known) as stream:
        answer = await joined(stream)
        assert answer["complete"]
        assert [event["message"]["body"] for event in answer["events"]] == bodies


async def test_a_resume_that_is_long_comes_in_parts_without_the_client_asking(place: Place) -> None:
    async with place.door(0).stream(ROOM) as stream:
        known = (await joined(stream), stream.id)[1]
    bodies = [f"{number} {'x' * 2000}" for number in range(40)]
    for body in bodies:
        await place.post(0, body)
    async with place.door(1).stream(ROOM, resume=known) as stream:
        found: list[str] = []
        while True:
            answer = await joined(stream)
            found += [event["message"]["body"] for event in answer["events"]]
            if not answer.get("partial"):
                break
        assert found == bodies


async def test_an_id_of_another_epoch_gets_the_state(place: Place) -> None:
    async with place.door(0).stream(ROOM, resume=f"{ROOM}:0123456789abcdef:1") as stream:
        answer = await joined(stream)
        assert not answer["complete"]
        assert answer["state"]["messages"]


async def test_one_stream_has_many_topics_and_says_which_one_is_refused(place: Place) -> None:
    place.site.shell("from chat import services; services.create_room(slug='second', title='Second')")
    async with place.door(0).stream(ROOM, "room/none", "room/second") as stream:
        assert {(await joined(stream, ref))["topic"] for ref in (0, 2)} == {ROOM, "room/second"}
        assert (await stream.frame("error", ref=1))["code"] == "not_found"
        assert sorted(part.split(":")[0] for part in stream.id.split(",")) == [ROOM, "room/second"]


async def test_joins_and_leaves_by_post_reach_the_stream_on_whichever_process(place: Place) -> None:
    async with place.door(0).stream() as stream:
        connection = (await stream.frame("hello"))["connection"]
        for process in (0, 1):
            answer = await place.door(process).command("join", topic=ROOM, connection=connection)
            assert answer.status == 202
            assert (await stream.frame("ok", ref=1))["topic"] == ROOM
            posted = await place.post(process, "by post")
            assert (await stream.frame("message.posted", position=posted["position"]))["topic"] == ROOM
            await place.door(1 - process).command("leave", topic=ROOM, connection=connection)
            assert (await stream.frame("ok", ref=1)) == {"type": "ok", "ref": 1, "topic": ROOM}
        # Of another user: the stream does not run it.
        await place.door(0, "bob").command("join", topic=ROOM, connection=connection)
        await place.door(0).command("state", topic=ROOM, connection=connection)
        assert (await stream.frame("ok", ref=1))["state"]


async def test_presence_counts_streams(place: Place) -> None:
    async with place.door(0).stream(ROOM) as stream:
        await joined(stream)
        async with place.door(1, "bob").stream(ROOM) as other:
            await joined(other)
            while (await stream.frame("presence.changed"))["joined"] != [{"id": place.bob["id"], "name": "bob"}]:
                pass
        while [user["name"] for user in (await stream.frame("presence.changed"))["left"]] != ["bob"]:
            pass


async def test_an_idle_stream_gets_comments(place: Place) -> None:
    async with place.door(0).stream() as stream:
        async with asyncio.timeout(10):
            while stream.comments < 2:
                await stream.read()


# Whose request


async def test_a_page_signs_in_by_cookie_and_posts_with_the_token_of_its_stream(place: Place) -> None:
    page = place.page(0)
    async with page.stream(ROOM) as stream:
        hello = await stream.frame("hello")
        assert hello["user"]["name"] == "alice"
        cookie = stream.headers["set-cookie"].split(";")[0]
        headers = {"Cookie": f"{page.headers['Cookie']}; {cookie}", "Origin": page.url}
        fields = {"topic": ROOM, "id": str(uuid4()), "body": "by cookie"}
        sent = await page.command("message.post", headers=headers | {"X-CSRFToken": hello["csrf"]}, **fields)
        assert sent.status == 200, sent
        assert (await stream.frame("message.posted"))["message"]["body"] == "by cookie"
        for wrong, code in (
            ({}, "csrf"),
            ({"X-CSRFToken": "x" * 32}, "csrf"),
            ({"Origin": "https://evil.example"}, "forbidden"),
        ):
            refused = await page.command("message.post", headers=headers | wrong, **fields)
            assert (refused.status, refused.json["code"]) == (403, code)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    ],
)
async def test_a_session_counts_only_from_a_page_of_the_site(place: Place, headers: dict[str, str]) -> None:
    page = place.page(0)
    for path in ("state", "events"):
        answer = await page.request("GET", f"/live/{path}?topic={ROOM}", headers=headers)
        assert (answer.status, answer.json["code"]) == (403, "forbidden")
        assert not any(name.startswith("access-control") for name in answer.headers)


async def test_with_a_token_cookies_count_for_nothing(place: Place) -> None:
    cookie = {"Cookie": f"sessionid={place.bob['cookie']}", "Origin": "https://elsewhere.example"}
    async with place.door(0).stream(**cookie) as stream:
        hello = await stream.frame("hello")
        assert (hello["user"]["name"], "csrf" in hello) == ("alice", False)
    sent = await place.door(0).command("message.post", headers=cookie, topic=ROOM, id=str(uuid4()), body="x")
    assert sent.status == 200


async def test_requests_without_or_with_a_wrong_sign_in_are_401(place: Place) -> None:
    for headers in ({}, {"Authorization": "Bearer hub_1_wrong"}):
        door = Door(place.servers[0].url, headers)
        for answer in (
            await door.state(ROOM),
            await door.request("GET", "/live/events"),
            await door.command("message.post", topic=ROOM, id=str(uuid4()), body="x"),
        ):
            assert (answer.status, answer.json["code"]) == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_stream_ends_with_its_session(place: Place) -> None:
    user = place.site.make_user("leaver")
    async with by_cookie(place.servers[0].url, user["cookie"]).stream(ROOM) as stream:
        await joined(stream)
        place.site.shell(
            f"from django.contrib.sessions.models import Session; Session.objects.filter(pk={user['cookie']!r}).first().delete()"
        )
        assert await stream.ended() == {"code": 4003, "reason": "Session ended"}


async def test_an_archived_membership_closes_the_topic_of_a_stream(place: Place) -> None:
    place.site.shell(
        """
        from django.contrib.auth import get_user_model
        from chat import services
        from chat.models import Membership
        room = services.create_room(slug="secret", title="Secret", is_private=True)
        Membership.objects.create(room=room, user=get_user_model().objects.get(username="alice"))
        """
    )
    async with place.door(0).stream("room/secret") as stream:
        await joined(stream)
        place.site.shell(
            """
            from chat.models import Membership
            Membership.objects.get(room__slug="secret").delete()
            """
        )
        assert await stream.frame("closed") == {"type": "closed", "topic": "room/secret", "code": "removed"}
        while stream.id:
            await stream.read()


# Bad requests


async def test_bad_requests_get_a_status_and_an_error(place: Place) -> None:
    door = place.door(0)
    kind = {"Content-Type": "application/json"}
    many = "&".join(f"topic=room/{number}" for number in range(200))
    for method, path, body, headers, status in (
        ("GET", "/live/state", b"", {}, 400),
        ("GET", "/live/state?topic=a&topic=b", b"", {}, 400),
        ("GET", "/live/state?topic=none/1", b"", {}, 404),
        ("GET", "/live/state?topik=x", b"", {}, 400),
        ("GET", "/live/state?topic=%ff", b"", {}, 400),
        ("GET", f"/live/state?topic={ROOM}", b"", {"Accept": "text/html"}, 406),
        ("GET", f"/live/events?topic={ROOM}", b"", {"Accept": "application/json"}, 406),
        ("GET", f"/live/events?{many}", b"", {}, 400),
        ("GET", "/live/events", b"", {"Last-Event-ID": "42"}, 400),
        ("GET", "/live/events", b"", {"Last-Event-ID": "x" * 5000}, 400),
        ("DELETE", "/live/events", b"", {}, 405),
        ("GET", "/live/command", b"", {}, 405),
        ("POST", "/live/command", b"{}", {}, 415),
        ("POST", "/live/command", b"{", kind, 400),
        ("POST", "/live/command", b"\xff", kind, 400),
        ("POST", "/live/command", b"[" * 60_000, kind, 400),
        ("POST", "/live/command", b'{"type": "none", "ref": 1, "topic": "room/lounge"}', kind, 400),
        ("POST", "/live/command", b'{"type": "message.post", "ref": 1, "topic": "room/lounge"}', kind, 400),
        ("POST", "/live/command", b"x" * 100_000, kind, 413),
    ):
        answer = await door.request(method, path, body, headers)
        assert (answer.status, answer.json["type"]) == (status, "error"), (path, answer)
        assert answer.headers["content-type"] == "application/json"
    two = await Door(door.url).request(
        "GET", f"/live/state?topic={ROOM}", headers={"Authorization": "Bearer a", "authorization": "Bearer b"}
    )
    assert (two.status, two.json["detail"]) == (400, "several headers authorization")


async def test_a_body_of_ten_megabytes_is_refused_before_it_is_read(place: Place) -> None:
    answer = await place.door(0).request(
        "POST", "/live/command", b"x" * 100, {"Content-Type": "application/json", "Content-Length": str(10 << 20)}
    )
    assert answer.status == 413


async def test_a_page_below_the_path_is_still_a_page(place: Place) -> None:
    answer = await place.door(0).request("GET", "/live/nothing")
    assert (answer.status, answer.headers["content-type"][:9]) == (404, "text/html")


# Ends


async def test_a_process_that_ends_ends_its_streams_and_they_resume_elsewhere(place: Place) -> None:
    with place.site.serving("hubbub", 1) as (server,):
        door = by_token(server.url, place.alice["token"])
        async with door.stream(ROOM) as stream:
            await joined(stream)
            await place.post(0, "before")
            await stream.frame("message.posted")
            ending = asyncio.to_thread(server.stop)
            task = asyncio.ensure_future(ending)
            assert await stream.ended() == {"code": 1012, "reason": "Restart"}
            await task
            known = stream.id
    await place.post(0, "meanwhile")
    async with place.door(1).stream(ROOM, resume=known) as stream:
        answer = await joined(stream)
        assert [event["message"]["body"] for event in answer["events"]] == ["meanwhile"]


async def test_a_client_that_never_reads_is_cut_and_holds_no_memory(place: Place) -> None:
    limits = {"HUBBUB_ANSWER_BYTES": "65536", "HUBBUB_OUTBOX_BYTES": "131072", "HUBBUB_ANSWER_SECONDS": "2"}
    with place.site.serving("hubbub", 1, **limits) as (server,), socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect(("127.0.0.1", server.port))
        token = place.alice["token"]
        head = [f"GET /live/events?topic={ROOM} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}"]
        stuck.sendall("\r\n".join([*head, "", ""]).encode())
        memory = psutil.Process(server.process.pid)
        async with opened(server.url, token=place.bob["token"]) as client:
            await client.join("lounge")
            for _ in range(10):
                await client.post("lounge", "x")
            before = memory.memory_info().rss
            for _ in range(POSTS):
                await client.post("lounge", "x" * 4000)
            assert memory.memory_info().rss - before < MAX_GROWN
        async with asyncio.timeout(20):
            size = await asyncio.to_thread(_read_all, stuck)
        assert 0 < size < POSTS * 4000


def _read_all(stuck: socket.socket) -> int:
    """The bytes until the server's end of the connection."""
    size = 0
    with suppress(ConnectionError):
        while part := stuck.recv(1 << 16):
            size += len(part)
    return size
