"""Requests to the doors: whose they are, and what is wrong with them, on any server and with any settings of Django."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse

from hubbub.asgi.doors import csrf
from hubbub.auth.tokens import create_token
from hubbub.consumers.topic_joins import TopicJoins
from hubbub.protocol import CloseCode
from hubbub.runtime import runtime
from tests.support.door_request import Doors, Request, cookie_of, page_of
from tests.support.polls.topics import BoardTopic, PollTopic
from tests.support.polls.walls import WallTopic
from tests.support.scripted_sign_in import SITE
from tests.support.topic_page import in_thread

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]

PLAN = "board/plan"
JSON = {"content-type": "application/json"}
PING = b'{"type":"ping","ref":1}'
OWN = {"origin": "http://testserver"}


@pytest.fixture
async def page(alice: Any, served: None) -> Doors:
    return await page_of(alice, BoardTopic)


@pytest.fixture
def walls(settings: Any) -> Iterator[None]:
    settings.HUBBUB = settings.HUBBUB | {"AUTHENTICATE": SITE}
    yield
    for kept in (WallTopic.lines, WallTopic.closed, WallTopic.joined):
        kept.clear()  # type: ignore[attr-defined]


def failure_view(request: HttpRequest, reason: str = "") -> HttpResponse:
    raise AssertionError("a view of pages was called")


count_sessions: Any = sync_to_async(Session.objects.count)


async def writing(page: Doors, stream: Request) -> dict[str, str]:
    """The headers of a POST by a page, with the token and the cookies of its stream."""
    hello = await stream.frame("hello")
    cookies = [page.headers["cookie"], stream.headers.get("set-cookie", "").split(";")[0]]
    return {**JSON, **OWN, "cookie": "; ".join(filter(None, cookies)), "x-csrftoken": hello["csrf"]}


# CSRF


async def test_a_refused_token_calls_no_view_of_pages(page: Doors, settings: Any) -> None:
    settings.CSRF_FAILURE_VIEW = f"{__name__}.failure_view"
    refused = await page.request("POST", "/live/command", PING, JSON | OWN)
    assert (refused.status, refused.json["code"]) == (403, "csrf")


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "application/x-www-form-urlencoded; charset=latin-1", "text/plain"]
)
async def test_a_body_of_a_form_is_refused_before_django_reads_it(page: Doors, kind: str) -> None:
    refused = await page.request("POST", "/live/command", PING, OWN | {"content-type": kind})
    assert (refused.status, refused.json["code"]) == (415, "invalid")


async def test_tokens_in_sessions(alice: Any, page: Doors, settings: Any) -> None:
    settings.CSRF_USE_SESSIONS = True
    async with page.stream() as stream:
        headers = await writing(page, stream)
        assert (await page.request("POST", "/live/command", PING, headers)).status == 200
        wrong = await page.request("POST", "/live/command", PING, headers | {"x-csrftoken": "x" * 64})
        assert (wrong.status, wrong.json["code"]) == (403, "csrf")


async def test_a_request_may_ask_whose_sign_in_it_has(alice: Any, page: Doors) -> None:
    async with page.stream() as stream:
        headers = await writing(page, stream)
        answer = await page.request("POST", "/live/command", b'{"type": "hello", "ref": 1}', headers)
        assert (answer.status, answer.json["type"]) == (200, "hello")
        assert answer.json["user"] == {"id": str(alice.pk), "name": alice.get_username()}
        assert "csrf" not in answer.json
        refused = await page.request("POST", "/live/command", b'{"type": "hello", "ref": 1}', JSON | OWN)
        assert (refused.status, refused.json["code"]) == (403, "csrf")


async def test_nobody_makes_a_session_without_a_sign_in(served: None, settings: Any) -> None:
    settings.CSRF_USE_SESSIONS = True
    for headers in ({}, {"sec-fetch-site": "same-origin"}, {"cookie": "sessionid=" + "x" * 32}, OWN):
        refused = await Doors(BoardTopic).request("GET", "/live/events", b"", headers)
        assert refused.status in (401, 403)
        assert "set-cookie" not in refused.headers
    assert await count_sessions() == 0


async def test_a_session_that_cannot_be_saved_or_read_is_503(
    page: Doors, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CSRF_USE_SESSIONS = True

    def away(scope: Any) -> Any:
        raise OperationalError("away")

    monkeypatch.setattr(csrf, "_request", away)
    for answer in (
        await page.request("GET", "/live/events"),
        await page.request("POST", "/live/command", PING, JSON | OWN),
    ):
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        assert "retry-after" in answer.headers
    assert not runtime().hub.streams


# Origins


async def test_a_page_behind_a_proxy_with_tls_of_its_own_header(page: Doors, settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_SCHEME", "https")
    for scheme, status in (("https", 200), ("http", 200)):
        answer = await page.request("GET", f"/live/state?topic={PLAN}", headers={"x-scheme": scheme})
        assert answer.status == status, answer.body


async def test_without_a_host_no_page_is_the_sites_own(page: Doors) -> None:
    del page.headers["host"]
    assert (await page.request("GET", f"/live/state?topic={PLAN}")).status == 403


# Streams of others


async def test_a_visitor_does_nothing_with_the_stream_of_another_visitor(walls: None, served: None) -> None:
    doors = Doors(WallTopic, **OWN)
    async with doors.stream("wall/a") as stream:
        hello = await stream.frame("hello")
        await stream.frame("ok", ref=0)
        assert (await doors.command("leave", hello["connection"], topic="wall/a")).status == 202
        await doors.command("wave", hello["stream"], ref="mine", topic="wall/a")
        await stream.frame("waved")
        assert not [frame for frame in stream.frames if frame.get("ref") == "p"]


async def test_a_token_does_no_more_by_the_stream_of_its_user(alice: Any, page: Doors) -> None:
    _, text = await in_thread(create_token)(user=alice, name="reads", expires_at=None, scopes=["poll.read"])
    robot = Doors(BoardTopic, PollTopic, authorization=f"Bearer {text}")
    async with page.stream(PLAN) as stream:
        name = (await stream.frame("hello"))["stream"]
        await stream.frame("ok", ref=0)
        refused = await robot.command("leave", name, topic=PLAN)
        assert (refused.status, refused.json["code"]) == (403, "forbidden")
        assert not [frame for frame in stream.frames if frame.get("ref") == "p"]


# Bad requests


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"join","ref":' + b"[" * 50_000,
        b'{"type":"join","ref":1,"more":' + b"[" * 50_000,
        b'{"type":"join","ref":{},"topic":"board/plan"}',
        b'{"type":"join","ref":1,"topic":[]}',
        b'{"type":7,"ref":1}',
        b"[]",
        b"null",
        b"",
    ],
)
async def test_a_body_that_is_no_command_is_400(page: Doors, body: bytes) -> None:
    async with page.stream() as stream:
        headers = await writing(page, stream)
        name = (await stream.frame("hello"))["stream"]
        for query in ("", f"?stream={name}"):
            refused = await page.request("POST", f"/live/command{query}", body, headers)
            assert (refused.status, refused.json["code"]) == (400, "invalid")


async def test_a_name_of_a_stream_is_one_and_short(page: Doors) -> None:
    for query in (f"stream={'x' * 300}", "stream=a&stream=b"):
        refused = await page.request("POST", f"/live/command?{query}", PING, JSON | OWN)
        assert (refused.status, refused.json["code"]) == (400, "invalid")


@pytest.mark.parametrize(("version", "header"), [("1.1", "close"), ("2", None), ("3", None)])
async def test_http_2_has_no_header_connection(served: None, version: str, header: str | None) -> None:
    body, length = b"x" * 70_000, {"content-length": "70000"}
    for headers in (JSON, JSON | length):
        refused = await Doors(BoardTopic).request("POST", "/live/command", body, headers, http_version=version)
        assert (refused.status, refused.headers.get("connection")) == (413, header)


async def test_a_body_that_does_not_arrive_is_408(served: None, settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"REQUEST_SECONDS": 1}
    request = Request()
    scope = {"type": "http", "path": "/live/command", "method": "POST", "query_string": b""}
    request.inbox.put_nowait({"type": "http.request", "body": b"{", "more_body": True})
    headers = [(b"host", b"testserver"), (b"content-type", b"application/json")]
    await Doors(BoardTopic).application({**scope, "headers": headers}, request.inbox.get, request.send)
    assert (request.status, request.json["code"]) == (408, "invalid")


async def test_a_state_with_a_viewer_that_fits_into_no_frame_is_413(
    page: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoardTopic, "viewer", lambda self, user: "x" * 100_000)
    answer = await page.request("GET", f"/live/state?topic={PLAN}")
    assert (answer.status, answer.json["code"]) == (413, "too_long")


async def test_an_answer_without_content_says_no_length(page: Doors) -> None:
    whole = await page.request("GET", f"/live/state?topic={PLAN}")
    known = await page.request("GET", f"/live/state?topic={PLAN}", headers={"if-none-match": whole.headers["etag"]})
    assert (known.status, known.body) == (304, b"")
    assert known.headers.keys() == {"etag", "cache-control", "x-content-type-options"}


async def test_methods_and_paths(page: Doors) -> None:
    for method in ("HEAD", "OPTIONS", "PUT", "TRACE"):
        refused = await page.request(method, f"/live/state?topic={PLAN}")
        assert (refused.status, refused.headers["allow"]) == (405, "GET")
    below = await page.request("GET", f"/site/live/state?topic={PLAN}", root_path="/site")
    stripped = await page.request("GET", f"/live/state?topic={PLAN}", root_path="/site")
    assert (below.status, stripped.status) == (200, 200)
    for path, root in (("/site/live/state", ""), ("/live/states", "/site")):
        assert (await page.request("GET", f"{path}?topic={PLAN}", root_path=root)).body == b"a page"


@pytest.mark.parametrize(
    ("code", "status"),
    [(CloseCode.SESSION_ENDED, 401), (CloseCode.RATE_LIMITED, 429), (CloseCode.OVERLOADED, 503)],
)
async def test_an_end_before_the_answer_has_the_status_of_its_code(
    page: Doors, monkeypatch: pytest.MonkeyPatch, code: int, status: int
) -> None:
    async def ends(self: Any, topic: Any) -> Any:
        self.outbox.close(code, "")
        await asyncio.Event().wait()

    monkeypatch.setattr(TopicJoins, "_read", ends)
    monkeypatch.setattr("hubbub.consumers.consumer.FINISH_SECONDS", 0.01)
    answer = await page.request("GET", f"/live/state?topic={PLAN}")
    assert answer.status == status, answer.body


async def test_a_token_in_the_header_needs_no_origin_and_gets_no_token_of_pages(alice: Any, served: None) -> None:
    _, text = await in_thread(create_token)(user=alice, name="robot", expires_at=None)
    doors = Doors(BoardTopic, authorization=f"Bearer {text}", cookie=await cookie_of(alice))
    async with doors.stream(PLAN) as stream:
        hello = await stream.frame("hello")
        assert "csrf" not in hello
        assert "set-cookie" not in stream.headers
    sent = await doors.request("POST", "/live/command", json.dumps({"type": "ping", "ref": 1}).encode(), JSON)
    assert sent.json == {"type": "pong", "ref": 1}
