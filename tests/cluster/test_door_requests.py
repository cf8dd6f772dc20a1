"""Requests to the doors: who they act for, and what is wrong with them."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.door_client import Door, by_cookie
from tests.support.door_place import ROOM, Place, joined, serving_doors

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serving_doors(tmp_path_factory.mktemp("doors")) as place:
        yield place


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
            f"""
            from django.contrib.sessions.models import Session
            Session.objects.get(pk={user["cookie"]!r}).delete()
            """
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
