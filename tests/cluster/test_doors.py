"""Topics by HTTP and server-sent events, on two processes: the promises of a socket, for clients without one."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from tests.support.client import opened
from tests.support.door_client import by_token
from tests.support.door_place import ROOM, Place, joined, serving_doors

pytestmark = pytest.mark.cluster

POSTS = 3000  # 12 MB, more than the kernel takes for a client that does not read.
MAX_GROWN = 24 << 20


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serving_doors(tmp_path_factory.mktemp("doors")) as place:
        yield place


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
        name = (await stream.frame("hello"))["stream"]
        for process in (0, 1):
            answer = await place.door(process).command("join", topic=ROOM, stream=name)
            assert answer.status == 202
            assert (await stream.frame("ok", ref=1))["topic"] == ROOM
            posted = await place.post(process, "by post")
            assert (await stream.frame("message.posted", position=posted["position"]))["topic"] == ROOM
            await place.door(1 - process).command("leave", topic=ROOM, stream=name)
            assert (await stream.frame("ok", ref=1)) == {"type": "ok", "ref": 1, "topic": ROOM}
        stream.frames.clear()
        # Of another user: the stream does not run it.
        await place.door(0, "bob").command("join", topic=ROOM, stream=name)
        assert (await place.door(0).command("state", topic=ROOM, stream=name)).status == 200
        await place.door(1).command("join", topic="room/none", stream=name)
        assert (await stream.frame("error", ref=1))["code"] == "not_found"
        assert not stream.frames


async def test_presence_counts_streams(place: Place) -> None:
    async with place.door(0).stream(ROOM) as stream:
        await joined(stream)
        async with place.door(1, "bob").stream(ROOM) as other:
            await joined(other)
            # A change may have others as well, such as those of the test before.
            bob = {"id": place.bob["id"], "name": "bob"}
            while bob not in (await stream.frame("presence.changed"))["joined"]:
                pass
        while bob not in (await stream.frame("presence.changed"))["left"]:
            pass


async def test_an_idle_stream_gets_comments(place: Place) -> None:
    async with place.door(0).stream() as stream:
        async with asyncio.timeout(10):
            while stream.comments < 2:
                await stream.read()


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
        stuck.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode())
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
