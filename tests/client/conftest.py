import asyncio
from collections.abc import AsyncIterator

import pytest

from hubbub.client import hub, timing


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "BACK_OFF_SECONDS", 0.01)
    monkeypatch.setattr(hub, "MIN_RETRY_SECONDS", 0.01)


@pytest.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}
