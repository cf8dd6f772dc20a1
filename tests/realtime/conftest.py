from collections.abc import AsyncIterator

import pytest
from channels.layers import get_channel_layer

from realtime.hub import Hub
from tests.personas import alice, bob, root  # noqa: F401
from tests.realtime.hubs import Truth


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    one = Hub()
    yield one
    await one.close()
    await get_channel_layer().flush()
