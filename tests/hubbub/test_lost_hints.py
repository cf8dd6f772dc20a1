"""Lists of users change by hints alone: they are compared while Redis is away, and once all processes are back."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from hubbub.delivery import reconciler as reconciler_module
from hubbub.delivery import service_state
from hubbub.delivery.reconciler import Reconciler
from hubbub.delivery.recovery import Recovery, StreamPosition
from hubbub.delivery.service_state import ServiceState

HINTLESS_SECONDS = 0.3
SETTLE_SECONDS = 0.5


class WatchedFeed:
    """A feed that counts its comparisons."""

    local = StreamPosition("", 0)

    def __init__(self, needs_hints: bool) -> None:
        self.needs_hints = needs_hints
        unused: Any = None
        self.recovery = Recovery(unused, self._nothing, None, self._nothing)
        self.compared: list[float] = []

    async def _nothing(self, names: Any) -> dict[str, Any]:
        return {}

    def compare(self, local: StreamPosition, recorded: StreamPosition | None) -> None:
        self.compared.append(asyncio.get_running_loop().time())

    async def pause(self, count: int) -> None:
        """Wait until it has been compared once more so often."""
        count += len(self.compared)
        async with asyncio.timeout(5):
            while len(self.compared) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
def often(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HUBBUB = settings.HUBBUB | {"RECONCILE_SECONDS": 0.1}
    monkeypatch.setattr(reconciler_module, "HINTLESS_SECONDS", HINTLESS_SECONDS)
    monkeypatch.setattr(service_state, "SETTLE_SECONDS", SETTLE_SECONDS)


@pytest.mark.slow
async def test_lists_are_compared_while_redis_is_away_and_once_all_are_back(often: None) -> None:
    lists, state = WatchedFeed(needs_hints=True), WatchedFeed(needs_hints=False)
    subscriptions: Any = {
        name: SimpleNamespace(group=SimpleNamespace(tracked=feed, feed=feed))
        for name, feed in (("lists", lists), ("state", state))
    }
    service = ServiceState()
    reconciler = Reconciler(subscriptions, lambda name, version: None, lambda: service.may_miss)
    task = asyncio.create_task(reconciler.run())
    try:
        await asyncio.sleep(0.5)
        for feed in (lists, state):
            feed.compared.clear()  # The first round compares all.
        await asyncio.sleep(0.5)
        assert lists.compared == []  # Hints arrive: no list is read for nothing.
        service.lost()
        await lists.pause(3)
        gaps = [after - before for before, after in zip(lists.compared, lists.compared[1:], strict=False)]
        assert min(gaps) >= HINTLESS_SECONDS
        service.regained()
        back = asyncio.get_running_loop().time()
        async with asyncio.timeout(5):
            # Another process came back later, and what it told in between is lost.
            while not lists.compared or lists.compared[-1] < back + SETTLE_SECONDS:
                await asyncio.sleep(0.01)
        count = len(lists.compared)
        await asyncio.sleep(3 * HINTLESS_SECONDS)
        assert len(lists.compared) == count
        assert state.compared == []
    finally:
        task.cancel()
        await service.close()
