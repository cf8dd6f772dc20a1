"""Servers and the channel layer: they refuse wrong settings, and take Redis from HUBBUB."""

import asyncio
from typing import Any

import pytest
from channels.layers import get_channel_layer

from hubbub.asgi import services, with_services
from hubbub.process.metrics import COUNTERS


async def never(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError(scope)


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Applications are composed in this test, and their services do not run."""
    monkeypatch.setattr(services, "OWN_SERVICES", ())
    monkeypatch.setattr(services.publish, "send_from", lambda loop: None)
    monkeypatch.setattr(services.site, "is_served", False)


async def startup(application: Any) -> dict[str, Any]:
    """The answer to the start that servers with a lifespan announce."""
    received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    received.put_nowait({"type": "lifespan.startup"})
    serving = asyncio.create_task(application({"type": "lifespan"}, received.get, sent.put))
    try:
        return await sent.get()
    finally:
        serving.cancel()
        await asyncio.wait([serving])


@pytest.mark.usefixtures("composed")
async def test_a_server_with_a_lifespan_refuses_a_layer_in_memory(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    answer = await startup(with_services(never, services=[]))
    assert answer["type"] == "lifespan.startup.failed"
    assert answer["message"] == "The channel layer in memory connects no processes: servers refuse to start."


def test_an_application_is_not_composed_of_wrong_settings(settings: Any) -> None:
    """A server without a lifespan imports the application: it ends by one line, without a traceback."""
    settings.HUBBUB = settings.HUBBUB | {"MAX_SOCKET": 1}
    with pytest.raises(SystemExit) as refused:
        with_services(never, services=[])
    assert refused.value.code == 'HUBBUB["MAX_SOCKET"] is unknown: did you mean MAX_SOCKETS?'


@pytest.mark.usefixtures("composed")
async def test_a_server_without_a_lifespan_logs_what_it_cannot_refuse(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    answered: list[Any] = []

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        answered.append(scope)

    application = with_services(answer, services=[])
    for _ in range(2):
        await application({"type": "http", "path": "/", "headers": []}, never, never)
    assert len(answered) == 2
    logged = [record.getMessage() for record in caplog.records if record.name == "hubbub.asgi.services"]
    assert logged == ["The channel layer in memory connects no processes: servers refuse to start."]


# The layer


async def test_the_layer_needs_no_config(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "hubbub.layer.RedisPubSubLayer"}}
    settings.HUBBUB = settings.HUBBUB | {"REDIS_URL": "redis://redis.example.org:7000", "LAYER_CAPACITY": 100}
    layer = get_channel_layer()
    loop_layer = layer._get_layer()
    assert [shard.host["address"] for shard in loop_layer._shards] == ["redis://redis.example.org:7000"]
    loop_layer.channels["full"] = asyncio.Queue(loop_layer._capacity)
    for _ in range(100):
        loop_layer.deliver("full", b"\0" * 8 + b"x")
    before = COUNTERS.layer_overflows
    loop_layer.deliver("full", b"\0" * 8 + b"x")
    assert COUNTERS.layer_overflows == before + 1
