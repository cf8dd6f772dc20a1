"""Generated frames and bytes: always an answer or a clean end, no traceback, no saved rows."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.raw_client import CLOSE, TEXT, frame, opened
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

FRAMES = 20  # In one example: they go out together, on one socket.
FRAMES_OF_A_TOPIC = 7  # With the join so many as may be in flight of a topic without batches: more are `rate_limited`.
STREAMS = 4
CLOSES = {1000, 1002, 1005, 1007, 1009}  # 1000 and 1005: what it closed with itself, said back.

LOUNGE = "room/lounge"

# Frames

NAMES = [
    *("history", "join", "leave", "message.delete", "message.edit", "message.post", "ping"),
    "auth",
    "ok",
    "hello",
    "message.posted",
    "",
]
FIELDS = [
    *("ref", "topic", "id", "body", "seq", "before", "since", "around", "limit", "after", "epoch", "token", "type", "x")
]

texts = st.text(st.characters(exclude_categories=()), max_size=20)  # Lone surrogates and NUL among them.
numbers = st.integers(-(2**70), 2**70) | st.floats() | st.integers(-2, 101)
topics = st.sampled_from(["lounge", "nowhere", "LOUNGE", "lounge\x00", "../lounge", "\ud800", ""]).map("room/{}".format)
topics |= st.sampled_from(["metrics", "metrics/", "room", "lounge", "\ud800/lounge", "nothing/1", ""])
ids = st.uuids().map(str) | texts
values = st.recursive(
    st.none() | st.booleans() | numbers | texts | topics | ids,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
commands = st.builds(
    lambda name, ref, fields: {"type": name, "ref": ref, **fields},
    st.sampled_from(NAMES),
    st.integers(0, 2**53) | values,
    st.dictionaries(st.sampled_from(FIELDS), values, max_size=4)
    | st.fixed_dictionaries(
        {},
        optional={"topic": topics, "id": ids, "body": texts, "seq": numbers, "limit": numbers, "before": numbers},
    ),
)
# Nearly right, so that some get past the parser.
plausible = st.builds(
    lambda fields, ref, slip: {**fields, "ref": ref, **slip},
    st.one_of(
        st.builds(
            lambda text, message_id: {"type": "message.post", "topic": LOUNGE, "id": message_id, "body": text},
            texts,
            ids,
        ),
        st.builds(lambda seq: {"type": "message.edit", "topic": LOUNGE, "seq": seq, "body": "x"}, numbers),
        st.builds(lambda seq: {"type": "message.delete", "topic": LOUNGE, "seq": seq}, numbers),
        st.builds(
            lambda after, epoch: {"type": "join", "topic": LOUNGE, "after": after, "epoch": epoch}, numbers, texts
        ),
        st.builds(
            lambda seq, most: {"type": "history", "topic": LOUNGE, "around": seq, "limit": most}, numbers, numbers
        ),
        st.builds(lambda topic: {"type": "leave", "topic": topic}, topics),
    ),
    st.integers(0, 2**53),
    st.just({}) | st.just({}) | st.dictionaries(st.sampled_from(FIELDS), values, max_size=1),
)
# Python writes NaN and Infinity as words, and what has no character as an escape: no JSON, some of it.
objects = (plausible | commands | values).map(json.dumps)
broken = st.builds(
    lambda text, at, junk: text[:at] + junk + text[at:], objects, st.integers(0, 60), st.text(max_size=3)
)
deep = st.builds(
    lambda word, times: word * times, st.sampled_from(["[", '{"a":', "9", "[[]", '"']), st.integers(1, 2500)
)
frames = st.one_of(
    objects.map(lambda text: frame(TEXT, text.encode())),
    broken.map(lambda text: frame(TEXT, text.encode())),
    deep.map(lambda text: frame(TEXT, text.encode())),
    st.text(max_size=40).map(lambda text: frame(TEXT, text.encode())),
    st.binary(max_size=40).map(lambda payload: frame(2, payload)),
)

# Bytes after the handshake

pieces = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda opcode, payload, first, masked, size: frame(opcode, payload, first=first, masked=masked, size=size),
        st.integers(0, 15),
        st.binary(max_size=130),
        st.sampled_from([0x00, 0x80, 0x80, 0x90, 0xC0, 0xF0]),
        st.booleans(),
        st.none() | st.integers(0, 2**64 - 1),
    ),
)
streams = st.lists(pieces | frames, min_size=1, max_size=6).map(b"".join)

# Where a socket is, and whether it has said who it is.
places = st.tuples(st.sampled_from(["/ws/chat/", "/ws/chat/", "/ws/monitor/"]), st.booleans())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("site"))
    site.shell("from chat import services; services.create_room(slug='lounge', title='Lounge')")
    return site


@pytest.fixture(scope="module")
def cookie(site: Site) -> str:
    return site.make_user("alice", "view_dashboard")["cookie"]


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with site.serving("hubbub", 1, HUBBUB_BAD_FRAMES="10000") as (server,):
        yield server
        log = server.log.read_text()
        assert "Traceback" not in log
        assert "ERROR" not in log


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as asyncio_runner:
        yield asyncio_runner


async def answers_to(server: Server, cookie: str, sent: list[bytes], path: str) -> list[dict[str, Any]]:
    """Join, send all at once, and return every frame up to the answer to the ping at the end."""
    async with opened(server, cookie, path) as raw:
        raw.send(frame(TEXT, b'{"type": "join", "ref": "fuzz-join", "topic": "room/lounge"}'))
        raw.send(*sent)
        got: list[dict[str, Any]] = []
        answered = 0
        while answered < len(sent) + 1:
            opcode, payload = await raw.frame()
            assert opcode == TEXT, (opcode, payload)
            got.append(json.loads(payload))
            answered += got[-1]["type"] in ("ok", "error", "pong")
        raw.send(frame(TEXT, b'{"type": "ping", "ref": "fuzz-end"}'))
        while (received := json.loads((await raw.frame())[1])).get("ref") != "fuzz-end":
            # Events of one's own posts may still be on the way; answers may not: each frame has had its one.
            assert received["type"] not in ("ok", "error", "pong"), received
        return got


def check_frames(
    server: Server, site: Site, cookie: str, runner: asyncio.Runner, sent: list[bytes], path: str = "/ws/chat/"
) -> None:
    before = on_record(site)
    got = runner.run(answers_to(server, cookie, sent, path))
    codes = {frame["code"] for frame in got if frame["type"] == "error"}
    assert codes <= {"invalid", "not_found", "too_long", "forbidden", "conflict"}
    # The room counts without a hole: a repeated post is answered with its old number.
    results = [frame.get("result") for frame in got if frame["type"] == "ok"]
    saved = {result["seq"] for result in results if isinstance(result, dict) and result.get("seq", 0) > before}
    assert on_record(site) - before == len(saved)


def check_streams(
    server: Server, cookie: str, runner: asyncio.Runner, sent: list[bytes], place: tuple[str, bool]
) -> None:
    path, is_known = place

    async def end_of(stream: bytes) -> None:
        async with opened(server, cookie if is_known else "", path) as raw:
            # A close at the end, which is read only if what came before left the rules intact.
            raw.send(stream, frame(CLOSE, (1000).to_bytes(2)))
            raw.writer.write_eof()
            code = await raw.close_code()
            assert code in CLOSES | {1006} or 3000 <= code < 5000, code

    async def all_at_once() -> None:
        async with opened(server, cookie) as neighbour:
            await asyncio.gather(*map(end_of, sent))
            neighbour.send(frame(TEXT, b'{"type": "ping", "ref": 1}'))
            assert await neighbour.frame() == (TEXT, b'{"type":"pong","ref":1}')

    runner.run(all_at_once())


def on_record(site: Site) -> int:
    with closing(sqlite3.connect(site.folder / "site.sqlite3")) as database:
        count: int = database.execute("SELECT count(*) FROM chat_message").fetchone()[0]
        return count


def lists_of(strategy: st.SearchStrategy[bytes], size: int) -> st.SearchStrategy[list[bytes]]:
    return st.lists(strategy, min_size=size, max_size=size)


def examples(count: int, *, derandomize: bool) -> Callable[[Any], Any]:
    return settings(
        max_examples=count,
        derandomize=derandomize,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@given(sent=lists_of(frames, FRAMES))
@examples(130, derandomize=True)
def test_any_frame_has_one_answer(
    server: Server, site: Site, cookie: str, runner: asyncio.Runner, sent: list[bytes]
) -> None:
    check_frames(server, site, cookie, runner, sent)


@given(sent=lists_of(frames, FRAMES_OF_A_TOPIC))
@examples(30, derandomize=True)
def test_any_frame_has_one_answer_on_the_dashboard_too(
    server: Server, site: Site, cookie: str, runner: asyncio.Runner, sent: list[bytes]
) -> None:
    check_frames(server, site, cookie, runner, sent, "/ws/monitor/")


@given(sent=lists_of(streams, STREAMS), place=places)
@examples(100, derandomize=True)
def test_any_bytes_end_their_socket_only(
    server: Server, cookie: str, runner: asyncio.Runner, sent: list[bytes], place: tuple[str, bool]
) -> None:
    check_streams(server, cookie, runner, sent, place)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@given(sent=lists_of(frames, FRAMES))
@examples(4_500, derandomize=False)
def test_ninety_thousand_frames_have_one_answer_each(
    server: Server, site: Site, cookie: str, runner: asyncio.Runner, sent: list[bytes]
) -> None:
    check_frames(server, site, cookie, runner, sent)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@given(sent=lists_of(streams, STREAMS), place=places)
@examples(2_500, derandomize=False)
def test_ten_thousand_streams_of_bytes_end_their_sockets_only(
    server: Server, cookie: str, runner: asyncio.Runner, sent: list[bytes], place: tuple[str, bool]
) -> None:
    check_streams(server, cookie, runner, sent, place)
