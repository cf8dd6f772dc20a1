"""Bounds on the outboxes of all sockets of a process, and on a socket's inbox."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from hubbub.delivery.backlog import Backlog
from hubbub.server.inbox import MAX_UNREAD, UNREAD_BYTES, Inbox

MIB = 1 << 20


class Waiting:
    def __init__(self, name: str, closed: list[str], backlog: Backlog) -> None:
        self.backlog = 0
        self._closing = lambda: (closed.append(name), backlog.set(self, 0))

    def give_up(self) -> None:
        self._closing()


@pytest.fixture
def bound(settings: Any) -> int:
    settings.HUBBUB = settings.HUBBUB | {"BACKLOG_BYTES": 4 * MIB}
    return 4 * MIB


def test_past_the_bound_only_the_slowest_are_closed(bound: int) -> None:
    closed: list[str] = []
    backlog = Backlog()
    sockets = {name: Waiting(name, closed, backlog) for name in ("a", "b", "c", "d")}
    for name, size in (("a", MIB), ("b", MIB // 2), ("c", 2 * MIB), ("d", MIB // 2)):
        backlog.set(sockets[name], size)
    assert (closed, backlog.bytes) == ([], bound)
    backlog.set(sockets["b"], MIB // 2 + 1)
    assert (closed, backlog.bytes) == (["c"], 2 * MIB + 1)


def test_sent_bytes_are_not_counted(bound: int) -> None:
    backlog = Backlog()
    waiting = Waiting("a", [], backlog)
    for size in (10, 500, 0, 3 * MIB, 20, 0):
        backlog.set(waiting, size)
        assert (backlog.bytes, waiting.backlog) == (size, size)
    assert not backlog._waiting


def frame(text: str) -> dict[str, Any]:
    return {"type": "websocket.receive", "text": text}


def inbox() -> tuple[Inbox, list[str]]:
    said: list[str] = []
    transport = SimpleNamespace(
        pauseProducing=lambda: said.append("pause"), resumeProducing=lambda: said.append("resume")
    )
    return Inbox(transport, lambda: said.append("look")), said


@pytest.mark.parametrize("char", ["x", "é", "漢", "\U0001f642"])
async def test_64_kib_and_the_frame_that_crosses_them_wait_to_be_read(char: str) -> None:
    """By bytes in memory: a character may have four."""
    box, said = inbox()
    texts = [char * 2_000] * MAX_UNREAD
    while not box.is_full:
        box.put_nowait(frame(texts.pop()))
    waiting = MAX_UNREAD - len(texts)
    assert 3 <= waiting <= UNREAD_BYTES / sys.getsizeof(char * 2_000) + 2
    assert said == ["pause"]
    for left in range(waiting - 1, -1, -1):
        await box.get()
        assert said == (["pause"] if left else ["pause", "look", "resume"])
    assert not box.is_full


async def test_buffered_bytes_refill_the_inbox_before_the_socket_is_read() -> None:
    said: list[str] = []
    transport = SimpleNamespace(
        pauseProducing=lambda: said.append("pause"), resumeProducing=lambda: said.append("resume")
    )
    left = [frame("x" * UNREAD_BYTES)] * 2

    def look() -> None:
        while left and not box.is_full:
            box.put_nowait(left.pop())

    box = Inbox(transport, look)
    for _ in range(2):
        box.put_nowait(frame("x" * UNREAD_BYTES))
    for _ in range(4):
        await box.get()
    assert said == ["pause", "pause", "resume"]
