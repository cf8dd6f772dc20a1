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
from tests.support.topic_page import Page, in_thread, opened

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


class DoorTopic(ShelfTopic, name="door", key=int):
    """Keeps what was called. Its state may be refused, its hooks may be held or fail."""

    calls: list[str] = []
    refusal: Refused | None = None
    refusal_of_viewer: Refused | None = None
    held = threading.Event()
    fails = False

    def state(self) -> Any:
        if self.refusal is not None:
            raise self.refusal
        return []

    def viewer(self, user: Any) -> Any:
        if self.refusal_of_viewer is not None:
            raise self.refusal_of_viewer

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


@pytest.mark.slow
async def test_a_slow_hook_delays_no_answer_and_a_join_is_answered_once(
    alice: Any, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "ANSWER_SECONDS", 1.5)
    DoorTopic.held.clear()
    async with opened(alice, DoorConsumer) as page:
        assert (await page.ask("join", topic="door/1"))["type"] == "ok"
        await page.ask("join", topic="door/2")
        await page.ask("leave", topic="door/2")
        await asyncio.sleep(2.0)
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


@pytest.mark.slow
async def test_a_join_past_the_deadline_is_followed_by_its_leave(
    alice: Any, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "ANSWER_SECONDS", 1.5)
    DoorTopic.held.clear()
    async with opened(alice, DoorConsumer) as page:
        assert (await page.ask("join", topic="door/1"))["type"] == "ok"
        await page.ask("leave", topic="door/1")
        await asyncio.sleep(3.5)  # The deadlines of both calls pass.
        assert calls == []
        DoorTopic.held.set()
        await until(lambda: calls == ["alice in 1", "alice out 1"])


@pytest.mark.slow
async def test_a_join_that_no_thread_takes_in_time_is_called_later(
    alice: Any, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "ANSWER_SECONDS", 1.5)
    DoorTopic.held.clear()
    async with opened(alice, DoorConsumer) as first, opened(alice, DoorConsumer) as second:
        assert (await first.ask("join", topic="door/1"))["type"] == "ok"
        assert (await second.ask("join", topic="door/2"))["type"] == "ok"
        await asyncio.sleep(3.5)  # The only writer is busy, and the deadlines of both calls pass.
        assert calls == []
        DoorTopic.held.set()
        await until(lambda: calls == ["alice in 1", "alice in 2"])
    assert sorted(calls[2:]) == ["alice out 1", "alice out 2"]


async def test_a_rejoin_that_is_refused_for_its_user_alone_ends_the_membership(
    alice: Any, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(alice, DoorConsumer) as other, opened(alice, DoorConsumer) as page:
        await other.ask("join", topic="door/1")
        await page.ask("join", topic="door/1")
        monkeypatch.setattr(DoorTopic, "refusal_of_viewer", Refused(ErrorCode.INVALID, "not now"))
        assert (await page.ask("join", topic="door/1"))["code"] == "invalid"
        await until(lambda: calls == ["alice in 1", "alice in 1", "alice out 1"])
        await in_thread(DoorTopic(1).tell)({"type": "rung"})
        await other.next("rung")
        assert (await page.ask("ping"))["type"] == "pong"
        assert page.unread() == []


async def let_states_wait(page: Page, other: Page) -> None:
    """Change the state for a page that does not read: the last frame waits to be replaced."""
    for reader in (other, page):
        await reader.ask("join", topic="door/1")
    page.reads.clear()
    await in_thread(DoorTopic(1).tell)({"type": "rung"})  # Its send waits, and all later frames behind it.
    await other.next("rung")
    for _ in range(2):
        await in_thread(DoorTopic(1).changed)()
        await other.next("changed")


async def test_a_state_that_waits_is_not_sent_behind_the_answer_to_a_rejoin(alice: Any, calls: list[str]) -> None:
    async with opened(alice, DoorConsumer) as other, opened(alice, DoorConsumer) as page:
        await let_states_wait(page, other)
        ref = page.send_frame("join", topic="door/1")
        await until(lambda: calls.count("alice in 1") == 3)
        page.reads.set()
        while (await page.next()).get("ref") != ref:
            pass
        assert (await page.ask("ping"))["type"] == "pong"
        assert page.unread() == []


async def test_a_state_that_waits_is_not_sent_behind_the_last_frame(alice: Any, calls: list[str]) -> None:
    async with opened(alice, DoorConsumer) as other, opened(alice, DoorConsumer) as page:
        await let_states_wait(page, other)
        await in_thread(DoorTopic(1).close)("ended")
        await until(lambda: calls.count("alice out 1") == 2)
        page.reads.set()
        await page.next("closed")
        assert (await page.ask("ping"))["type"] == "pong"
        assert page.unread() == []
