"""The service that tells people's pages what changed: its end holds up nothing."""

import asyncio
import threading
import time
from typing import Any

import pytest

from chat import background

pytestmark = [pytest.mark.django_db(transaction=True)]


async def test_an_end_while_the_database_hangs_does_not_hold_up_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, released = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        released.wait(3)

    monkeypatch.setattr(background, "work", hang)
    service = asyncio.create_task(background.run())
    await asyncio.to_thread(begun.wait, 3)
    start = time.monotonic()
    for _ in range(2):  # A second time: the process gives up waiting.
        service.cancel()
        await asyncio.sleep(0.05)
    assert service.done()
    assert time.monotonic() - start < 1
    released.set()
    await asyncio.to_thread(_wait_for_threads)


def _wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("chat-telling"):
            thread.join(3)


async def test_its_connections_are_closed_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Any] = []
    monkeypatch.setattr(background, "work", lambda: None)
    close_all = background.connections.close_all
    monkeypatch.setattr(
        background.connections, "close_all", lambda: (closed.append(threading.current_thread().name), close_all())
    )
    service = asyncio.create_task(background.run())
    await asyncio.sleep(0)
    service.cancel()
    with pytest.raises(asyncio.CancelledError):
        await service
    assert len(closed) == 1
    assert closed[0].startswith("chat-telling")
