"""Anonymous visitors: what they may see and do, their limits, and what does not concern them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from msgspec.structs import replace

from hubbub import conf
from hubbub.auth.tokens import create_token
from hubbub.limits import quotas as quotas_module
from hubbub.limits.quotas import Quotas, VisitorSlot
from hubbub.protocol import Refused
from hubbub.runtime import runtime
from hubbub.testing import connect
from hubbub.topics import access
from tests.support.polls.walls import OfficeConsumer, OfficeTopic, WallConsumer, WallTopic
from tests.support.scripted_sign_in import ELSEWHERE, SITE, by_token, outcome
from tests.support.sign_ins import make_jwt
from tests.support.topic_page import Page, handshaken, in_thread, opened

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]

NOBODY = {"id": None, "name": ""}


@pytest.fixture(autouse=True)
def walls(settings: Any) -> Iterator[None]:
    settings.HUBBUB = settings.HUBBUB | {"AUTHENTICATE": SITE}
    yield
    for kept in (WallTopic.lines, WallTopic.closed, WallTopic.joined):
        kept.clear()  # type: ignore[attr-defined]


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """Set tunables for the quotas of this test."""
    settings.TRUSTED_PROXIES = ["10.0.0.1"]

    def set_limits(**tunables: Any) -> Quotas:
        quotas = Quotas(replace(conf.settings(), **tunables))
        for module in ("handshake", "consumer", "memberships"):
            monkeypatch.setattr(f"hubbub.consumers.{module}.quotas", lambda: quotas)
        monkeypatch.setattr(quotas_module, "quotas", lambda: quotas)
        return quotas

    return set_limits


@asynccontextmanager
async def visiting(address: str = "203.0.113.7", consumer: Any = WallConsumer) -> AsyncIterator[Page]:
    async with handshaken(consumer, address=address) as page:
        assert (await page.next("hello"))["user"] == NOBODY
        yield page


async def test_a_visitor_sees_a_public_topic_and_runs_its_public_commands(alice: Any) -> None:
    async with visiting() as page, opened(alice, WallConsumer) as other:
        joined = await page.ask("join", topic="wall/a")
        assert (joined["state"], joined["viewer"]) == ([], {"is_visitor": True})
        assert (await other.ask("join", topic="wall/a"))["viewer"] == {"is_visitor": False}
        assert (await page.ask("write", topic="wall/a", text="Hello"))["result"] == "AnonymousUser"
        for each in (page, other):
            assert (await each.next("changed"))["state"] == ["Hello"]
        assert (await page.ask("add", topic="wall/a", text="Batched"))["result"] == "AnonymousUser"
        assert (await page.ask("wave", topic="wall/a"))["type"] == "ok"
        assert (await other.next("waved"))["id"] is None


async def test_a_visitor_is_refused_all_else_and_learns_no_keys() -> None:
    async with visiting() as page:
        await page.ask("join", topic="wall/a")
        for kind in ("scrub", "nod"):
            assert (await page.ask(kind, topic="wall/a"))["code"] == "forbidden"
        answer = await page.ask("sign", topic="wall/a", id="1")
        assert (answer["code"], answer["detail"]) == (
            "invalid",
            "sign has an id, which counts by user: sign in to use it",
        )
        assert WallTopic.lines == []
        assert (await page.ask("carve", topic="wall/a", text="x"))["code"] == "forbidden"
        assert WallTopic.lines == []
        # A topic for users is forbidden, also by its public command; a wrong key does not show.
        for kind, topic in (
            ("join", "office"),
            ("join", "vault"),
            ("knock", "office"),
            ("join", "board/plan"),
            ("join", "board/0"),
        ):
            assert (await page.ask(kind, topic=topic))["code"] == "forbidden"
        assert (await page.ask("note.add", topic="board/plan", id="1", text="x"))["code"] == "forbidden"
        assert (await page.ask("join", topic="nothing"))["code"] == "not_found"


async def test_a_visitor_is_not_present_and_calls_no_hooks(alice: Any) -> None:
    async with opened(alice, WallConsumer) as page:
        await page.ask("join", topic="wall/a")
        assert (await page.next("presence.changed"))["count"] == 1
        async with visiting() as visitor:
            joined = await visitor.ask("join", topic="wall/a")
            assert (joined["present"]["count"], [user["name"] for user in joined["present"]["users"]]) == (1, ["alice"])
        await page.ask("ping")
        assert [frame["type"] for frame in page.unread() if frame["type"] == "presence.changed"] == []
    assert WallTopic.joined == ["alice"]


async def test_a_public_topic_that_closes_ends_for_visitors_too(alice: Any) -> None:
    async with visiting() as page, visiting("203.0.113.8") as other:
        for each in (page, other):
            await each.ask("join", topic="wall/a")
            await each.ask("join", topic="wall/b")
        WallTopic.closed.add("a")
        await in_thread(WallTopic("a").access_changed)()
        for each in (page, other):
            assert await each.next("closed") == {"type": "closed", "topic": "wall/a", "code": "not_found"}
        assert (await page.ask("join", topic="wall/a"))["code"] == "not_found"
        assert (await page.ask("write", topic="wall/b", text="x"))["type"] == "ok"


async def test_changes_of_users_do_not_concern_a_visitor(alice: Any) -> None:
    async with visiting() as page:
        await page.ask("join", topic="wall/a")
        runtime().revocation.check_all()
        await in_thread(alice.delete)()
        assert (await page.ask("write", topic="wall/a", text="x"))["type"] == "ok"
        assert not runtime().revocation.sockets._by_user


async def test_an_endpoint_without_public_topics_asks_for_a_token() -> None:
    async with handshaken(OfficeConsumer) as page:
        assert (await page.next())["type"] == "auth.required"
        page.put('{"type": "auth", "token": ""}')
        assert await outcome(page) == 4001


async def test_from_another_origin_a_visitor_is_asked_first(alice: Any) -> None:
    token = make_jwt(str(alice.pk), 60)
    for text, expected in (("", None), (token, str(alice.pk)), ("x", 4001)):
        async with by_token(text, WallConsumer) as page:
            assert await outcome(page) == expected
    async with handshaken(WallConsumer, cookie="sessionid=x", origin=ELSEWHERE) as page:
        assert await outcome(page) == 4005


async def test_a_token_without_the_scope_does_less_than_a_visitor_and_a_visitor_needs_none(alice: Any) -> None:
    _, text = await in_thread(create_token)(user=alice, name="x", expires_at=None, scopes=["office.read"])
    async with by_token(text, WallConsumer) as page:
        await page.next("hello")
        assert (await page.ask("join", topic="wall/a"))["detail"] == "the token lacks the scope wall.read"


async def test_visitors_are_counted_by_network(limits: Any) -> None:
    quotas = limits(max_visitors_per_address=2, commands_burst=3, commands_per_second=1)
    async with visiting("2001:db8:1:2::1") as page, visiting("2001:db8:1:2::2") as other:
        async with handshaken(WallConsumer, address="2001:db8:1:2::3") as third:
            assert await third.next() == {"type": "close"}  # Before accept.
        assert quotas._slots == {VisitorSlot("2001:db8:1:2::/64"): 2}
        answers = [await each.ask("ping") for each in (page, other, page, other)]
        assert [answer["type"] for answer in answers] == ["pong"] * 3 + ["error"]
        async with visiting("2001:db8:1:3::1") as elsewhere:
            assert (await elsewhere.ask("ping"))["type"] == "pong"
    assert quotas._slots == {}


async def test_visitors_take_no_place_of_sockets_that_sign_in(limits: Any, alice: Any) -> None:
    quotas = limits(max_visitors=1, max_unauthenticated=1)
    async with visiting() as page:
        async with handshaken(WallConsumer) as second:
            assert await second.next() == {"type": "close"}
        # By the first message: the place of a socket without a user is given back.
        async with by_token("", WallConsumer) as third:
            assert await outcome(third) == 4009
        async with by_token(make_jwt(str(alice.pk), 60), WallConsumer) as other:
            assert await outcome(other) == str(alice.pk)
        assert (await page.ask("ping"))["type"] == "pong"
    async with by_token("", WallConsumer) as page:
        assert await outcome(page) is None
        assert [*quotas._slots.values()] == [1]
    assert quotas._slots == {}


def test_a_recheck_asks_about_visitors_apart_from_users(alice: Any) -> None:
    ids = [str(alice.pk), ""]
    wall, closed, office = WallTopic("a"), WallTopic("b"), OfficeTopic()
    WallTopic.closed.add("b")
    assert access.denied([(wall, ids), (closed, ids)])[0] == {"wall/b": dict.fromkeys(ids, "not_found")}
    assert access.denied([(office, ids)])[0] == {"office": {"": "forbidden"}}


def test_a_topic_that_answers_by_hand_is_not_asked_about_visitors(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def denied(cls: Any, users: Any) -> Any:
        asked.append({key: {*ids} for key, ids in users.items()})
        return {"a": {str(alice.pk): "banned"}}

    monkeypatch.setattr(WallTopic, "denied", classmethod(denied))
    WallTopic.closed.add("b")
    found, _ = access.denied([(WallTopic("a"), [str(alice.pk), ""]), (WallTopic("b"), [""])])
    assert asked == [{"a": {str(alice.pk)}, "b": set()}]
    assert found == {"wall/a": {str(alice.pk): "banned"}, "wall/b": {"": "not_found"}}


def test_a_view_calls_public_commands_for_a_visitor(alice: Any) -> None:
    nobody = AnonymousUser()
    assert WallTopic("a").write(nobody, "x") == "AnonymousUser"
    assert WallTopic("a").add(nobody, text="y") == "AnonymousUser"
    assert WallTopic.lines == ["x", "y"]
    WallTopic.closed.add("b")
    refusals = {
        "forbidden": WallTopic("a").scrub,
        "not_found": lambda user: WallTopic("b").write(user, "x"),
        "invalid": lambda user: WallTopic("a").sign(user, id="1"),
        "unauthorized": OfficeTopic().knock,
    }
    for code, call in refusals.items():
        with pytest.raises(Refused) as refused:
            call(nobody)
        assert refused.value.code == code
    for call in (lambda user: WallTopic("a").unchecked().write(user, "x"), WallTopic("a").unchecked().scrub):
        with pytest.raises(Refused, match="signed out"):
            call(nobody)


async def test_a_test_has_pages_of_visitors(alice: Any) -> None:
    nobody = AnonymousUser()
    async with connect(WallTopic, "a", user=nobody) as page, connect(WallTopic, "a", user=alice) as other:
        assert page.viewer == {"is_visitor": True}
        assert await page.write(text="x") == "AnonymousUser"
        assert (await other.changed()) == ["x"]
        await page.wave()
        assert (await other.event("waved"))["id"] is None
        with pytest.raises(Refused, match="no permission for scrub"):
            await page.scrub()
        WallTopic.closed.add("a")
        await in_thread(WallTopic("a").access_changed)()
        assert await page.closed() == "not_found"
    with pytest.raises(Refused, match="no permission to see office"):
        async with connect(OfficeTopic, user=nobody):
            pass
