"""`on_join` and `on_leave`: in order, each join followed by one leave, however a socket leaves."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from hubbub import TopicConsumer, threads
from hubbub.consumers import topic_hooks
from hubbub.protocol import ErrorCode, Refused
from hubbub.topics.topic import _topics
from tests.support.hubs import until
from tests.support.polls.trials import ShelfTopic
from tests.support.topic_page import in_thread, opened

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


class DoorTopic(ShelfTopic, name="door", key=int):
    """Keeps what was called. Its state may be refused, its hooks may be held or fail."""

    calls: list[str] = []
    refusal: Refused | None = None
    held = threading.Event()
    fails = False

    def state(self) -> Any:
        if self.refusal is not None:
            raise self.refusal
        return []

    def on_join(self, user: Any) -> None:
        assert DoorTopic.held.wait(20)
        DoorTopic.calls.append(f"{user.username} in {self.key}")
        if DoorTopic.fails:
            raise ValueError("no such door")

    def on_leave(self, user: Any) -> None:
        DoorTopic.calls.append(f"{user.username} out {self.key}")


_topics.pop("door")  # Only this file has it.


class DoorConsumer(TopicConsumer):
    topics = [DoorTopic]


@pytest.fixture(autouse=True)
def calls(alice: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    alice.user_permissions.add(Permission.objects.get(codename="view_poll"))
    monkeypatch.setitem(_topics, "door", DoorTopic)
    monkeypatch.setattr(DoorTopic, "calls", [])
    DoorTopic.held.set()
    yield DoorTopic.calls
    DoorTopic.held.set()


async def test_joins_and_leaves_are_called_in_order(alice: Any, calls: list[str]) -> None:
    async with opened(alice, DoorConsumer) as page:
        steps = [("join", 1, 1), ("join", 2, 2), ("join", 1, 4), ("leave", 1, 5), ("leave", 1, 5)]
        for command, key, count in steps:
            await page.ask(command, topic=f"door/{key}")
            await until(lambda count=count: len(calls) == count)  # type: ignore[misc]
    assert calls == ["alice in 1", "alice in 2", "alice out 1", "alice in 1", "alice out 1", "alice out 2"]


async def test_an_eviction_is_a_leave(alice: Any, calls: list[str]) -> None:
    async with opened(alice, DoorConsumer) as page:
        await page.ask("join", topic="door/1")
        await until(lambda: calls == ["alice in 1"])
        await in_thread(DoorTopic(1).close)("ended")
        assert (await page.next("closed"))["code"] == "ended"
        await until(lambda: calls == ["alice in 1", "alice out 1"])
    assert len(calls) == 2


@pytest.mark.parametrize("code", [ErrorCode.NOT_FOUND, ErrorCode.TOO_LONG, ErrorCode.INVALID, "of_the_topic"])
async def test_a_refused_rejoin_is_a_leave_and_no_membership_stays(
    alice: Any, calls: list[str], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(alice, DoorConsumer) as page:
        await page.ask("join", topic="door/1")
        await until(lambda: calls == ["alice in 1"])
        monkeypatch.setattr(DoorTopic, "refusal", Refused(code, "not now"))
        assert (await page.ask("join", topic="door/1"))["code"] == code
        await until(lambda: calls == ["alice in 1", "alice out 1"])
        await in_thread(DoorTopic(1).tell)({"type": "rung"})
        assert (await page.ask("ping"))["type"] == "pong"
        assert "rung" not in [frame["type"] for frame in page.unread()]


async def test_a_rejoin_that_is_refused_for_now_keeps_the_membership(
    alice: Any, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(alice, DoorConsumer) as page:
        await page.ask("join", topic="door/1")
        refused = Refused(ErrorCode.UNAVAILABLE, "not now", retry_after_ms=10)
        monkeypatch.setattr(DoorTopic, "refusal", refused)
        assert (await page.ask("join", topic="door/1"))["retry_after_ms"] == 10
        await in_thread(DoorTopic(1).tell)({"type": "rung"})
        await page.next("rung")
        await until(lambda: calls == ["alice in 1"])


async def test_a_slow_hook_delays_no_answer_and_a_join_is_answered_once(
    alice: Any, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "ANSWER_SECONDS", 0.3)
    DoorTopic.held.clear()
    async with opened(alice, DoorConsumer) as page:
        assert (await page.ask("join", topic="door/1"))["type"] == "ok"
        await page.ask("join", topic="door/2")
        await page.ask("leave", topic="door/2")
        await asyncio.sleep(0.5)
        assert page.unread() == []
        DoorTopic.held.set()
        await until(lambda: calls == ["alice in 1"])
    # The second was left before its hook was called.
    assert calls == ["alice in 1", "alice out 1"]


async def test_a_hook_that_fails_stops_no_other(
    alice: Any, calls: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DoorTopic, "fails", True)
    with caplog.at_level(logging.ERROR, topic_hooks.__name__):
        async with opened(alice, DoorConsumer) as page:
            await page.ask("join", topic="door/1")
            await page.ask("join", topic="door/2")
            await until(lambda: len(calls) == 2)
    assert calls == ["alice in 1", "alice in 2", "alice out 1", "alice out 2"]
    assert caplog.text.count("topic door/1: on_join failed") == 1
    assert "no such door" in caplog.text
